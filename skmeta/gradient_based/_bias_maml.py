"""BiasMAML: adapt additive offsets, and share everything else."""

from __future__ import annotations

from typing import ClassVar

from sklearn.utils._param_validation import StrOptions

from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin, parameters
from skmeta.gradient_based._learner import InnerSGDLearner, Parts
from skmeta.nets import Offset, bias_names


@parameters
class _BiasMAML(InnerSGDLearner):
    inner_lr: float = 0.1
    offsets: str = "biases"

    _parameter_constraints: ClassVar[dict] = {"offsets": [StrOptions({"biases", "output"})]}
    _shared_docs: ClassVar[dict] = {
        "offsets": """
            offsets : {"biases", "output"}, default="biases"
                What a task adapts: the biases of all layers, or one number that is added to each
                output of the network.""",
    }

    def _make_parts(self, n_inputs: int, n_outputs: int) -> Parts:
        network = self._make_backbone(n_inputs, n_outputs)
        if self.offsets == "output":
            return Parts(Offset(n_outputs), ["offset"], network)
        names = bias_names(network)
        if not names:
            raise ValueError(
                f"{type(network).__name__} has no biases to adapt; take offsets='output', or a "
                "network whose layers have biases."
            )
        return Parts(network, names)


@parameters
class BiasMAMLClassifier(NeuralMetaClassifierMixin, _BiasMAML):
    """Classifier that adapts additive offsets of a network, and shares all of its weights.

    With `offsets="output"` a task's mapping is f(x) + theta: a network f that all tasks share, and
    an offset theta for each class that a task learns by gradient steps. With `offsets="biases"`
    there is an offset behind each layer, a learned representation of the task inside the network
    [1]_. Meta-training is that of :class:`MAMLClassifier` [2]_.
    {{own_classes}}

    Parameters
    ----------
    {{module}}
    {{offsets}}
    inner_lr : float, default=0.1
        Step size of the inner steps.
    {{inner_steps}}
    {{inner_sgd}}
    {{unrolled}}
    {{class_weight}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    {{inner_attributes}}
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Finn, Yu, Zhang, Abbeel & Levine (2017). One-shot visual imitation learning via
       meta-learning. CoRL. The "bias transformation".
    .. [2] Finn, Abbeel & Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import BiasMAMLClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=100, random_state=0)
    >>> meta = BiasMAMLClassifier(max_epochs=3, random_state=0).fit(tasks)
    >>> sorted(meta.fit_adapt(tasks[0].X, tasks[0].y).state_)
    ['backbone.layers.0.bias', 'backbone.layers.1.bias', 'backbone.layers.2.bias', 'class_mask']
    """


@parameters
class BiasMAMLRegressor(NeuralMetaRegressorMixin, _BiasMAML):
    """Regressor that adapts additive offsets of a network, and shares all of its weights.

    With `offsets="output"` a task's mapping is f(x) + theta: a network f that all tasks share, and
    an offset theta that a task learns by gradient steps. With `offsets="biases"` there is an offset
    behind each layer, a learned representation of the task inside the network [1]_. Meta-training
    is that of :class:`MAMLRegressor` [2]_.

    Parameters
    ----------
    {{module}}
    {{offsets}}
    inner_lr : float, default=0.1
        Step size of the inner steps.
    {{inner_steps}}
    {{inner_sgd}}
    {{unrolled}}
    {{normalize_y}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    {{inner_attributes}}
    {{attributes}}
    {{y_scale_}}

    References
    ----------
    .. [1] Finn, Yu, Zhang, Abbeel & Levine (2017). One-shot visual imitation learning via
       meta-learning. CoRL. The "bias transformation".
    .. [2] Finn, Abbeel & Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML.

    Examples
    --------
    >>> from skmeta import BiasMAMLRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = BiasMAMLRegressor(offsets="output", max_epochs=5, random_state=0).fit(tasks)
    >>> meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5]).state_["backbone.offset"].shape
    torch.Size([1, 1])
    """

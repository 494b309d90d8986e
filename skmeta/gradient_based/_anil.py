"""ANIL: adapt the head of a network, and share its body."""

from __future__ import annotations

from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin, parameters
from skmeta.gradient_based._learner import InnerSGDLearner, Parts
from skmeta.nets import last_layer_names, split_head


@parameters
class _ANIL(InnerSGDLearner):
    inner_lr: float = 0.1

    def _make_parts(self, n_inputs: int, n_outputs: int) -> Parts:
        body, head = split_head(self._make_backbone(n_inputs, n_outputs))
        return Parts(head, last_layer_names(head), body)


@parameters
class ANILClassifier(NeuralMetaClassifierMixin, _ANIL):
    """Classifier that adapts the last layer of a network, on features that all tasks share.

    Almost no inner loop [1]_ is :class:`MAMLClassifier` whose inner steps leave all layers but the
    last as they are; training learns these through the steps of the last one. Inner steps are
    cheap: rows go through the other layers once.
    {{own_classes}}

    Parameters
    ----------
    {{module}}
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
    .. [1] Raghu, Raghu, Bengio & Vinyals (2020). Rapid learning or feature reuse? Towards
       understanding the effectiveness of MAML. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import ANILClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=100, random_state=0)
    >>> meta = ANILClassifier(max_epochs=3, random_state=0).fit(tasks)
    >>> meta.fit_adapt(tasks[0].X, tasks[0].y).predict(tasks[0].X).shape
    (48,)
    """


@parameters
class ANILRegressor(NeuralMetaRegressorMixin, _ANIL):
    """Regressor that adapts the last layer of a network, on features that all tasks share.

    Almost no inner loop [1]_ is :class:`MAMLRegressor` whose inner steps leave all layers but the
    last as they are; training learns these through the steps of the last one. Inner steps are
    cheap: rows go through the other layers once.

    Parameters
    ----------
    {{module}}
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
    .. [1] Raghu, Raghu, Bengio & Vinyals (2020). Rapid learning or feature reuse? Towards
       understanding the effectiveness of MAML. ICLR.

    Examples
    --------
    >>> from skmeta import ANILRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = ANILRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> sorted(model.state_)
    ['backbone.bias', 'backbone.weight']
    """

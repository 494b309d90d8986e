"""A learned optimiser: a recurrent network takes the steps that adapt the network to a task."""

from __future__ import annotations

from numbers import Integral
from typing import ClassVar

import torch
from sklearn.utils._param_validation import Interval

from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin, parameters
from skmeta.gradient_based._learner import UnrolledLearner
from skmeta.nets import InnerOptimizer, LearnedRate, RecurrentOptimizer

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")
# Kept until the meta-gradient is known, for each task, weight, step and unit; measured.
_BYTES_OF_UNIT = 48
_MAX_BYTES = 8 * 2**30


@parameters
class _LearnedOptimizer(UnrolledLearner):
    first_order: bool = True
    n_hidden: int = 10
    n_layers: int = 1

    _parameter_constraints: ClassVar[dict] = {
        "n_hidden": [_AT_LEAST_ONE],
        "n_layers": [_AT_LEAST_ONE],
    }
    _shared_docs: ClassVar[dict] = {
        "recurrent": """
            n_steps : int, default={n_steps}
                Inner steps in training.
            n_adapt_steps : int or None, default=None
                Inner steps when adapting to a new task; None takes `n_steps`. It may be changed
                after `fit`: the optimiser goes on for as long as it is asked to.
            n_hidden : int, default={n_hidden}
                Units of each layer of the recurrent network.
            n_layers : int, default={n_layers}
                Its layers.
            first_order : bool, default=True
                Whether to ignore that gradients depend on the weights they are taken at, as both
                papers do. False is the exact gradient of the loss, and slower.
            multi_step_epochs : int, default=0
                Epochs at the start of training in which the query loss after each inner step
                counts, the same at first and then less and less beside that of the last step. 0
                counts the last step alone.
            recompute : bool, default=False
                Whether to compute an inner step again in the backward pass instead of storing it;
                only with `first_order=False`.""",
        "recurrent_attributes": """
            step_sizes_ : dict of ndarray of shape (1,)
                Learned scale of the steps of each layer, by name.""",
    }

    def _make_inner_optimizer(self, shapes: dict[str, torch.Size]) -> InnerOptimizer:
        self._check_memory(sum(shape.numel() for shape in shapes.values()))
        scale = LearnedRate(self.inner_lr, shapes, "layer")
        return RecurrentOptimizer(scale, self.n_hidden, self.n_layers)

    def _check_memory(self, n_weights: int) -> None:
        n_units = n_weights * self.batch_size * self.n_steps * self.n_hidden * self.n_layers
        if n_units * _BYTES_OF_UNIT > _MAX_BYTES:
            raise ValueError(
                f"{type(self).__name__} would take about {n_units * _BYTES_OF_UNIT / 2**30:.0f} "
                f"GiB for a meta-batch: it keeps {self.n_hidden} units x {self.n_layers} layers "
                f"for each of {n_weights} weights, {self.n_steps} steps and {self.batch_size} "
                "tasks. Make fewer columns, or choose a smaller module, batch_size, n_steps or "
                "n_hidden."
            )


@parameters
class LearnedOptimizerClassifier(NeuralMetaClassifierMixin, _LearnedOptimizer):
    """Classifier whose network is trained on a task by an optimiser that has been learned.

    A recurrent network, the same for every single weight, sees the gradients of that weight one
    step after the other and says how to change it [1]_. It is trained through its steps, together
    with the initial weights [2]_ and with the scale of each layer's steps. Before training it is
    gradient descent.
    {{own_classes}}

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.1
        Scale of the steps that training starts from.
    {{recurrent}}
    {{class_weight}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    {{recurrent_attributes}}
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Andrychowicz et al. (2016). Learning to learn by gradient descent by gradient descent.
       NeurIPS. The coordinatewise LSTM and the preprocessing of gradients.
    .. [2] Ravi & Larochelle (2017). Optimization as a model for few-shot learning. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import LearnedOptimizerClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=50, random_state=0)
    >>> meta = LearnedOptimizerClassifier(max_epochs=2, random_state=0).fit(tasks)
    >>> meta.fit_adapt(tasks[0].X, tasks[0].y).predict(tasks[0].X).shape
    (48,)
    """

    inner_lr: float = 0.1


@parameters
class LearnedOptimizerRegressor(NeuralMetaRegressorMixin, _LearnedOptimizer):
    """Regressor whose network is trained on a task by an optimiser that has been learned.

    A recurrent network, the same for every single weight, sees the gradients of that weight one
    step after the other and says how to change it [1]_. It is trained through its steps, together
    with the initial weights [2]_ and with the scale of each layer's steps. Before training it is
    gradient descent.

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.01
        Scale of the steps that training starts from.
    {{recurrent}}
    {{normalize_y}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    {{recurrent_attributes}}
    {{attributes}}
    {{y_scale_}}

    References
    ----------
    .. [1] Andrychowicz et al. (2016). Learning to learn by gradient descent by gradient descent.
       NeurIPS. The coordinatewise LSTM and the preprocessing of gradients.
    .. [2] Ravi & Larochelle (2017). Optimization as a model for few-shot learning. ICLR.

    Examples
    --------
    >>> from skmeta import LearnedOptimizerRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = LearnedOptimizerRegressor(max_epochs=3, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> model.predict([[1.0], [2.0]]).shape
    (2,)
    """

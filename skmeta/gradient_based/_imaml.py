"""Implicit MAML: the meta-gradient of a solution, however it was found."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval

from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin, parameters
from skmeta.gradient_based._learner import GradientBasedLearner
from skmeta.nets import IMAML, MAML, InnerSGD


@parameters
class _IMAML(GradientBasedLearner):
    n_steps: int = 10
    inner_momentum: float = 0.0
    proximity: float = 0.1
    n_solver_steps: int = 5

    _parameter_constraints: ClassVar[dict] = {
        "inner_momentum": [Interval(Real, 0, 1, closed="left")],
        "proximity": [Interval(Real, 0, None, closed="neither")],
        "n_solver_steps": [Interval(Integral, 1, None, closed="left")],
    }
    _shared_docs: ClassVar[dict] = {
        "implicit": """
            n_steps : int, default=10
                Inner steps in training. The gradient is exact where they reach the minimum.
            n_adapt_steps : int or None, default=None
                Inner steps when adapting to a new task; None takes `n_steps`. It may be changed
                after `fit`.
            inner_momentum : float, default=0.0
                Momentum of the inner steps.
            proximity : float, default=0.1
                Strength of the penalty that keeps a task's weights near the initial ones; the
                paper's lambda.
            n_solver_steps : int, default=5
                Steps of conjugate gradients, each a product of a Hessian with a vector.""",
    }

    def _make_inner_optimizer(self, shapes: dict[str, torch.Size]) -> InnerSGD:
        return InnerSGD(self.inner_lr, self.inner_momentum)

    def _make_inner_loop(self, **options: Any) -> MAML:
        return IMAML(proximity=self.proximity, n_solver_steps=self.n_solver_steps, **options)


@parameters
class IMAMLClassifier(NeuralMetaClassifierMixin, _IMAML):
    """Classifier whose weights for a task minimise its loss near learned initial weights.

    Implicit MAML [1]_ adapts to a task by minimising the loss of its support plus `proximity` / 2
    times the squared distance to the initial weights. How the minimum depends on the initial
    weights follows from the Hessian there, so that training needs neither memory for the inner
    steps nor gradients through them.
    {{own_classes}}

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.1
        Step size of the inner steps.
    {{implicit}}
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
    .. [1] Rajeswaran, Finn, Kakade & Levine (2019). Meta-learning with implicit gradients. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import IMAMLClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=100, random_state=0)
    >>> meta = IMAMLClassifier(max_epochs=3, random_state=0).fit(tasks)
    >>> meta.fit_adapt(tasks[0].X, tasks[0].y).predict(tasks[0].X).shape
    (48,)
    """

    inner_lr: float = 0.1


@parameters
class IMAMLRegressor(NeuralMetaRegressorMixin, _IMAML):
    """Regressor whose weights for a task minimise its loss near learned initial weights.

    Implicit MAML [1]_ adapts to a task by minimising the loss of its support plus `proximity` / 2
    times the squared distance to the initial weights. How the minimum depends on the initial
    weights follows from the Hessian there, so that training needs neither memory for the inner
    steps nor gradients through them.

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.05
        Step size of the inner steps.
    {{implicit}}
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
    .. [1] Rajeswaran, Finn, Kakade & Levine (2019). Meta-learning with implicit gradients. NeurIPS.

    Examples
    --------
    >>> from skmeta import IMAMLRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = IMAMLRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> model.predict([[1.0], [2.0]]).shape
    (2,)
    """

    inner_lr: float = 0.05

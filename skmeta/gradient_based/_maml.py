"""Model-agnostic meta-learning."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval

from skmeta.episodic import (
    NeuralMetaClassifierMixin,
    NeuralMetaLearner,
    NeuralMetaRegressorMixin,
    parameters,
)
from skmeta.nets import MAML


@parameters
class _MAML(NeuralMetaLearner):
    inner_lr: float = 0.1
    n_steps: int = 5
    n_adapt_steps: int | None = None
    first_order: bool = False

    _parameter_constraints: ClassVar[dict] = {
        **NeuralMetaLearner._parameter_constraints,
        "inner_lr": [Interval(Real, 0, None, closed="neither")],
        "n_steps": [Interval(Integral, 0, None, closed="left")],
        "n_adapt_steps": [Interval(Integral, 0, None, closed="left"), None],
        "first_order": ["boolean"],
    }

    def _make_learner(self, n_inputs: int, n_outputs: int) -> MAML:
        return MAML(
            self._make_backbone(n_inputs, n_outputs),
            self._row_loss,
            inner_lr=self.inner_lr,
            n_steps=self.n_steps,
            first_order=self.first_order,
        )

    def _adapt_support(self, support: Any) -> dict[str, torch.Tensor]:
        return self._learner.adapt(support, n_steps=self.n_adapt_steps)


@parameters
class MAMLClassifier(NeuralMetaClassifierMixin, _MAML):
    """Classifier whose network is a few gradient steps away from any task.

    Model-agnostic meta-learning [1]_ learns the initial weights of a network such that `n_steps`
    steps of gradient descent on the support of a task give a network that is good on its query.
    Where classes mean the same in all tasks, the network has one output for each; where they are a
    task's own, it has as many as a task has classes, assigned at random in each episode.

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.1
        Learning rate of the inner steps.
    n_steps : int, default=5
        Inner steps in training.
    n_adapt_steps : int or None, default=None
        Inner steps when adapting to a new task; None takes `n_steps`. It may be changed after
        `fit`.
    first_order : bool, default=False
        Whether to ignore second derivatives: faster, but not the gradient of the loss.
    {{training}}

    Attributes
    ----------
    {{attributes}}
    classes_ : ndarray of shape (n_classes,)
        Classes that the estimator predicts.

    References
    ----------
    .. [1] Finn, Abbeel & Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML. Equation 1 and algorithm 2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import MAMLClassifier, make_n_way_tasks, split_support_query
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X[y < 6], y[y < 6], n_way=3, n_tasks=200, random_state=0)
    >>> meta = MAMLClassifier(max_epochs=3, random_state=0).fit(tasks)
    >>> new = make_n_way_tasks(X[y > 5], y[y > 5], n_way=3, n_support=5, n_tasks=1, random_state=0)
    >>> support, query = split_support_query(new, n_support=15, stratify=True)
    >>> model = meta.fit_adapt(support[0].X, support[0].y)
    >>> model.score(query[0].X, query[0].y) > 0.5
    True
    """


@parameters
class MAMLRegressor(NeuralMetaRegressorMixin, _MAML):
    """Regressor whose network is a few gradient steps away from any task.

    Model-agnostic meta-learning [1]_ learns the initial weights of a network such that `n_steps`
    steps of gradient descent on the support of a task give a network that is good on its query.

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.1
        Learning rate of the inner steps.
    n_steps : int, default=5
        Inner steps in training.
    n_adapt_steps : int or None, default=None
        Inner steps when adapting to a new task; None takes `n_steps`. It may be changed after
        `fit`.
    first_order : bool, default=False
        Whether to ignore second derivatives: faster, but not the gradient of the loss.
    {{normalize_y}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    y_mean_, y_scale_ : ndarray of shape (n_outputs,)
        Mean and standard deviation of the target in the training tasks.

    References
    ----------
    .. [1] Finn, Abbeel & Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML. Equation 1 and algorithm 2.

    Examples
    --------
    >>> from skmeta import MAMLRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = MAMLRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> model.predict([[1.0], [2.0]]).shape
    (2,)
    """

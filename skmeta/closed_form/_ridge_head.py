"""Ridge regression heads on a learned embedding."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skmeta.closed_form._learner import StreamingLearner, count_features
from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin, parameters
from skmeta.nets import RidgeClassifierHead, RidgeHead
from skmeta.tasks import TaskCollection


@parameters
class _RidgeHead(StreamingLearner):
    alpha: float = 1.0
    learn_prior: bool = True

    _parameter_constraints: ClassVar[dict] = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "learn_prior": ["boolean"],
    }

    _head: ClassVar[Any]  # the torch module

    def _make_learner(self, n_inputs: int, n_outputs: int) -> RidgeHead:
        embedding = self._make_backbone(n_inputs)
        n_features = count_features(embedding, n_inputs)
        return self._head(embedding, n_features, n_outputs, self.alpha, self.learn_prior)


@parameters
class RidgeHeadRegressor(NeuralMetaRegressorMixin, _RidgeHead):
    """Regressor by ridge regression on a learned embedding.

    The embedding is trained such that ridge regression on the embedded support of a task predicts
    its query well (R2-D2 [1]_). The head of a task shrinks to a learned one, which is also the
    prediction before any support. Where targets are linear in the rows, `module=None` learns this
    head and the penalty alone.

    Parameters
    ----------
    module : "auto", callable, torch module or None, default="auto"
        The embedding. "auto" is a multi-layer perceptron with two hidden layers of 64 tanh units
        and 64 outputs; a callable is called with the numbers of inputs and outputs (64); a module
        is copied and trained from its weights. None takes rows as they are.
    alpha : float, default=1.0
        Penalty on the distance of a task's head to the prior's; where training starts from if
        `learn_prior`.
    learn_prior : bool, default=True
        Whether to learn the penalties, of weights and of the intercept, and the head to which they
        shrink. Otherwise the penalty is `alpha`, weights shrink to zero and the intercept is free,
        as in :class:`sklearn.linear_model.Ridge`; the prediction before any support is the mean
        target of training then.
    {{normalize_y}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    y_mean_, y_scale_ : ndarray of shape (n_outputs,)
        Mean and standard deviation of the target in the training tasks.

    References
    ----------
    .. [1] Bertinetto, Henriques, Torr & Vedaldi (2019). Meta-learning with differentiable
       closed-form solvers. ICLR. Equations 4 and 6.

    Examples
    --------
    >>> from skmeta import RidgeHeadRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=500, random_state=0)
    >>> meta = RidgeHeadRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> model.predict([[1.0], [2.0]]).shape
    (2,)

    A further row is absorbed without the earlier ones:

    >>> model.partial_adapt([[1.0]], [1.5]).n_support_
    4
    """

    _head = RidgeHead


@parameters
class RidgeHeadClassifier(NeuralMetaClassifierMixin, _RidgeHead):
    """Classifier by ridge regression on a learned embedding.

    The embedding is trained such that ridge regression of one-hot labels on the embedded support
    of a task gives, times a learned scale, good logits for its query (R2-D2 [1]_). Where classes
    are a task's own, a new task may have any number of them, also more than any training task.
    Where they mean the same in all tasks, heads shrink to a learned one, which is also the
    prediction before any support.

    Parameters
    ----------
    module : "auto", callable, torch module or None, default="auto"
        The embedding. "auto" is a multi-layer perceptron with two hidden layers of 64 tanh units
        and 64 outputs; a callable is called with the numbers of inputs and outputs (64); a module
        is copied and trained from its weights. None takes rows as they are.
    alpha : float, default=1.0
        Penalty on the distance of a task's head to the prior's; where training starts from if
        `learn_prior`.
    learn_prior : bool, default=True
        Whether to learn the penalties, of weights and of the intercept, and the head to which they
        shrink. Otherwise the penalty is `alpha`, weights shrink to zero and the intercept is free,
        as in :class:`sklearn.linear_model.Ridge`.
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    classes_ : ndarray of shape (n_classes,)
        Classes that the estimator predicts.

    References
    ----------
    .. [1] Bertinetto, Henriques, Torr & Vedaldi (2019). Meta-learning with differentiable
       closed-form solvers. ICLR. Equations 4, 6 and 7.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import RidgeHeadClassifier, make_n_way_tasks, split_support_query
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X[y < 6], y[y < 6], n_way=3, n_tasks=200, random_state=0)
    >>> meta = RidgeHeadClassifier(max_epochs=3, random_state=0).fit(tasks)
    >>> new = make_n_way_tasks(X[y > 5], y[y > 5], n_way=4, n_support=5, n_tasks=1, random_state=0)
    >>> support, query = split_support_query(new, n_support=20, stratify=True)
    >>> model = meta.fit_adapt(support[0].X, support[0].y)
    >>> model.classes_
    array([6, 7, 8, 9])
    >>> model.score(query[0].X, query[0].y) > 0.5
    True
    """

    _head = RidgeClassifierHead

    def _learn_target(self, tasks: TaskCollection) -> int:
        n_outputs = super()._learn_target(tasks)
        self._slots = np.arange(n_outputs)
        return n_outputs

    def _make_learner(self, n_inputs: int, n_outputs: int) -> RidgeHead:
        # Which class is which changes from task to task: no class has a head before it has a row.
        return super()._make_learner(n_inputs, n_outputs if self.shared_target_ else 0)

    def _encode_support(self, y: np.ndarray) -> np.ndarray:
        codes = super()._encode_support(y)
        self._slots = np.arange(len(self.classes_))
        return codes

    def _encode_further(self, y: np.ndarray) -> np.ndarray:
        """Classes seen before keep their output; new ones get further outputs."""
        if self.shared_target_:
            return super()._encode_support(y)
        new = np.setdiff1d(y, self.classes_)
        classes = np.concatenate([self.classes_, new])
        slots = np.concatenate([self._slots, len(self._slots) + np.arange(len(new))])
        order = np.argsort(classes)
        self.classes_, self._slots = classes[order], slots[order]
        return self._slots[np.searchsorted(self.classes_, y)]

    def _class_mask(self) -> Tensor | None:
        return None  # as many as the support has

    def _logits(self, X: Any) -> np.ndarray:
        return self._output(X)[:, self._slots]

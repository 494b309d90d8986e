"""Ridge regression heads on a learned embedding."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval
from torch import nn

from skmeta.episodic import (
    EmbeddingMetaLearner,
    NeuralMetaRegressorMixin,
    OpenClassesMixin,
    StreamingMixin,
    parameters,
)
from skmeta.nets import RidgeClassifierHead, RidgeHead


@parameters
class _RidgeHead(StreamingMixin, EmbeddingMetaLearner):
    alpha: float = 1.0
    learn_prior: bool = True

    _parameter_constraints: ClassVar[dict] = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "learn_prior": ["boolean"],
    }

    _head: ClassVar[Any]  # the torch module

    def _make_on_embedding(
        self, embedding: nn.Module, n_features: int, n_outputs: int
    ) -> RidgeHead:
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
    {{embedding}}
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
class RidgeHeadClassifier(OpenClassesMixin, _RidgeHead):
    """Classifier by ridge regression on a learned embedding.

    The embedding is trained such that ridge regression of one-hot labels on the embedded support
    of a task gives, times a learned scale, good logits for its query (R2-D2 [1]_). A new task may
    have any number of classes, also ones that no training task had. Where classes mean the same in
    all tasks, heads shrink to a learned one, which is also the prediction before any support.

    Parameters
    ----------
    {{embedding}}
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

"""An ordinary estimator whose `fit` is the adaptation of a fitted meta-learner."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmeta.base._meta_learner import BaseMetaLearner


class _FewShot(MetaEstimatorMixin, BaseEstimator):
    def __init__(self, meta: Any):
        self.meta = meta

    def fit(self, X: Any, y: Any, **options: Any) -> Self:
        """Adapt the meta-learner to the rows of one task.

        Parameters
        ----------
        X : array-like or data frame of shape (n_rows, n_features)
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        **options
            Passed on to `fit_adapt`: `sample_weight`, where the learner takes it.

        Returns
        -------
        self : estimator
        """
        _check_meta_learner(self)
        check_is_fitted(
            self.meta,
            msg=f"The meta-learner of {type(self).__name__} is not fitted: fit it on tasks first.",
        )
        self.model_ = self.meta.fit_adapt(X, y, **options)
        for name in ("n_features_in_", "feature_names_in_", "classes_"):
            if hasattr(self.model_, name):
                setattr(self, name, getattr(self.model_, name))
        return self

    def predict(self, X: Any, **options: Any) -> np.ndarray:
        """Predict with the adapted estimator.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)
        **options
            Passed on, `return_std=True` for example.

        Returns
        -------
        y : ndarray of shape (n_query,) or (n_query, n_outputs)
        """
        check_is_fitted(self)
        return self.model_.predict(X, **options)

    def __sklearn_clone__(self) -> Self:
        # A clone is unfitted, but what its meta-learner learned is its parameter, not its fit.
        # The copy is shallow, so that parameters set on the clone are not set on the original.
        return type(self)(copy(self.meta))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.meta)
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        return tags


class FewShotClassifier(ClassifierMixin, _FewShot):
    """An ordinary classifier whose `fit` adapts a fitted meta-learner.

    Use it where scikit-learn expects a classifier that learns from one table: pipelines,
    cross-validation, stacking, bagging, calibration. A clone keeps what the meta-learner learned.

    Parameters
    ----------
    meta : fitted meta-learner
        A classifier that has learned from tasks.

    Attributes
    ----------
    model_ : estimator
        The adapted estimator.
    classes_ : ndarray of shape (n_classes,)
        Classes of the adapted estimator.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import cross_val_score
    >>> from skmeta import FewShotClassifier, PrototypeClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X[y < 6], y[y < 6], n_way=3, n_tasks=20, random_state=0)
    >>> meta = PrototypeClassifier(module=None).fit(tasks)
    >>> scores = cross_val_score(FewShotClassifier(meta), X[y > 5], y[y > 5], cv=3)
    >>> scores.mean() > 0.8
    np.True_
    """

    @available_if(lambda self: hasattr(self.meta, "predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities with the adapted estimator.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        proba : ndarray of shape (n_query, n_classes)
        """
        check_is_fitted(self)
        return self.model_.predict_proba(X)


class FewShotRegressor(RegressorMixin, _FewShot):
    """An ordinary regressor whose `fit` adapts a fitted meta-learner.

    Use it where scikit-learn expects a regressor that learns from one table: pipelines,
    cross-validation, stacking, bagging. A clone keeps what the meta-learner learned.

    Parameters
    ----------
    meta : fitted meta-learner
        A regressor that has learned from tasks.

    Attributes
    ----------
    model_ : estimator
        The adapted estimator.

    Examples
    --------
    >>> from skmeta import FewShotRegressor, MetaRidgeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=50, random_state=0)
    >>> meta = MetaRidgeRegressor().fit(tasks[:40])
    >>> new = tasks[45]
    >>> FewShotRegressor(meta).fit(new.X[:5], new.y[:5]).score(new.X[5:], new.y[5:]) > 0.5
    True
    """


def _check_meta_learner(estimator: Any) -> None:
    if not isinstance(estimator.meta, BaseMetaLearner):
        raise TypeError(
            f"The `meta` parameter of {type(estimator).__name__} must be a meta-learner, got "
            f"{estimator.meta!r}."
        )

"""What a target is: classes or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import get_tags

from skmeta.base._evaluation import few_shot_scores
from skmeta.base._reading import holds_tasks


class _ScoresTasks:
    """Gives `score` a second meaning: of tasks, the mean few-shot score."""

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Score on tasks after adapting to some of their rows, or on the rows of one table.

        Parameters
        ----------
        X : TaskCollection, list of Task, or array-like of shape (n_rows, n_features)
            Tasks: `n_support` rows of each (10 if the learner does not say) are adapted
            to, the others are scored. A table: the rows are scored as with any estimator.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Target of the rows of a table.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows of a table.

        Returns
        -------
        score : float
            Accuracy for classifiers, R² for regressors; for tasks the mean over those for which it
            is defined.
        """
        if not holds_tasks(X):
            return super().score(X, y, sample_weight)  # type: ignore[misc]
        scores = few_shot_scores(self, X, n_support=getattr(self, "n_support", None))
        if np.isnan(scores).all():
            raise ValueError("The score is undefined for every task: they have too few rows.")
        return float(np.nanmean(scores))


class MetaClassifierMixin(_ScoresTasks, ClassifierMixin):
    """Mixin for meta-learners that classify; goes left of :class:`BaseMetaLearner`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes that the estimator predicts: those of the training tasks where classes mean the same
        in all tasks, otherwise those of the support it has adapted to.

    Examples
    --------
    A learner that predicts the share of each class in the support. Classes come as codes 0, 1, ...:

    >>> import numpy as np
    >>> from skmeta import BaseMetaLearner, MetaClassifierMixin, TaskCollection
    >>> class ShareClassifier(MetaClassifierMixin, BaseMetaLearner):
    ...     def _fit_tasks(self, tasks):
    ...         self.prior_ = np.bincount(tasks.y) / len(tasks.y)
    ...
    ...     def _adapt(self, X, y):
    ...         counts = np.bincount(y, minlength=len(self.prior_))
    ...         self.shares_ = (self.prior_ + counts) / (1 + len(y))
    ...
    ...     def predict_proba(self, X):
    ...         return np.tile(self.shares_, (len(self._validate_query(X)), 1))
    >>> X, y = [[1.0], [2.0], [3.0], [4.0]], ["no", "yes", "no", "yes"]
    >>> meta = ShareClassifier().fit(TaskCollection.from_arrays(X, y, task_id=[0, 0, 1, 1]))
    >>> meta.fit_adapt([[5.0], [6.0]], ["yes", "yes"]).predict([[7.0]])
    array(['yes'], dtype='<U3')
    """

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        y : ndarray of shape (n_query,)
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _encode_target(self, y, *, reset, classes=None):
        found, codes = np.unique(y, return_inverse=True)
        if not self.shared_target_:
            self._training_classes = found[:0]
            return codes
        if reset:
            self._training_classes = found if classes is None else np.unique(classes)
            self.classes_ = self._training_classes
        self._check_known(found)
        return np.searchsorted(self.classes_, y)

    def _encode_support(self, y):
        found = np.unique(y)
        if not self.shared_target_:
            self.classes_ = found
        elif get_tags(self).task_tags.new_classes:
            self.classes_ = np.union1d(self._training_classes, found)
        self._check_known(found)
        return np.searchsorted(self.classes_, y)

    def _check_known(self, found: np.ndarray) -> None:
        unknown = found[~np.isin(found, self.classes_)]
        if len(unknown):
            raise ValueError(
                f"y has unknown classes {_listed(unknown)}: the classes of the training tasks are "
                f"{_listed(self.classes_)}."
            )


class MetaRegressorMixin(_ScoresTasks, RegressorMixin):
    """Mixin for meta-learners that predict numbers; goes left of :class:`BaseMetaLearner`.

    Examples
    --------
    See :class:`BaseMetaLearner` for a whole learner.

    >>> from skmeta import MetaRegressorMixin, MetaRidgeRegressor
    >>> issubclass(MetaRidgeRegressor, MetaRegressorMixin)
    True
    """


def _listed(classes: np.ndarray, at_most: int = 10) -> str:
    shown = ", ".join(repr(c) for c in classes[:at_most].tolist())
    return f"[{shown}{', ...' if len(classes) > at_most else ''}]"

"""An ordinary estimator over one table with a column that says which task a row belongs to."""

from __future__ import annotations

import warnings
from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skmeta.base._exceptions import TrainingInterrupted
from skmeta.base._few_shot import _check_meta_learner
from skmeta.base._progress import Progress, is_part_of_a_fit
from skmeta.tasks import TaskCollection
from skmeta.tasks._table import as_table, is_frame, take_rows

_ONLY_THE_TASK = "X has 1 feature(s), the task of each row; at least one more is required."


class _Taskwise(CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator):
    def __init__(self, meta: Any, task: Any = 0):
        self.meta = meta
        self.task = task

    @with_callbacks
    def fit(self, X: Any, y: Any) -> Self:
        """Learn across the tasks of a table and adapt to each of them.

        A task that adapting diverges on is predicted by the prior, as an unknown one is, and a
        warning names it.

        Parameters
        ----------
        X : array-like or data frame of shape (n_rows, 1 + n_features)
            Rows with the column `task`, which is not a feature.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)

        Returns
        -------
        self : estimator
        """
        _check_meta_learner(self)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        rows, task_id = self._split_column(X, reset=True)
        tasks = TaskCollection.from_arrays(rows, y, task_id)
        self._learn(tasks)
        models = self.meta_.fit_adapt_many(tasks, on_error="warn")
        named = zip(tasks.names.tolist(), models, strict=True)
        self.models_ = {name: model for name, model in named if model is not None}
        if hasattr(self.meta_, "classes_"):
            self.classes_ = self.meta_.classes_
        return self

    def _learn(self, tasks: TaskCollection) -> None:
        """Fit the meta-learner; where Ctrl-C stops it, what it has learned will do."""
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self)
        self.meta_ = clone(self.meta)
        try:
            with Progress(self, context).fit_of(self.meta_, "learn across tasks"):
                self.meta_.fit(tasks)
        except TrainingInterrupted as interruption:
            if is_part_of_a_fit(self) or interruption.learner is not self.meta_:
                raise
            warnings.warn(str(interruption), stacklevel=3)
        context.call_on_fit_task_end(estimator=self)

    def predict(self, X: Any) -> np.ndarray:
        """Predict each row with its task's estimator, or the prior for an unknown task.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, 1 + n_features)

        Returns
        -------
        y : ndarray of shape (n_query,) or (n_query, n_outputs)
        """
        return self._by_task(X, "predict")

    def _by_task(self, X: Any, method: str) -> np.ndarray:
        check_is_fitted(self)
        rows, task_id = self._split_column(X, reset=False)
        names, group = np.unique(task_id, return_inverse=True)
        order = np.argsort(group, kind="stable")
        parts = []
        cuts = np.flatnonzero(np.diff(group[order])) + 1
        for name, members in zip(names.tolist(), np.split(order, cuts), strict=True):
            model = self.models_.get(name, self.meta_)
            parts.append(getattr(model, method)(take_rows(rows, members)))
        predicted = np.concatenate(parts)
        return predicted[np.argsort(order)]

    def _split_column(self, X: Any, *, reset: bool) -> tuple[Any, np.ndarray]:
        """Features, and the column that names the task."""
        if is_frame(X):
            X = validate_data(self, as_table(X), reset=reset, skip_check_array=True)
            frame = nw.from_native(X)
            name = frame.columns[self.task] if isinstance(self.task, int) else self.task
            if name not in frame.columns:
                raise ValueError(f"task={self.task!r} is not a column of X: {frame.columns}.")
            if len(frame.columns) == 1:
                raise ValueError(_ONLY_THE_TASK)
            return frame.drop(name).to_native(), frame.get_column(name).to_numpy()
        if not isinstance(self.task, int | np.integer):
            raise ValueError(
                f"X is an array, so task must be the index of a column, got {self.task!r}."
            )
        X = validate_data(self, X, dtype=None, ensure_all_finite="allow-nan", reset=reset)
        if not -X.shape[1] <= self.task < X.shape[1]:
            raise ValueError(f"task={self.task} is not a column of X, which has {X.shape[1]}.")
        if X.shape[1] == 1:
            raise ValueError(_ONLY_THE_TASK)
        return _as_numbers(np.delete(X, self.task, axis=1)), X[:, self.task]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.meta)
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        return tags


def _as_numbers(rows: np.ndarray) -> np.ndarray:
    """A task's name makes an array hold objects; the other columns may be numbers all the same."""
    try:
        return rows.astype(np.float64) if rows.dtype == object else rows
    except (TypeError, ValueError):
        return rows  # strings: the preprocessor's business


class TaskwiseClassifier(ClassifierMixin, _Taskwise):
    """Classify the rows of one table whose column `task` says which task a row belongs to.

    `fit` learns across the tasks and adapts to each of them; `predict` uses the adapted estimator
    of a known task and the prior for a task that was not there in training. This is how
    mixed-effects models are used; with a group-wise splitter, cross-validation measures new tasks.

    Parameters
    ----------
    meta : meta-learner
        A classifier; it is cloned and fitted.
    task : str or int, default=0
        Name or index of the column that says which task a row belongs to.

    Attributes
    ----------
    meta_ : meta-learner
        The fitted meta-learner.
    models_ : dict
        The adapted estimator of each task.
    classes_ : ndarray of shape (n_classes,)
        Classes of all tasks.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmeta import PrototypeClassifier, TaskwiseClassifier
    >>> X = pd.DataFrame({"ward": ["a", "a", "b", "b"], "age": [20, 60, 30, 70]})
    >>> y = ["well", "ill", "well", "ill"]
    >>> model = TaskwiseClassifier(PrototypeClassifier(module=None), task="ward").fit(X, y)
    >>> model.predict(pd.DataFrame({"ward": ["b", "new"], "age": [32, 65]}))
    array(['well', 'ill'], dtype='<U4')
    """

    @available_if(lambda self: hasattr(self.meta, "predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities with each task's estimator, or the prior for an unknown task.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, 1 + n_features)

        Returns
        -------
        proba : ndarray of shape (n_query, n_classes)
        """
        return self._by_task(X, "predict_proba")


class TaskwiseRegressor(RegressorMixin, _Taskwise):
    """Predict numbers for the rows of one table whose column `task` says which task a row is of.

    `fit` learns across the tasks and adapts to each of them; `predict` uses the adapted estimator
    of a known task and the prior for a task that was not there in training. This is how
    mixed-effects models are used; with a group-wise splitter, cross-validation measures new tasks.

    Parameters
    ----------
    meta : meta-learner
        A regressor; it is cloned and fitted.
    task : str or int, default=0
        Name or index of the column that says which task a row belongs to.

    Attributes
    ----------
    meta_ : meta-learner
        The fitted meta-learner.
    models_ : dict
        The adapted estimator of each task.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmeta import MetaRidgeRegressor, TaskwiseRegressor
    >>> X = pd.DataFrame({"store": [1, 1, 1, 2, 2, 2], "price": [1.0, 2, 3, 1, 2, 3]})
    >>> y = [3.0, 2.1, 0.9, 13.1, 12.0, 10.9]
    >>> model = TaskwiseRegressor(MetaRidgeRegressor(), task="store").fit(X, y)
    >>> model.predict(pd.DataFrame({"store": [1, 2], "price": [2.0, 2.0]})).round()
    array([ 2., 12.])
    """

"""The meta-learner contract: `fit` on a collection of tasks, `fit_adapt` to a new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, _fit_context, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_is_fitted,
    check_X_y,
    validate_data,
)

from skmeta.base._evaluation import few_shot_scores
from skmeta.base._exceptions import TrainingDivergedError
from skmeta.base._preprocessing import TablePreprocessor
from skmeta.base._tags import MetaLearnerTags
from skmeta.tasks import Task, TaskCollection
from skmeta.tasks._table import as_table, is_frame


class BaseMetaLearner(CallbackSupportMixin, BaseEstimator):
    """Base class of meta-learners: estimators whose samples are tasks.

    A subclass also inherits from :class:`MetaClassifierMixin` or :class:`MetaRegressorMixin` (left
    of this class) and writes

    - `_fit_tasks(tasks)`: learn from a collection of tasks, whose rows are numbers and whose
      classes are codes 0, 1, ...;
    - `_adapt(X, y)`: set the attributes that make `self` an estimator for one task, given the rows
      of its support. `self` is a copy then: set new attributes, leave what `_fit_tasks` learned
      untouched. Zero rows stand for "before any support"; they occur only where tasks share their
      target;
    - `predict_proba(X)` (classifiers) or `predict(X)` (regressors), which start with
      `X = self._validate_query(X)`;

    and, if it can, `_partial_fit_tasks(tasks)` (go on learning) and `_adapt_many(models, tasks)`
    (adapt to many tasks in one pass). Everything else comes from here.

    Parameters
    ----------
    preprocessor : "auto", None or transformer, default="auto"
        Turns raw rows into numbers; fitted on the rows of the training tasks alone. "auto" stands
        for :class:`TablePreprocessor`: gaps, strings and scales are taken care of. None takes
        numbers as they are.

    Attributes
    ----------
    preprocessor_ : transformer or None
        The fitted preprocessor.
    shared_target_ : bool
        Whether the target means the same in all tasks.
    n_support_ : int
        Number of rows that the estimator has adapted to; 0 for the prior. Absent where there is
        no prior to predict with.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during `fit`, if all were strings.
    """

    # `task_id` says which task each row of a flat table belongs to.
    __metadata_request__fit = {"task_id": True}
    __metadata_request__partial_fit = {"task_id": True, "classes": True}

    _parameter_constraints: ClassVar[dict] = {
        "preprocessor": [StrOptions({"auto"}), HasMethods("transform"), None]
    }

    def __init__(self, *, preprocessor: Any = "auto"):
        self.preprocessor = preprocessor

    # ------------------------------------------------------------------ learning

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, task_id: Any = None) -> Self:
        """Learn from a collection of tasks.

        Parameters
        ----------
        X : TaskCollection, list of Task, or array-like of shape (n_rows, n_features)
            The tasks; or the rows of all of them in one table, with `task_id`. A table without
            `task_id` is one task, and then the estimator is adapted to it as well.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Target of the rows of a table. None if `X` holds tasks.
        task_id : array-like of shape (n_rows,), default=None
            Which task each row of a table belongs to.

        Returns
        -------
        self : BaseMetaLearner
            Fitted meta-learner. It predicts the prior where tasks share their target.
        """
        progress = self._init_callback_context(max_subtasks=getattr(self, "max_epochs", 0))
        progress.call_on_fit_task_begin(estimator=self)
        self.__dict__.pop("n_support_", None)
        tasks = self._read(X, y, task_id, reset=True)
        try:
            self._fit_tasks(tasks)
        except TrainingDivergedError:  # what was learned before stays usable
            self._adapt_after_fit(tasks, is_one_table=_is_one_table(X, task_id))
            raise
        self._adapt_after_fit(tasks, is_one_table=_is_one_table(X, task_id))
        progress.call_on_fit_task_end(estimator=self)
        return self

    @available_if(lambda self: hasattr(self, "_partial_fit_tasks"))
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any = None, *, task_id: Any = None, classes: Any = None
    ) -> Self:
        """Go on learning from further tasks.

        Parameters
        ----------
        X : TaskCollection, list of Task, or array-like of shape (n_rows, n_features)
            Further tasks, as in `fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Target of the rows of a table.
        task_id : array-like of shape (n_rows,), default=None
            Which task each row of a table belongs to.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come; for classifiers, at the first call. By default those
            of the first tasks.

        Returns
        -------
        self : BaseMetaLearner
        """
        is_first = not hasattr(self, "shared_target_")
        tasks = self._read(X, y, task_id, reset=is_first, classes=classes)
        if is_first:
            self._fit_tasks(tasks)
        else:
            self._partial_fit_tasks(tasks)
        self._adapt_after_fit(tasks, is_one_table=_is_one_table(X, task_id))
        return self

    def _adapt_after_fit(self, tasks: TaskCollection, is_one_table: bool) -> None:
        """Adapt to the one table that was given; otherwise to nothing, which gives the prior."""
        X, y = tasks.storage
        n_support = len(y) if is_one_table else 0
        if n_support or self.shared_target_:
            self._adapt(X[:n_support], y[:n_support])
            self.n_support_ = n_support

    # ------------------------------------------------------------------ adapting

    def fit_adapt(self, X: Any, y: Any) -> Self:
        """Adapt to a new task.

        Parameters
        ----------
        X : array-like or data frame of shape (n_support, n_features)
            The few labelled rows of the new task: its support.
        y : array-like of shape (n_support,) or (n_support, n_outputs)
            Their target.

        Returns
        -------
        model : BaseMetaLearner
            A new estimator for the task. `self` is unchanged, so that several threads may adapt
            from it at once; what was learned from the training tasks is shared, not copied.
        """
        check_is_fitted(self)
        model = self._copy()
        X, y = model._validate_rows(X, y, reset=False)
        model._adapt(model._transform(X), model._encode_support(y))
        model.n_support_ = len(y)
        return model

    def fit_adapt_many(self, tasks: TaskCollection | Sequence[Task]) -> list[Self]:
        """Adapt to many new tasks in one pass.

        Parameters
        ----------
        tasks : TaskCollection or list of Task
            The supports of the new tasks. Where training tasks share their target, a support may
            be empty: its model predicts the prior.

        Returns
        -------
        models : list of BaseMetaLearner
            One estimator for each task, equal to `fit_adapt` on its rows.
        """
        check_is_fitted(self)
        tasks = _as_collection(tasks).compact()
        self._check_tasks(tasks)
        if not self.shared_target_ and (tasks.sizes == 0).any():
            raise ValueError(
                "Every task needs at least one row to adapt to: training tasks did not share "
                "their target, so there is no prior prediction."
            )
        models = [self._copy() for _ in range(len(tasks))]
        if tasks.n_rows:
            X, y = self._validate_rows(*tasks.storage, reset=False)
            tasks = tasks.with_storage(self._transform(X), y)
            tasks = tasks.with_storage(y=_encode_supports(models, tasks))
        else:
            X, y = tasks.storage
            tasks = tasks.with_storage(np.empty((0, self._n_columns)), y.astype(np.int64))
        self._adapt_many(models, tasks)
        for model, size in zip(models, tasks.sizes.tolist(), strict=True):
            model.n_support_ = size
        return models

    def _adapt_many(self, models: list[Self], tasks: TaskCollection) -> None:
        """Adapt `models[i]` to task `i`; override it to do so in one pass."""
        for model, task in zip(models, tasks, strict=True):
            model._adapt(task.X, task.y)

    def _copy(self) -> Self:
        """A shallow copy: shares everything learned, owns its attributes."""
        model = object.__new__(type(self))
        model.__dict__.update(self.__dict__)
        return model

    # ------------------------------------------------------------------ reading tables

    def _read(
        self, X: Any, y: Any, task_id: Any, *, reset: bool, classes: Any = None
    ) -> TaskCollection:
        """Validate what `fit` was given and turn it into tasks of numbers and class codes."""
        if _holds_tasks(X):
            if y is not None or task_id is not None:
                raise ValueError(
                    "X holds tasks, which have their targets: y and task_id must be None."
                )
            tasks = _as_collection(X)
            tasks = tasks[tasks.sizes > 0].compact()
            self._check_tasks(tasks)
            tasks = tasks.with_storage(*self._validate_rows(*tasks.storage, reset=reset))
        else:
            X, y = self._validate_rows(X, y, reset=reset)
            if task_id is None:
                tasks = TaskCollection(X, y, [0, len(y)])
            else:
                tasks = TaskCollection.from_arrays(X, y, task_id)
        X, y = tasks.storage
        if reset:
            self.shared_target_ = tasks.shared_target
            self._fit_preprocessor(X, y)
        X = self._transform(X)
        self._n_columns = X.shape[1]
        return tasks.with_storage(X, self._encode_target(y, reset=reset, classes=classes))

    def _check_tasks(self, tasks: TaskCollection) -> None:
        if not len(tasks):
            raise ValueError(
                f"Found no task with rows; {type(self).__name__} needs at least one task."
            )
        if not (tasks.has_equal_widths or get_tags(self).task_tags.different_widths):
            raise ValueError(
                f"{type(self).__name__} needs tasks with the same columns, got {tasks!r}."
            )

    def _validate_rows(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, np.ndarray]:
        tags = get_tags(self)
        is_regressor = tags.estimator_type == "regressor"
        y_options = {"multi_output": tags.target_tags.multi_output, "y_numeric": is_regressor}
        if self.preprocessor is not None and is_frame(X) and y is not None:
            X = validate_data(self, as_table(X), y, reset=reset, skip_check_array=True)[0]
            # The frame's own cells are the preprocessor's business; here rows are only counted.
            rows = np.zeros((X.shape[0], 1))
            y = check_X_y(rows, y, estimator=self, **y_options)[1]
        else:
            X, y = validate_data(self, X, y, reset=reset, **self._array_options(), **y_options)
        if is_regressor:
            return X, y.astype(np.float64, copy=False)
        check_classification_targets(y)
        return X, y

    def _array_options(self) -> dict:
        if self.preprocessor is None:
            return {"dtype": "numeric", "ensure_all_finite": True}
        return {"dtype": None, "ensure_all_finite": "allow-nan"}

    def _validate_query(self, X: Any) -> np.ndarray:
        """Check the rows to predict for, and turn them into numbers.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        X : ndarray of shape (n_query, n_columns)

        Raises
        ------
        NotFittedError
            If the learner is not fitted, or has neither adapted to a task nor a prior.
        """
        check_is_fitted(self)
        if not hasattr(self, "n_support_"):
            raise NotFittedError(
                f"This {type(self).__name__} has learned from tasks that do not share their "
                "target, so it cannot predict before it has seen labelled rows of a task. Call "
                "`fit_adapt(X_support, y_support)` and predict with the estimator it returns."
            )
        if self.preprocessor is not None and is_frame(X):
            X = validate_data(self, as_table(X), reset=False, skip_check_array=True)
        else:
            X = validate_data(self, X, reset=False, **self._array_options())
        return self._transform(X)

    def _fit_preprocessor(self, X: Any, y: np.ndarray) -> None:
        if self.preprocessor is None:
            self.preprocessor_ = None
            return
        is_auto = isinstance(self.preprocessor, str)
        self.preprocessor_ = TablePreprocessor() if is_auto else clone(self.preprocessor)
        self.preprocessor_.fit(X, y)

    def _transform(self, X: Any) -> np.ndarray:
        if self.preprocessor_ is not None:
            X = self.preprocessor_.transform(X)
        return check_array(
            X,
            dtype=np.float64,
            ensure_min_features=0,
            estimator=self,
            input_name="X" if self.preprocessor_ is None else "Output of the preprocessor",
        )

    # ------------------------------------------------------------------ targets

    def _encode_target(self, y: np.ndarray, *, reset: bool, classes: Any = None) -> np.ndarray:
        """Targets of training tasks as learners want them; regressors take them as they are."""
        return y

    def _encode_support(self, y: np.ndarray) -> np.ndarray:
        """Targets of one new task as learners want them."""
        return y

    def __sklearn_tags__(self):
        tags = MetaLearnerTags.extend(super().__sklearn_tags__())
        takes_tables = self.preprocessor is not None
        tags.input_tags.allow_nan = takes_tables
        tags.input_tags.string = takes_tables
        tags.input_tags.categorical = takes_tables
        return tags


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
        if not _holds_tasks(X):
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
    """Mixin for meta-learners that predict numbers; goes left of :class:`BaseMetaLearner`."""


def _encode_supports(models: list[Any], tasks: TaskCollection) -> np.ndarray:
    """Encode the target of each task for its model."""
    y, offsets = tasks.storage[1], tasks.offsets
    if get_tags(models[0]).estimator_type == "regressor":
        return y
    parts = (
        model._encode_support(y[start:stop])
        for model, start, stop in zip(models, offsets[:-1], offsets[1:], strict=True)
    )
    return np.concatenate(list(parts))


def _holds_tasks(X: Any) -> bool:
    if isinstance(X, TaskCollection):
        return True
    return isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], Task)


def _is_one_table(X: Any, task_id: Any) -> bool:
    return task_id is None and not _holds_tasks(X)


def _as_collection(tasks: Any) -> TaskCollection:
    return tasks if isinstance(tasks, TaskCollection) else TaskCollection.from_tasks(tasks)


def _listed(classes: np.ndarray, at_most: int = 10) -> str:
    shown = ", ".join(repr(c) for c in classes[:at_most].tolist())
    return f"[{shown}{', ...' if len(classes) > at_most else ''}]"

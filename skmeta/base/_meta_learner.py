"""The meta-learner contract: `fit` on a collection of tasks, `fit_adapt` to a new one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skmeta.base._exceptions import TrainingDivergedError
from skmeta.base._progress import Progress
from skmeta.base._reading import TableReader, as_collection, is_one_table
from skmeta.tasks import Task, TaskCollection


class BaseMetaLearner(CallbackSupportMixin, TableReader):
    """Base class of meta-learners: estimators whose samples are tasks.

    A subclass also inherits from :class:`MetaClassifierMixin` or :class:`MetaRegressorMixin` (left
    of this class) and writes

    - `_fit_tasks(tasks)`: learn from a collection of tasks, whose rows are numbers and whose
      classes are codes 0, 1, ...;
    - `_adapt(X, y)`: set the attributes that make `self` an estimator for one task, given the rows
      of its support. `self` is a copy then: set new attributes, leave what `_fit_tasks` learned
      untouched. Zero rows stand for "before any support"; they occur only where tasks share their
      target. A learner that can weigh rows has a third parameter, `sample_weight=None`;
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

    Examples
    --------
    A learner that predicts the mean of the support, and before any row that of all training tasks:

    >>> import numpy as np
    >>> from skmeta import BaseMetaLearner, MetaRegressorMixin
    >>> from skmeta.datasets import make_linear_tasks
    >>> class MeanRegressor(MetaRegressorMixin, BaseMetaLearner):
    ...     def _fit_tasks(self, tasks):
    ...         self.grand_mean_ = tasks.y.mean()
    ...
    ...     def _adapt(self, X, y):
    ...         self.mean_ = y.mean() if len(y) else self.grand_mean_
    ...
    ...     def predict(self, X):
    ...         return np.full(len(self._validate_query(X)), self.mean_)
    >>> meta = MeanRegressor().fit(make_linear_tasks(n_tasks=10, random_state=0))
    >>> meta.fit_adapt([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [1.0, 3.0]).predict([[5.0, 0.0, 0.0]])
    array([2.])
    """

    # `task_id` says which task each row of a flat table belongs to.
    __metadata_request__fit = {"task_id": True}
    __metadata_request__partial_fit = {"task_id": True, "classes": True}

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
        progress = self._init_callback_context(max_subtasks=self._n_parts_of_fit)
        progress.call_on_fit_task_begin(estimator=self)
        self.__dict__.pop("n_support_", None)
        tasks = self._read(X, y, task_id, reset=True)
        self._learn_tasks(tasks, self._fit_tasks, is_one_table(X, task_id))
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
        progress = self._init_callback_context(
            task_name="partial_fit", max_subtasks=self._n_parts_of_fit
        )
        progress.call_on_fit_task_begin(estimator=self)
        is_first = not hasattr(self, "shared_target_")
        tasks = self._read(X, y, task_id, reset=is_first, classes=classes)
        learn = self._fit_tasks if is_first else self._partial_fit_tasks
        self._learn_tasks(tasks, learn, is_one_table(X, task_id))
        progress.call_on_fit_task_end(estimator=self)
        return self

    def _learn_tasks(
        self, tasks: TaskCollection, learn: Callable[[TaskCollection], None], is_one_table: bool
    ) -> None:
        """Learn, and adapt to what there is to adapt to."""
        learn(tasks)
        self._adapt_after_fit(tasks, is_one_table)

    def _adapt_after_fit(self, tasks: TaskCollection, is_one_table: bool) -> None:
        """Adapt to the one table that was given; otherwise to nothing, which gives the prior."""
        X, y = tasks.storage
        n_support = len(y) if is_one_table else 0
        if n_support or self.shared_target_:
            self._adapt(X[:n_support], y[:n_support])
            self.n_support_ = n_support

    # ------------------------------------------------------------------ adapting

    def fit_adapt(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Adapt to a new task.

        Parameters
        ----------
        X : array-like or data frame of shape (n_support, n_features)
            The few labelled rows of the new task: its support.
        y : array-like of shape (n_support,) or (n_support, n_outputs)
            Their target.
        sample_weight : array-like of shape (n_support,), default=None
            Weights of the rows, for learners that take them: a row of weight two counts as two
            rows. None weighs all the same.

        Returns
        -------
        model : BaseMetaLearner
            A new estimator for the task. `self` is unchanged, so that several threads may adapt
            from it at once; what was learned from the training tasks is shared, not copied.
        """
        check_is_fitted(self)
        model = self._copy()
        X, y = model._validate_rows(X, y, reset=False)
        options = {}
        if sample_weight is not None:
            weight = self._check_weights(sample_weight, X)
            counts = np.flatnonzero(weight)  # a row of weight zero is no row
            X, y = _safe_indexing(X, counts), y[counts]
            options["sample_weight"] = weight[counts]
        model._adapt(model._transform(X), model._encode_support(y), **options)
        model.n_support_ = len(y)
        return model

    def _check_weights(self, sample_weight: Any, X: Any) -> np.ndarray:
        if "sample_weight" not in signature(self._adapt).parameters:
            raise ValueError(f"{type(self).__name__} does not take sample_weight.")
        return _check_sample_weight(sample_weight, X, ensure_non_negative=True)

    def fit_adapt_many(
        self, tasks: TaskCollection | Sequence[Task], *, on_error: str = "raise"
    ) -> list[Any]:
        """Adapt to many new tasks in one pass.

        Parameters
        ----------
        tasks : TaskCollection or list of Task
            The supports of the new tasks. Where training tasks share their target, a support may
            be empty: its model predicts the prior.
        on_error : {"raise", "warn"}, default="raise"
            What to do where adapting to some of the tasks diverges: raise an error that names
            them, or warn, and adapt to the others.

        Returns
        -------
        models : list of BaseMetaLearner
            One estimator for each task, equal to `fit_adapt` on its rows. With `on_error="warn"`,
            None for a task that adapting diverged on.

        Raises
        ------
        TrainingDivergedError
            If adapting diverged; its attribute `tasks` holds the positions of the tasks.
        """
        check_is_fitted(self)
        if on_error not in ("raise", "warn"):
            raise ValueError(f"on_error must be 'raise' or 'warn', got {on_error!r}.")
        tasks = as_collection(tasks).compact()
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
        adapted = self._adapt_all(models, tasks, on_error)
        for model, size in zip(models, tasks.sizes.tolist(), strict=True):
            model.n_support_ = size
        return adapted

    def _adapt_many(self, models: list[Self], tasks: TaskCollection) -> None:
        """Adapt `models[i]` to task `i`; override it to do so in one pass.

        A :class:`TrainingDivergedError` holds the positions of all tasks that are known to be bad.
        """
        for i, (model, task) in enumerate(zip(models, tasks, strict=True)):
            try:
                model._adapt(task.X, task.y)
            except TrainingDivergedError as error:
                raise TrainingDivergedError(str(error), [i]) from error

    def _adapt_all(self, models: list[Self], tasks: TaskCollection, on_error: str) -> list[Any]:
        """Adapt `models[i]` to task `i`; None stands for tasks that adapting diverged on."""
        adapted: list[Any] = list(models)
        left = np.arange(len(models))
        while len(left):
            some = tasks if len(left) == len(tasks) else tasks[left].compact()
            try:
                self._adapt_many([models[i] for i in left], some)
                break
            except TrainingDivergedError as error:
                if on_error == "raise" or not error.tasks:
                    raise _name_tasks(error, some) from error
                warnings.warn(str(_name_tasks(error, some)), stacklevel=3)
                for i in left[list(error.tasks)]:
                    adapted[i] = None
                left = np.delete(left, list(error.tasks))
        return adapted

    @property
    def _progress(self) -> Progress:
        """What a fit tells of its parts, of which there are `_n_parts_of_fit` at most."""
        return Progress(self, vars(self).get("_callback_fit_ctx"))

    @property
    def _n_parts_of_fit(self) -> int:
        """Parts that `fit` reports to scikit-learn's callbacks, at most; zero if it has none."""
        return 0

    def _copy(self) -> Self:
        """A shallow copy: shares everything learned, owns its attributes."""
        model = object.__new__(type(self))
        model.__dict__ = self.__dict__.copy()  # quicker than an update
        return model


def _name_tasks(error: TrainingDivergedError, tasks: TaskCollection) -> TrainingDivergedError:
    """The same error, whose message names the tasks that adapting diverged on."""
    if not error.tasks:
        return error
    names = ", ".join(str(name) for name in tasks.names[list(error.tasks[:5])])
    more = len(error.tasks) - 5
    return TrainingDivergedError(
        f"Adapting to {len(error.tasks)} of {len(tasks)} tasks diverged: {names}"
        f"{f' and {more} others' if more > 0 else ''}; {error}",
        error.tasks,
    )


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

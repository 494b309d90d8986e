"""Reading what users give: tables and tasks, checked and turned into numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y, validate_data

from skmeta.base._preprocessing import TablePreprocessor
from skmeta.base._tags import MetaLearnerTags
from skmeta.tasks import Task, TaskCollection
from skmeta.tasks._table import as_table, is_frame


class TableReader(BaseEstimator):
    """The part of a meta-learner that turns tasks and tables into numbers and class codes.

    It owns `preprocessor` and what scikit-learn wants to know of the input: number and names of
    features, gaps, types. What a target becomes is up to the mixins for classifiers and regressors.
    """

    _parameter_constraints: ClassVar[dict] = {
        "preprocessor": [StrOptions({"auto"}), HasMethods("transform"), None]
    }
    _shared_docs: ClassVar[dict] = {
        "preprocessor": """
            preprocessor : "auto", None or transformer, default="auto"
                Turns raw rows into numbers; fitted on the rows of the training tasks alone. "auto"
                imputes and standardises numbers and one-hot encodes strings; None takes numbers as
                they are.""",
        "n_support_": """
            n_support_ : int
                Number of rows that the estimator has adapted to; 0 for the prior.""",
        "preprocessor_": """
            preprocessor_ : transformer or None
                The fitted preprocessor.""",
        "shared_target_": """
            shared_target_ : bool
                Whether the target means the same in all tasks.""",
        "common_attributes": """
            {{n_support_}}
            {{preprocessor_}}
            {{shared_target_}}
            n_features_in_ : int
                Number of features seen during `fit`.
            feature_names_in_ : ndarray of shape (n_features_in_,)
                Names of features seen during `fit`, if all were strings.""",
    }

    def _read(
        self, X: Any, y: Any, task_id: Any, *, reset: bool, classes: Any = None
    ) -> TaskCollection:
        """Validate what `fit` was given and turn it into tasks of numbers and class codes."""
        if holds_tasks(X):
            if y is not None or task_id is not None:
                raise ValueError(
                    "X holds tasks, which have their targets: y and task_id must be None."
                )
            tasks = as_collection(X)
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
        # Twice the rows: one row of each class is no reason to warn that y may be a number.
        check_classification_targets(np.tile(y, 2))
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
        made = self._make_auto_preprocessor() if is_auto else clone(self.preprocessor)
        self.preprocessor_ = made.fit(X, y)

    def _make_auto_preprocessor(self) -> TablePreprocessor:
        """What `preprocessor="auto"` stands for."""
        return TablePreprocessor()

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


def holds_tasks(X: Any) -> bool:
    if isinstance(X, TaskCollection):
        return True
    return isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], Task)


def is_one_table(X: Any, task_id: Any) -> bool:
    return task_id is None and not holds_tasks(X)


def as_collection(tasks: Any) -> TaskCollection:
    return tasks if isinstance(tasks, TaskCollection) else TaskCollection.from_tasks(tasks)

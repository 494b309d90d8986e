"""Reading tasks whose columns are their own: as one table, as wide as the widest, with gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from skmeta.base import BaseMetaLearner
from skmeta.base._reading import as_collection, holds_tasks
from skmeta.tasks import Task, TaskCollection

# Each column attends to each other one, in memory that grows with the square of their number.
_MAX_COLUMNS = 1000
_OF_ONE_TABLE = ("n_features_in_", "feature_names_in_", "classes_", "preprocessor_")


class OwnColumnsMixin(BaseMetaLearner):
    """Lets tasks differ in their columns; goes left of the base class.

    Where `fit` is given tasks of different widths, each has a preprocessor and feature names of its
    own, learned from its own rows, and so has a new task: from its support. The target then is a
    task's own, too. To the network, a feature that a task does not have is NaN.
    """

    def _read(
        self, X: Any, y: Any, task_id: Any, *, reset: bool, classes: Any = None
    ) -> TaskCollection:
        if reset:
            self._own_columns = holds_tasks(X) and not as_collection(X).has_equal_widths
        if not self._own_columns:
            return super()._read(X, y, task_id, reset=reset, classes=classes)
        if not holds_tasks(X) or y is not None or task_id is not None:
            raise ValueError(
                "Tasks have columns of their own: X must hold tasks, and y and task_id be None."
            )
        tasks = as_collection(X)
        self._check_tasks(tasks[tasks.sizes > 0])
        self.shared_target_ = False
        for name in _OF_ONE_TABLE:  # what an earlier fit may have left
            self.__dict__.pop(name, None)
        tables = [self._copy()._read_task(task) for task in tasks if task.n_rows]
        self._n_columns = max(len(columns.T) for columns, _ in tables)
        wide = np.concatenate([_widen(columns, self._n_columns) for columns, _ in tables])
        target = np.concatenate([target for _, target in tables])
        sizes = [len(target) for _, target in tables]
        target = self._encode_target(target, reset=True)
        return TaskCollection(wide, target, np.cumsum([0, *sizes]), shared_target=False)

    def _read_task(self, task: Task) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of one task; its classes are codes, as they mean nothing elsewhere."""
        X, y = self._validate_rows(task.X, task.y, reset=True)
        y = np.unique(y, return_inverse=True)[1] if is_classifier(self) else y
        return self._transform(X), y

    def _validate_rows(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, np.ndarray]:
        X, y = super()._validate_rows(X, y, reset=reset or self._own_columns)
        if X.shape[1] > _MAX_COLUMNS:
            raise ValueError(
                f"{type(self).__name__} compares each column with each other one and takes at "
                f"most {_MAX_COLUMNS}: got {X.shape[1]}. Make fewer columns before."
            )
        if self._own_columns:
            self._fit_preprocessor(X, y)
        return X, y

    def fit_adapt_many(
        self, tasks: TaskCollection | Sequence[Task], *, on_error: str = "raise"
    ) -> list[Any]:
        """Adapt to many new tasks.

        Parameters
        ----------
        tasks : TaskCollection or list of Task
            The supports of the new tasks.
        on_error : {"raise", "warn"}, default="raise"
            What to do where adapting to some of the tasks diverges. Where tasks have columns of
            their own it cannot.

        Returns
        -------
        models : list of BaseMetaLearner
            One estimator for each task, equal to `fit_adapt` on its rows.
        """
        if not getattr(self, "_own_columns", False):
            return super().fit_adapt_many(tasks, on_error=on_error)
        tasks = as_collection(tasks)
        self._check_tasks(tasks)
        # Adapting keeps the rows and computes nothing, so there is nothing to batch.
        return [self.fit_adapt(task.X, task.y) for task in tasks]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.task_tags.different_widths = True
        return tags


def _widen(X: np.ndarray, width: int) -> np.ndarray:
    missing = np.full((len(X), width - X.shape[1]), np.nan)
    return np.hstack([X, missing])

"""A collection of tasks: a sequence of small tables, stored as one large one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from skmeta.tasks._flat import Block, FlatTasks
from skmeta.tasks._frames import join_frame, split_frame
from skmeta.tasks._hashing import hash_rows
from skmeta.tasks._layout import (
    check_names,
    check_offsets,
    check_task_id,
    offsets_of,
    runs,
    storage_kind,
)
from skmeta.tasks._table import (
    as_table,
    as_target,
    concatenate,
    take_rows,
)
from skmeta.tasks._task import Task


class TaskCollection(FlatTasks):
    """A sequence of tasks, stored flat: one table of rows and, for each task, where it starts.

    Tasks are *samples*: scikit-learn's splitters and searches slice a collection as they slice
    the rows of an array, and a slice is a collection again. No row is copied for that, so a
    million small tasks cost their bytes, and rows may live in a memory-mapped file.

    Parameters
    ----------
    X : array-like or data frame of shape (n_rows, n_features)
        The rows of all tasks, those of a task next to each other.

    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The target of each row.

    offsets : array-like of shape (n_tasks + 1,)
        Task `i` holds the rows `offsets[i]:offsets[i + 1]`.

    names : array-like of shape (n_tasks,), default=None
        What the tasks are called. By default they are numbered.

    shared_target : bool, default=True
        Whether `y` means the same in every task: the same quantity, the same classes. If False,
        the classes of a task are its own, as in n-way tasks, and nothing can be predicted for a
        new task before its first labelled rows.

    Attributes
    ----------
    shape : tuple (n_tasks,)
    sizes : ndarray of shape (n_tasks,)
        Number of rows of each task.
    widths : ndarray of shape (n_tasks,)
        Number of features of each task.

    See Also
    --------
    make_n_way_tasks : Draw tasks from one labelled pool of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta import TaskCollection
    >>> tasks = TaskCollection.from_arrays(
    ...     X=[[1.0], [2.0], [3.0], [4.0]], y=[1, 2, 3, 4], task_id=["b", "a", "a", "b"]
    ... )
    >>> tasks
    TaskCollection(n_tasks=2, n_rows=4, n_features=1)
    >>> tasks[0]
    Task(name='a', n_rows=2, n_features=1)
    >>> tasks[[1]].y
    array([1, 4])
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        offsets: Any,
        *,
        names: Any = None,
        shared_target: bool = True,
    ):
        X = as_table(X)
        y = as_target(y, X.shape[0])
        offsets = check_offsets(offsets, len(y))
        self._blocks, self._block_of = (Block(X, y),), None
        self._starts, self._sizes = offsets[:-1], np.diff(offsets)
        self._names = check_names(names, len(self._sizes))
        self.shared_target = bool(shared_target)
        self._hashed = None

    # ------------------------------------------------------------------ making one

    @classmethod
    def from_arrays(cls, X: Any, y: Any, task_id: Any, *, shared_target: bool = True) -> Self:
        """Group the rows of one table into tasks.

        Parameters
        ----------
        X : array-like or data frame of shape (n_rows, n_features)
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        task_id : array-like of shape (n_rows,)
            Which task a row belongs to. Tasks are sorted by it; the rows of a task keep their
            order.
        shared_target : bool, default=True
            Whether `y` means the same in every task.

        Returns
        -------
        tasks : TaskCollection
            Rows are copied only if those of some task are not next to each other.
        """
        X = as_table(X)
        y = as_target(y, X.shape[0])
        task_id = check_task_id(task_id, len(y))
        starts, names = runs(task_id)
        order = np.argsort(names, kind="stable")
        if np.any(names[order][1:] == names[order][:-1]):  # some task's rows are scattered
            rows = np.argsort(task_id, kind="stable")
            X, y, task_id = take_rows(X, rows), y[rows], task_id[rows]
            starts, names = runs(task_id)
            order = np.arange(len(names))
        sizes = np.diff(np.append(starts, len(y)))
        return cls._from_blocks(
            (Block(X, y),), None, starts[order], sizes[order], names[order], shared_target
        )

    @classmethod
    def from_frame(cls, df: Any, *, target: Any, task: str, shared_target: bool = True) -> Self:
        """Group the rows of a data frame into tasks.

        Parameters
        ----------
        df : data frame (pandas, polars or any that narwhals knows)
        target : str or list of str
            Name of the target's column, or names for several outputs.
        task : str
            Name of the column that says which task a row belongs to. It is not a feature.
        shared_target : bool, default=True
            Whether the target means the same in every task.

        Returns
        -------
        tasks : TaskCollection
            Its `X` is a frame of the same kind with the remaining columns.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmeta import TaskCollection
        >>> df = pd.DataFrame({"patient": [1, 1, 2], "age": [50, 51, 33], "y": [0.1, 0.3, 0.2]})
        >>> TaskCollection.from_frame(df, target="y", task="patient")
        TaskCollection(n_tasks=2, n_rows=3, n_features=1)
        """
        X, y, task_id = split_frame(df, target, task)
        return cls.from_arrays(X, y, task_id, shared_target=shared_target)

    @classmethod
    def from_tasks(cls, tasks: Iterable[Task], *, shared_target: bool | None = None) -> Self:
        """Collect tasks, possibly with different numbers of features.

        Parameters
        ----------
        tasks : iterable of Task
        shared_target : bool, default=None
            Whether the target means the same in every task. By default it does if all tasks have
            the same columns.

        Returns
        -------
        tasks : TaskCollection
        """
        tasks = list(tasks)
        for i, task in enumerate(tasks):
            if not isinstance(task, Task):
                raise TypeError(f"Expected tasks, got {type(task).__name__} at position {i}.")
        if not tasks:
            raise ValueError("Found no task: a collection needs at least one.")
        kinds: dict[tuple, list[int]] = {}
        for i, task in enumerate(tasks):
            kinds.setdefault(storage_kind(task), []).append(i)
        block_of, starts = np.zeros(len(tasks), dtype=np.int64), np.zeros(len(tasks), np.int64)
        sizes = np.array([task.n_rows for task in tasks], dtype=np.int64)
        blocks = []
        for b, members in enumerate(kinds.values()):
            block_of[members], starts[members] = b, offsets_of(sizes[members])[:-1]
            blocks.append(
                Block(
                    concatenate([tasks[i].X for i in members]),
                    np.concatenate([tasks[i].y for i in members]),
                )
            )
        if shared_target is None:
            shared_target = len(blocks) == 1
        names = [i if task.name is None else task.name for i, task in enumerate(tasks)]
        return cls._from_blocks(
            tuple(blocks),
            block_of if len(blocks) > 1 else None,
            starts,
            sizes,
            check_names(names, len(tasks)),
            shared_target,
        )

    # ------------------------------------------------------------------ the same tasks otherwise

    def compact(self) -> TaskCollection:
        """The same tasks in a storage that holds their rows and no others, in task order."""
        if not self.has_equal_widths or self._is_stored_in_order():
            return self
        return TaskCollection(
            self.X, self.y, self.offsets, names=self.names, shared_target=self.shared_target
        )

    def with_storage(self, X: Any = None, y: Any = None) -> Self:
        """The same tasks with other values in their rows.

        Parameters
        ----------
        X : array or data frame with one row for each row of `storage`, default=None
            Replaces the stored `X`; the number of features may change.
        y : array with one row for each row of `storage`, default=None
            Replaces the stored `y`.

        Returns
        -------
        tasks : TaskCollection
            Draws of support and query rows from it are those from the original.
        """
        old_X, old_y = self.storage
        X = old_X if X is None else as_table(X)
        block = Block(X, as_target(old_y if y is None else y, X.shape[0]))
        if len(block.y) != len(old_y):
            raise ValueError(f"The storage has {len(old_y)} rows, got {len(block.y)}.")
        changed = self._select(slice(None))
        changed._blocks, changed._block_of = (block,), None
        changed._hashed = self._hashed or self._only_block("storage")
        return changed

    def row_hashes(self) -> np.ndarray:
        """A number for each stored row, a function of its original values alone."""
        block = self._hashed or self._only_block("storage")
        return hash_rows(block.X, block.y)

    # ------------------------------------------------------------------ out again

    def to_frame(self, *, target: Any = "y", task: str = "task", backend: Any = None) -> Any:
        """All rows as one data frame, with a column for the task and one for the target.

        Parameters
        ----------
        target : str or list of str, default="y"
            Name of the target's column, or names for several outputs.
        task : str, default="task"
            Name of the column that holds the task's name.
        backend : {"pandas", "polars", "pyarrow"}, default=None
            Kind of frame. By default the kind that the rows are stored in, or pandas.

        Returns
        -------
        df : data frame of shape (n_rows, 1 + n_outputs + n_features)

        Examples
        --------
        >>> from skmeta import TaskCollection
        >>> tasks = TaskCollection.from_arrays([[1.0], [2.0]], [3, 4], ["a", "b"])
        >>> tasks.to_frame()
          task  y   x0
        0    a  3  1.0
        1    b  4  2.0
        """
        task_id = np.repeat(self.names, self.sizes)
        return join_frame(self.X, self.y, task_id, target=target, task=task, backend=backend)

    def __reduce__(self):
        # A slice pickles its own rows, not the whole table it looks into.
        compact = self.compact()
        state = (
            compact._blocks,
            compact._block_of,
            compact._starts,
            compact._sizes,
            compact._names,
            compact.shared_target,
        )
        return TaskCollection._from_blocks, state

    def __repr__(self) -> str:
        widths = self.widths
        low, high = (widths.min(), widths.max()) if len(self) else (0, 0)
        n_features = f"{low}" if low == high else f"{low} to {high}"
        return (
            f"{type(self).__name__}(n_tasks={len(self)}, n_rows={self.n_rows}, "
            f"n_features={n_features})"
        )

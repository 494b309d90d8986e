"""A collection of tasks: a sequence of small tables, stored as one large one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np

from skmeta.tasks._hashing import hash_rows
from skmeta.tasks._layout import (
    check_names,
    check_offsets,
    check_selection,
    check_task_id,
    offsets_of,
    runs,
    storage_kind,
)
from skmeta.tasks._table import (
    as_table,
    as_target,
    concatenate,
    is_frame,
    take_rows,
)
from skmeta.tasks._task import Task


@dataclass(frozen=True, eq=False)
class _Block:
    """Rows that can be stored on top of one another: same columns, same kind of target."""

    X: Any
    y: np.ndarray


class TaskCollection(Sequence):
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
        self._blocks: tuple[_Block, ...] = (_Block(X, y),)
        self._block_of: np.ndarray | None = None  # only where there are several blocks
        self._starts, self._sizes = offsets[:-1], np.diff(offsets)
        self._names = check_names(names, len(self._sizes))
        self.shared_target = bool(shared_target)
        self._hashed: _Block | None = None

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
            (_Block(X, y),), None, starts[order], sizes[order], names[order], shared_target
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
        if not is_frame(df):
            raise TypeError(f"df must be a data frame, got {type(df).__name__}.")
        frame = nw.from_native(as_table(df, "df"))
        targets = [target] if isinstance(target, str) else list(target)
        missing = [name for name in [*targets, task] if name not in frame.columns]
        if missing:
            raise ValueError(
                f"df has no column named {', '.join(map(repr, missing))}; it has "
                f"{', '.join(map(repr, frame.columns))}."
            )
        y = frame.get_column(target) if isinstance(target, str) else frame.select(targets)
        X = frame.drop([*targets, task]).to_native()
        task_id = frame.get_column(task).to_numpy()
        return cls.from_arrays(X, y.to_numpy(), task_id, shared_target=shared_target)

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
                _Block(
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

    @classmethod
    def _from_blocks(
        cls,
        blocks: tuple[_Block, ...],
        block_of: np.ndarray | None,
        starts: np.ndarray,
        sizes: np.ndarray,
        names: np.ndarray,
        shared_target: bool,
        hashed: _Block | None = None,
    ) -> Self:
        self = cls.__new__(cls)
        self._blocks, self._block_of = blocks, block_of
        self._starts, self._sizes, self._names = starts, sizes, names
        self.shared_target, self._hashed = shared_target, hashed
        return self

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
        block = _Block(X, as_target(old_y if y is None else y, X.shape[0]))
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

    # ------------------------------------------------------------------ a sequence of tasks

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, key):
        """Task number `key`, or the collection of the tasks that a slice, index or mask selects."""
        if isinstance(key, tuple):  # scikit-learn indexes `tasks[key, ...]`
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError(f"A collection of tasks has one axis, got the index {key!r}.")
            key = key[0]
        if isinstance(key, int | np.integer):
            return self._task(self._check_index(key))
        return self._select(key if isinstance(key, slice) else check_selection(key, len(self)))

    def __iter__(self) -> Iterator[Task]:
        return (self._task(i) for i in range(len(self)))

    def _task(self, i: int) -> Task:
        block = self._block(i)
        rows = slice(int(self._starts[i]), int(self._starts[i] + self._sizes[i]))
        name = self._names[i]
        return Task(
            take_rows(block.X, rows),
            block.y[rows],
            name.item() if isinstance(name, np.generic) else name,
        )

    def _block(self, i: int) -> _Block:
        return self._blocks[0 if self._block_of is None else self._block_of[i]]

    def _select(self, key: slice | np.ndarray) -> Self:
        return self._from_blocks(
            self._blocks,
            None if self._block_of is None else self._block_of[key],
            self._starts[key],
            self._sizes[key],
            self._names[key],
            self.shared_target,
            self._hashed,
        )

    def _check_index(self, i: int) -> int:
        if not -len(self) <= i < len(self):
            raise IndexError(f"There is no task {i} in a collection of {len(self)}.")
        return int(i) % len(self)

    # ------------------------------------------------------------------ a flat table of rows

    @property
    def shape(self) -> tuple[int]:
        """Tuple of the number of tasks: to scikit-learn, tasks are samples."""
        return (len(self),)

    @property
    def n_rows(self) -> int:
        """Number of rows of all tasks together."""
        return int(self.sizes.sum())

    @property
    def sizes(self) -> np.ndarray:
        """Number of rows of each task, of shape (n_tasks,)."""
        return self._sizes

    @property
    def names(self) -> np.ndarray:
        """What the tasks are called, of shape (n_tasks,)."""
        return self._names

    @property
    def offsets(self) -> np.ndarray:
        """Rows `offsets[i]:offsets[i + 1]` of `X` and `y` are those of task `i`."""
        return offsets_of(self.sizes)

    @property
    def row_task(self) -> np.ndarray:
        """Position of the task that each row of `X` and `y` belongs to, of shape (n_rows,)."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def widths(self) -> np.ndarray:
        """Number of features of each task, of shape (n_tasks,)."""
        widths = np.array([block.X.shape[1] for block in self._blocks])
        return np.repeat(widths, len(self)) if self._block_of is None else widths[self._block_of]

    @property
    def n_features(self) -> int:
        """Number of features that every task has.

        Raises
        ------
        ValueError
            If tasks have different widths.
        """
        return self._only_block("number of features").X.shape[1]

    @property
    def X(self) -> Any:
        """The rows of all tasks, in task order: an array or frame of shape (n_rows, n_features).

        Not copied where they are stored in this order already. Raises a ValueError if tasks have
        different widths.
        """
        X = self._only_block("table of rows").X
        return X if self._is_stored_in_order() else take_rows(X, self.row_index())

    @property
    def y(self) -> np.ndarray:
        """The target of each row of `X`, of shape (n_rows,) or (n_rows, n_outputs)."""
        y = self._only_block("target").y
        return y if self._is_stored_in_order() else y[self.row_index()]

    @property
    def default_split(self) -> tuple[int, int]:
        """Rows of a task that serve as support, and at most as query, unless a learner says so."""
        return 10, 20

    @property
    def has_equal_widths(self) -> bool:
        """Whether all tasks have the same columns."""
        return self._block_of is None or len(np.unique(self._block_of)) == 1

    def row_index(self, tasks: np.ndarray | None = None) -> np.ndarray:
        """Where the rows of the given tasks are stored, one task after the other.

        Parameters
        ----------
        tasks : ndarray of int, default=None
            Positions of the tasks; all by default.

        Returns
        -------
        rows : ndarray of int
            Row numbers in `storage`.
        """
        starts = self._starts if tasks is None else self._starts[tasks]
        sizes = self._sizes if tasks is None else self._sizes[tasks]
        offsets = offsets_of(sizes)
        return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)

    @property
    def storage(self) -> tuple[Any, np.ndarray]:
        """The stored `X` and `y` that `row_index` refers to; they may hold other tasks' rows."""
        block = self._only_block("storage")
        return block.X, block.y

    def _only_block(self, what: str) -> _Block:
        if self.has_equal_widths:
            return self._blocks[0 if self._block_of is None or not len(self) else self._block_of[0]]
        widths = self.widths
        raise ValueError(
            f"These tasks have no common {what}: they have different columns "
            f"({widths.min()} to {widths.max()} features). Use a learner that accepts tasks of "
            "different widths, or give every task the same columns."
        )

    def _is_stored_in_order(self) -> bool:
        n_stored = len(self._only_block("storage").y)
        return self.n_rows == n_stored and np.array_equal(self._starts, self.offsets[:-1])

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
        X, y = self.X, self.y
        y = y.reshape(len(y), -1)
        targets = [target] if isinstance(target, str) else list(target)
        if len(targets) != y.shape[1]:
            raise ValueError(f"target must name {y.shape[1]} column(s), got {targets!r}.")
        features = nw.from_native(X).to_dict(as_series=False) if is_frame(X) else None
        if features is None:
            features = {f"x{j}": column for j, column in enumerate(np.asarray(X).T)}
        if backend is None:
            backend = nw.get_native_namespace(X).__name__ if is_frame(X) else "pandas"
        data = {task: np.repeat(self.names, self.sizes)}
        data |= dict(zip(targets, y.T, strict=True)) | features
        return nw.from_dict(data, backend=backend).to_native()

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

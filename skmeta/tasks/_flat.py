"""Tasks as runs of the rows of one table: a sequence of tasks, and a flat view of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from skmeta.tasks._layout import check_selection, offsets_of
from skmeta.tasks._table import take_rows
from skmeta.tasks._task import Task


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that can be stored on top of one another: same columns, same kind of target."""

    X: Any
    y: np.ndarray


class FlatTasks(Sequence):
    """The part of a collection that finds the rows of tasks: one by one, or of many at once.

    Tasks of different columns lie in different blocks; nearly always there is one.
    """

    shared_target: bool

    _blocks: tuple[Block, ...]
    _block_of: np.ndarray | None  # only where there are several blocks
    _starts: np.ndarray
    _sizes: np.ndarray
    _names: np.ndarray
    _hashed: Block | None  # the rows that draws depend on, where the values have changed since

    @classmethod
    def _from_blocks(
        cls,
        blocks: tuple[Block, ...],
        block_of: np.ndarray | None,
        starts: np.ndarray,
        sizes: np.ndarray,
        names: np.ndarray,
        shared_target: bool,
        hashed: Block | None = None,
    ) -> Self:
        self = cls.__new__(cls)
        self._blocks, self._block_of = blocks, block_of
        self._starts, self._sizes, self._names = starts, sizes, names
        self.shared_target, self._hashed = shared_target, hashed
        return self

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

    def _block(self, i: int) -> Block:
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

    def _only_block(self, what: str) -> Block:
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

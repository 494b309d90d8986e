"""Rows of all tasks in an order that does not depend on how they were stored."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.tasks import TaskCollection
from skmeta.tasks._hashing import combine

Array = NDArray[np.floating]


class RowTable(NamedTuple):
    """Sorted rows.

    What is drawn from it, and how sums are rounded, then does not either.
    """

    X: Array
    y: np.ndarray
    row_task: NDArray[np.intp]
    place: NDArray[np.intp]  # where the row was stored in its task

    @classmethod
    def from_tasks(cls, tasks: TaskCollection, seed: int) -> RowTable:
        """Sort tasks and their rows by numbers that depend on the seed and on what they hold."""
        keys = combine(seed, tasks.row_hashes()[tasks.row_index()])
        of_task = np.add.reduceat(keys, tasks.offsets[:-1])
        order = np.lexsort((keys, of_task[tasks.row_task]))
        place = np.arange(len(order)) - np.repeat(tasks.offsets[:-1], tasks.sizes)
        changes = np.diff(tasks.row_task[order]) != 0
        row_task = np.concatenate([np.zeros(1, dtype=np.intp), np.cumsum(changes)])
        return cls(tasks.X[order], tasks.y[order], row_task, place[order])

    def row_lists(self, as_stored: bool = False) -> list[NDArray[np.intp]]:
        """Row numbers of each task, in this order or in that of storage."""
        order = np.lexsort((self.place, self.row_task)) if as_stored else np.arange(len(self.y))
        return np.split(order, np.flatnonzero(np.diff(self.row_task)) + 1)

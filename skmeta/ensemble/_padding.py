"""Tasks of about the same size as padded stacks, so that one call of LAPACK serves many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

# Tasks in a stack at most; a stack's padding makes no task more than this factor longer.
_MAX_STACK, _MAX_GROWTH = 128, 1.3


class Stack(NamedTuple):
    """Rows of some tasks, by number, and which of them are not padding."""

    tasks: NDArray[np.intp]  # (n_tasks,)
    rows: NDArray[np.intp]  # (n_tasks, length)
    inside: NDArray[np.bool_]  # (n_tasks, length)


def stacks(row_lists: list[NDArray[np.intp]]) -> Iterator[Stack]:
    """Sort tasks by size and stack neighbours.

    Parameters
    ----------
    row_lists : list of ndarray of int
        Row numbers of each task; those without rows are left out.

    Yields
    ------
    stack : Stack
        Padding repeats a task's first row.
    """
    sizes = np.array([len(rows) for rows in row_lists], dtype=np.intp)
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0]
    while len(order):
        limit = max(sizes[order[0]] * _MAX_GROWTH, sizes[order[0]] + 2)
        count = min(int(np.searchsorted(sizes[order], limit, side="right")), _MAX_STACK)
        tasks, order = order[:count], order[count:]
        length = int(sizes[tasks].max())
        inside = np.arange(length) < sizes[tasks, None]
        rows = np.stack([np.resize(row_lists[t], length) for t in tasks])
        yield Stack(tasks, np.where(inside, rows, rows[:, :1]), inside)

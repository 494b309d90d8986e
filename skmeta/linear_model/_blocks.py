"""Working on many tasks or rows at once in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Working arrays hold about this many floats (32 MiB), however many there are.
BLOCK = 2**22


def blocks(n_items: int, n_floats: int) -> Iterator[slice]:
    """Slices of items that need `n_floats` each and fit a block together."""
    per_block = max(1, BLOCK // max(1, n_floats))
    for start in range(0, n_items, per_block):
        yield slice(start, start + per_block)


def padded_rows(
    offsets: NDArray[np.intp], width: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]]:
    """Blocks of tasks of similar length, whose rows need `width` floats each.

    Parameters
    ----------
    offsets : ndarray of int of shape (n_tasks + 1,)
        Task ``t`` is the rows ``offsets[t]:offsets[t + 1]``. Empty tasks are left out.
    width : int
        Floats that a row needs.

    Yields
    ------
    tasks : ndarray of int of shape (n_block,)
        Numbers of the tasks.
    rows : ndarray of int of shape (n_block, length)
        Numbers of their rows; 0 in the padding.
    inside : ndarray of bool of shape (n_block, length)
        False in the padding.
    """
    n_rows = np.diff(offsets)
    octave = np.frexp(n_rows)[1]
    for power in np.unique(octave[n_rows > 0]):
        similar = np.flatnonzero(octave == power)
        length = n_rows[similar].max()
        for block in blocks(len(similar), length * width):
            tasks = similar[block]
            inside = np.arange(length) < n_rows[tasks, None]
            yield tasks, np.where(inside, offsets[tasks, None] + np.arange(length), 0), inside

"""Episodes: rows of training tasks, with the trees that were grown without them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.tree._growing import Committee, Table
from skmeta.tree._process import Rows

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# More tasks, or more rows of a task, would cost more time than they gain.
MAX_TASKS = 80
MAX_EPISODES = 160  # there is one for each task and class
MAX_ROWS = 25


class Episodes(NamedTuple):
    """Rows of training tasks, padded, and which nodes they share in trees grown without them."""

    rows: Index  # (n_tasks, n_rows), of the table
    inside: Array  # (n_tasks, n_rows)
    kernels: Array  # (n_tasks, n_rows, n_rows, n_levels), share of trees
    n_support: int = 0  # the first columns of `rows` are the first rows of each task

    def up_to(self, depth: int) -> Episodes:
        """The same in trees that are cut at a depth."""
        return self._replace(kernels=np.ascontiguousarray(self.kernels[..., : depth + 1]))

    def stack(self, targets: Array, prior: Array) -> tuple[Array, Rows]:
        """One episode for each task and output, as kernels and rows."""
        n_outputs = targets.shape[1]
        y, f = (np.concatenate([c[self.rows] for c in table.T]) for table in (targets, prior))
        inside = np.tile(self.inside, (n_outputs, 1))
        kernels = np.concatenate([self.kernels] * n_outputs)
        return kernels, Rows(np.where(inside > 0, y, 0.0), np.where(inside > 0, f, 0.0), inside)


def make_episodes(
    table: Table, committee: Committee, n_levels: int, n_support: int = 0
) -> Episodes:
    """Collect some rows of some tasks, and the nodes that they share.

    Parameters
    ----------
    table : Table
        Rows of a task come in the order of time, or in one that depends on their contents alone.
    committee : Committee
    n_levels : int
    n_support : int, default=0
        So many first rows of a task are taken, and then others, spread evenly over the rest.

    Returns
    -------
    episodes : Episodes
        Of tasks that some tree has not seen and that have more than `n_support` rows.
    """
    sizes = np.bincount(table.task, minlength=table.n_tasks)
    least = n_support + 1 if n_support else 0
    tasks = np.flatnonzero(~committee.has_seen.all(axis=0) & (sizes >= least))
    n_tasks = min(len(tasks), MAX_TASKS, MAX_EPISODES // table.targets.shape[1])
    tasks = tasks[np.linspace(0, len(tasks) - 1, n_tasks).round().astype(int)]
    position, inside = _positions(sizes[tasks], n_support)
    starts = np.cumsum(sizes) - sizes
    rows = np.where(inside, starts[tasks, None] + position, 0)
    length = rows.shape[1]
    kernels = np.zeros((len(tasks), length, length, n_levels))
    n_unseen = np.zeros(len(tasks))
    for nodes, leaves, seen in zip(
        committee.nodes, committee.leaves, committee.has_seen[:, tasks], strict=True
    ):
        # (n_tasks, n_rows, n_levels of this tree)
        path = nodes.ancestors[leaves[rows[~seen]]][..., :n_levels]
        is_shared = (path[:, :, None] == path[:, None]) & (path[:, :, None] >= 0)
        kernels[~seen, :, :, : path.shape[2]] += is_shared
        n_unseen += ~seen
    kernels /= n_unseen[:, None, None, None]
    return Episodes(rows, inside.astype(float), kernels, n_support)


def _positions(sizes: Index, n_support: int) -> tuple[Index, NDArray[np.bool_]]:
    """Which rows of each task to take, and which of them there are."""
    n_later = np.maximum(sizes - n_support, 0)[:, None]
    taken = np.minimum(n_later, MAX_ROWS)
    number = np.arange(taken.max(initial=0))
    later = n_support + number * n_later // np.maximum(taken, 1)
    first = np.broadcast_to(np.arange(n_support), (len(sizes), n_support))
    inside = np.hstack([first < sizes[:, None], number < taken])
    return np.hstack([first, later]), inside

"""Growing trees on the rows of all tasks, so that they separate what generalises."""

from __future__ import annotations

from copy import copy
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from skmeta.tree._nodes import Nodes, as_single

Array = NDArray[np.floating]
Index = NDArray[np.intp]


class Settings(NamedTuple):
    """How to grow a tree: parameters of scikit-learn's trees, and of :func:`node_means`."""

    max_depth: int
    min_samples_leaf: int
    max_features: float | None = None
    splitter: str = "best"
    smoothing: float = 0.0

    def make_tree(self, seed: int) -> DecisionTreeRegressor:
        """An unfitted tree."""
        parameters = self._asdict()
        del parameters["smoothing"]
        return DecisionTreeRegressor(**parameters, random_state=seed)


class Table(NamedTuple):
    """The rows of the training tasks, task by task."""

    X: Array  # (n_rows, n_columns)
    targets: Array  # (n_rows, n_outputs): numbers, or an indicator of each class
    task: Index  # (n_rows,)
    n_tasks: int
    is_classes: bool


class Committee(NamedTuple):
    """Trees, each of which has seen some of the training tasks."""

    trees: list[DecisionTreeRegressor]
    nodes: list[Nodes]
    has_seen: NDArray[np.bool_]  # (n_trees, n_tasks)
    leaves: Index  # (n_trees, n_rows), of the training rows
    task_levels: Array  # (n_tasks, n_outputs), what was taken off the targets

    def unseen_values(self, table: Table, depth: int | None = None) -> Array:
        """Mean prediction of the trees that have not seen a row's task.

        Parameters
        ----------
        table : Table
            The rows that the trees were grown on.
        depth : int or None, default=None
            Depth to cut the trees at.

        Returns
        -------
        values : ndarray of shape (n_rows, n_outputs)
            NaN where all trees have seen the task.
        """
        total, n_trees = np.zeros_like(table.targets), np.zeros(len(table.X))
        for nodes, leaves, seen in zip(self.nodes, self.leaves, self.has_seen, strict=True):
            rows = ~seen[table.task]
            total[rows] += nodes.values[cut(nodes, leaves[rows], depth)]
            n_trees += rows
        with np.errstate(invalid="ignore"):
            return total / n_trees[:, None]

    def smoothed(self, table: Table, smoothing: float) -> Committee:
        """The same trees with the means of :func:`node_means` as values.

        Values of classes are frequencies, whatever was taken off the targets to grow the trees.
        """
        targets = table.targets
        if not table.is_classes:
            targets = targets - self.task_levels[table.task]
        smoothed = []
        for nodes, leaves, seen in zip(self.nodes, self.leaves, self.has_seen, strict=True):
            rows = seen[table.task]
            smoothed.append(copy(nodes))
            smoothed[-1].values = node_means(nodes, leaves[rows], targets[rows], smoothing)
        return self._replace(nodes=smoothed)

    def with_levels(self, table: Table, smoothing: float) -> Committee:
        """The same trees with means of the whole targets as values."""
        uncentered = self._replace(task_levels=np.zeros_like(self.task_levels))
        return uncentered.smoothed(table, smoothing)


def cut(nodes: Nodes, leaves: Index, depth: int | None) -> Index:
    """The nodes that rows end in if the tree is cut at a depth."""
    if depth is None or depth >= len(nodes.levels) - 1:
        return leaves
    return nodes.ancestors[leaves, np.minimum(nodes.depth[leaves], depth)]


def grow(
    table: Table,
    has_seen: NDArray[np.bool_],
    settings: Settings,
    *,
    center: bool,
    seed: int,
    n_jobs: int | None = None,
) -> Committee:
    """Grow trees on some of the tasks each.

    Parameters
    ----------
    table : Table
    has_seen : ndarray of bool of shape (n_trees, n_tasks)
        Which tasks each tree is grown on.
    settings : Settings
    center : bool
        Whether to take the tasks' own levels off the targets first, as RE-EM trees do [1]_: trees
        grown on raw targets spend their splits on telling tasks apart. The level of a task is its
        mean residual from the trees that have not seen it, shrunken by its reliability.
    seed : int
    n_jobs : int or None, default=None
        Threads.

    Returns
    -------
    committee : Committee

    References
    ----------
    .. [1] Sela & Simonoff (2012). RE-EM trees: a data mining approach for longitudinal and
       clustered data. Mach. Learn. 86, 169-207.
    """
    levels = np.zeros((table.n_tasks, table.targets.shape[1]))
    committee = plant(table, has_seen, settings, levels, seed=seed, n_jobs=n_jobs)
    if not center:
        return committee
    residual = table.targets - committee.unseen_values(table)
    levels = np.column_stack([task_levels(r, table.task, table.n_tasks) for r in residual.T])
    return plant(table, has_seen, settings, levels, seed=seed, n_jobs=n_jobs)


def plant(
    table: Table,
    has_seen: NDArray[np.bool_],
    settings: Settings,
    levels: Array,
    *,
    seed: int,
    n_jobs: int | None = None,
) -> Committee:
    """Grow trees on some of the tasks each, with given levels of the tasks taken off the targets.

    Parameters
    ----------
    table : Table
    has_seen : ndarray of bool of shape (n_trees, n_tasks)
    settings : Settings
    levels : ndarray of shape (n_tasks, n_outputs)
    seed : int
    n_jobs : int or None, default=None

    Returns
    -------
    committee : Committee
    """
    X = as_single(table.X)

    def one(number: int, seen: NDArray[np.bool_]) -> tuple[DecisionTreeRegressor, Nodes, Index]:
        rows = seen[table.task]
        targets = table.targets[rows] - levels[table.task[rows]]
        tree = settings.make_tree(seed + number).fit(X[rows], targets)
        nodes = Nodes(tree.tree_)
        return tree, nodes, nodes.apply(X)

    planted = Parallel(n_jobs, prefer="threads")(
        delayed(one)(number, seen) for number, seen in enumerate(has_seen)
    )
    trees, nodes, leaves = zip(*planted, strict=True)
    committee = Committee(list(trees), list(nodes), has_seen, np.array(leaves), levels)
    return committee.smoothed(table, settings.smoothing)


def node_means(nodes: Nodes, leaves: Index, targets: Array, smoothing: float) -> Array:
    """Mean of the targets at each node, shrunken along the path to the root [1]_.

    Parameters
    ----------
    nodes : Nodes
    leaves : ndarray of int of shape (n_rows,)
    targets : ndarray of shape (n_rows, n_outputs)
    smoothing : float
        Number of rows with the parent's mean that are added to each node.

    Returns
    -------
    means : ndarray of shape (n_nodes, n_outputs)

    References
    ----------
    .. [1] Agarwal, Tan, Ronen, Singh & Yu (2022). Hierarchical shrinkage: improving the accuracy
       and interpretability of tree-based models. ICML.
    """
    sizes = np.bincount(leaves, minlength=len(nodes)).astype(np.float64)[:, None]
    sums = np.column_stack([np.bincount(leaves, column, len(nodes)) for column in targets.T])
    for level in nodes.levels[:0:-1]:
        np.add.at(sizes, nodes.parent[level], sizes[level])
        np.add.at(sums, nodes.parent[level], sums[level])
    means = sums / sizes
    for level in nodes.levels[1:]:
        above = smoothing * means[nodes.parent[level]]
        means[level] = (sums[level] + above) / (sizes[level] + smoothing)
    return means


def task_levels(residual: Array, task: Index, n_tasks: int) -> Array:
    """Random intercepts of tasks, with variances by the analysis of variance.

    Parameters
    ----------
    residual : ndarray of shape (n_rows,)
        NaN for rows to leave out.
    task : ndarray of int of shape (n_rows,)
    n_tasks : int

    Returns
    -------
    levels : ndarray of shape (n_tasks,)
        Best linear unbiased predictions; 0 where tasks do not differ more than rows.
    """
    known = ~np.isnan(residual)
    residual, task = residual[known], task[known]
    sizes = np.bincount(task, minlength=n_tasks)
    mean = np.bincount(task, residual, n_tasks) / np.maximum(sizes, 1)
    n_free = len(residual) - np.count_nonzero(sizes)
    if n_free == 0:  # one row a task: levels and noise cannot be told apart
        return np.zeros(n_tasks)
    noise = np.sum((residual - mean[task]) ** 2) / n_free
    some = sizes > 0
    between = np.mean(mean[some] ** 2) - noise * np.mean(1 / sizes[some])
    if between <= 0:
        return np.zeros(n_tasks)
    return mean * sizes * between / (sizes * between + noise)

"""What a support says of other rows of its task, as columns for trees.

A process adds up what support rows say by one kernel. Trees that see the sums themselves, in two
measures of likeness, and what the processes made of them, learn where these err.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from skmeta.ensemble._pooled import Rows, folds
from skmeta.tree._nodes import as_single

Array = NDArray[np.floating]

# Trees whose leaves tell which rows are alike; rows of a leaf at least.
_N_TREES, _LEAST_LEAF = 40, 5
# A sum of residuals is divided by its weights and this much more, which shrinks it to zero.
_SHRINK_ALL, _SHRINK_NEAR = 3.0, 0.5
# Pairs of rows that the width of the bell-shaped likeness is taken from.
_N_PAIRS = 500


class View(NamedTuple):
    """Rows, as likeness is measured on them."""

    leaves: NDArray[np.integer]  # (n_rows, n_trees)
    dense: Array  # (n_rows, n_columns)

    def take(self, rows: NDArray[np.intp]) -> View:
        """Some of the rows."""
        return View(self.leaves[rows], self.dense[rows])


class Likeness:
    """How alike two rows are, by the leaves of a forest that they share, and by distance.

    Parameters
    ----------
    n_classes : int or None
        None for numbers.
    seed : int
        Seed of the forest.
    """

    def __init__(self, n_classes: int | None, seed: int) -> None:
        kind = ExtraTreesRegressor if n_classes is None else ExtraTreesClassifier
        self.forest = kind(_N_TREES, min_samples_leaf=_LEAST_LEAF, random_state=seed)
        self.seed = seed

    def fit(self, rows: Rows, y: np.ndarray, row_task: NDArray[np.intp]) -> View:
        """Grow the forest, and learn what distance is large.

        Returns
        -------
        view : View
            The training rows, in forests that have not seen their task: one that has seen a row's
            target puts it among rows of like target.
        """
        X = as_single(rows.trees)
        leaves = np.empty((len(X), _N_TREES), dtype=np.intp)
        for train, held in folds(row_task):
            leaves[held] = _leaves(clone(self.forest).fit(X[train], y[train]), X[held])
        self.forest.fit(X, y)
        pairs = np.random.default_rng(self.seed).integers(0, len(y), (2, _N_PAIRS))
        squares = np.sum((rows.dense[pairs[0]] - rows.dense[pairs[1]]) ** 2, axis=1)
        self.width = float(np.median(squares)) / 2 or 1.0
        return View(leaves, rows.dense)

    def view(self, rows: Rows) -> View:
        """Rows of a new task."""
        return View(_leaves(self.forest, as_single(rows.trees)), rows.dense)

    def __call__(self, query: View, support: View) -> list[Array]:
        """Likenesses between 0 and 1, each of shape (n_query, n_support)."""
        shared = np.mean(query.leaves[:, None] == support.leaves[None], axis=2)
        squares = np.sum((query.dense[:, None] - support.dense[None]) ** 2, axis=2)
        return [shared, np.exp(-squares / self.width)]


class Support(NamedTuple):
    """Rows of a support, and how far the pooled model was off."""

    view: View
    target: Array  # (n_support, n_targets)
    residual: Array  # (n_support, n_outputs)


def summarise(support: Support, query: View, likeness: Likeness) -> Array:
    """Columns for the query rows of one task.

    Parameters
    ----------
    support : Support
        At least one row.
    query : View
    likeness : Likeness

    Returns
    -------
    columns : ndarray of shape (n_query, n_columns)
        The number of support rows, their mean target and shrunken residual; for each likeness the
        residual near a row, how much support is near, and residual and target of the nearest row.
    """
    target, residual = support.target, support.residual
    k = len(target)
    of_task = [[np.log1p(k)], target.mean(axis=0), residual.sum(axis=0) / (k + _SHRINK_ALL)]
    columns = [np.tile(np.concatenate(of_task), (len(query.leaves), 1))]
    for near in likeness(query, support.view):
        mass = near.sum(axis=1, keepdims=True)
        nearest = near.argmax(axis=1)
        columns += [near @ residual / (mass + _SHRINK_NEAR), mass]
        columns += [residual[nearest], target[nearest]]
    return np.hstack(columns)


def _leaves(forest: Any, X: NDArray[np.float32]) -> NDArray[np.intp]:
    """The leaf of each row in each tree, of shape (n_rows, n_trees)."""
    if not len(X):
        return np.empty((0, _N_TREES), dtype=np.intp)
    # The forest's own `apply` takes longer to start its workers than this does.
    return np.column_stack([tree.apply(X, check_input=False) for tree in forest.estimators_])

"""The nodes of a fitted scikit-learn tree: who is whose parent, and which nodes a row passes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Index = NDArray[np.intp]


class Nodes:
    """The nodes of a tree, level by level.

    Parameters
    ----------
    tree : sklearn.tree._tree.Tree
        The attribute `tree_` of a fitted decision tree.

    Attributes
    ----------
    parent : ndarray of shape (n_nodes,)
        -1 for the root.
    depth : ndarray of shape (n_nodes,)
    levels : list of ndarray
        The nodes of each depth, the root first.
    ancestors : ndarray of shape (n_nodes, n_levels)
        The node that a row has passed at each depth on its way to a node; -1 below the node.
    values : ndarray of shape (n_nodes, n_outputs)
        Mean of the targets that the tree was grown on.
    """

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self.left, self.right = tree.children_left, tree.children_right
        self.values: Array = tree.value[:, :, 0]
        self.parent = np.full(tree.node_count, -1)
        self.depth = np.zeros(tree.node_count, dtype=np.intp)
        level: Index = np.zeros(1, dtype=np.intp)
        self.levels: list[Index] = []
        while len(level):
            self.depth[level] = len(self.levels)
            self.levels.append(level)
            inner = level[self.left[level] >= 0]
            self.parent[self.left[inner]] = self.parent[self.right[inner]] = inner
            level = np.concatenate([self.left[inner], self.right[inner]])
        self.ancestors = np.full((tree.node_count, len(self.levels)), -1, dtype=np.int32)
        for d, level in enumerate(self.levels):
            if d:
                self.ancestors[level] = self.ancestors[self.parent[level]]
            self.ancestors[level, d] = level

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def leaves(self) -> Index:
        """Numbers of the leaves."""
        return np.flatnonzero(self.left < 0)

    def apply(self, X: Array) -> Index:
        """The leaf of each row, as the tree's own `apply` without its checks but one."""
        if X.shape[1] != self._tree.n_features:  # or it would read beyond the end of a row
            raise ValueError(f"X has {X.shape[1]} columns, the tree has {self._tree.n_features}.")
        return self._tree.apply(as_single(X))


def as_single(X: Array) -> NDArray[np.float32]:
    """Columns as scikit-learn's trees take them: in 32 bits, where the largest stays finite."""
    largest = np.finfo(np.float32).max
    return np.ascontiguousarray(np.clip(X, -largest, largest), dtype=np.float32)

"""What a single tree learns from the training tasks, and what it says of a task."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmeta.tree._base import BaseMetaTree
from skmeta.tree._growing import Committee, Table, plant
from skmeta.tree._learning import Learned
from skmeta.tree._prior import Supports, TreePrior
from skmeta.tree._selection import Choice
from skmeta.tree._split_learning import learn_splitting
from skmeta.tree._splitting import SplitPrior, below
from skmeta.tree._tree_departure import TreeDeparture, depart_in_tree
from skmeta.tree._tree_docs import ONE_TREE_DOCS

Array = NDArray[np.floating]
Index = NDArray[np.intp]

_N_FOLDS = 3
_SPLIT_PROBABILITIES = (0.0, 0.5)


class OneTree(BaseMetaTree):
    """One tree; what it learns comes from trees that are grown without a third of the tasks."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaTree._parameter_constraints,
        "split_probability": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
    }
    _shared_docs = ONE_TREE_DOCS
    _depths = (1, 2, 3, 4, 6, 8, 10)
    _leaf_sizes = (2, 10, 40)

    def __init__(
        self,
        *,
        max_depth: int | Literal["auto"] = "auto",
        min_samples_leaf: int | Literal["auto"] = "auto",
        node_variance: float | Literal["auto"] = "auto",
        smoothing: float | Literal["auto"] = "auto",
        split_probability: float | Literal["auto"] = "auto",
        center: bool = True,
        support_strategy: Literal["random", "first"] = "random",
        random_state: Any = None,
        preprocessor: Any = "auto",
    ):
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.node_variance = node_variance
        self.smoothing = smoothing
        self.split_probability = split_probability
        self.center = center
        self.support_strategy = support_strategy
        self.random_state = random_state
        self.preprocessor = preprocessor

    def _draw_seen(self, n_tasks: int, rng: np.random.RandomState) -> NDArray[np.bool_]:
        if n_tasks == 1:
            return np.ones((1, 1), dtype=bool)
        n_folds = min(_N_FOLDS, n_tasks)
        return np.arange(n_tasks) % n_folds != np.arange(n_folds)[:, None]

    def _regrow(
        self, table: Table, choice: Choice, has_seen: NDArray[np.bool_], seed: int
    ) -> tuple[Committee, Choice]:
        everything, levels = np.ones((1, table.n_tasks), dtype=bool), choice.committee.task_levels
        return plant(table, everything, choice.settings, levels, seed=seed), choice

    def _learn_splitting(self, table: Table, choice: Choice, learned: Learned) -> SplitPrior:
        given = self.split_probability
        probabilities = _SPLIT_PROBABILITIES if given == "auto" else (float(given),)
        outputs = table.targets[:, 1:] if table.targets.shape[1] == 2 else table.targets
        return learn_splitting(table, outputs, choice, learned, self._prior_at, probabilities)

    def _depart(self, prior: TreePrior, supports: Supports) -> Iterator[TreeDeparture]:
        return depart_in_tree(prior, supports)

    def _describe(self, grown: Committee) -> None:
        self.tree_ = grown.trees[0]
        splitting = self._prior.splitting
        self.split_probability_ = 0.0 if splitting is None else splitting.probability

    def _describe_task(self) -> None:
        self.node_counts_ = self._departure.counts

    @property
    def prior_values_(self) -> Array:
        """Value of each node before any adaptation."""
        values = self._prior.nodes[0].values
        return values[:, 0] if values.shape[1] == 1 else values

    @property
    def values_(self) -> Array:
        """Value of each node for the task."""
        nodes = np.arange(len(self._prior.nodes[0]))[None]
        return self._node_values(nodes, self._departure.mean, self._departure.variance)

    def _node_values(self, nodes: Index, mean: Array, variance: Array) -> Array:
        spread = self._prior.spread(nodes)[:, None]
        mean, variance = self._trust.carry(self.n_support_, mean, variance, spread)
        return self._values(self._prior_at(self._prior, nodes) + mean, variance)

    @property
    def splits_(self) -> dict[int, tuple[int, float, Array]]:
        """Leaves that the task splits: column, threshold, and the values left and right of it."""
        splits = {}
        for node, split in self._departure.splits.items():
            assert self._prior.splitting is not None
            sides = [
                below(
                    side,
                    self._departure.mean[node],
                    self._departure.variance[node],
                    self._prior.splitting.variance,
                )
                for side in split.sides
            ]
            mean, variance = (np.stack(part) for part in zip(*sides, strict=True))
            values = self._node_values(np.array([[node, node]]), mean, variance)
            splits[node] = split.feature, split.threshold, values
        return splits

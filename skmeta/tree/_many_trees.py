"""What many trees learn from the training tasks, each from those that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from skmeta.tree._base import BaseMetaTree
from skmeta.tree._episodes import make_episodes
from skmeta.tree._forest_departure import ForestDeparture, depart_in_forest
from skmeta.tree._growing import Committee, Settings, Table, plant
from skmeta.tree._prior import Supports, TreePrior
from skmeta.tree._selection import Choice
from skmeta.tree._tree_docs import FOREST_DOCS


class ManyTrees(BaseMetaTree):
    """Trees that are grown on some of the tasks each, with random splits."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaTree._parameter_constraints,
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "max_features": [Interval(Real, 0, 1, closed="right")],
        "max_tasks": [Interval(Real, 0, 1, closed="neither")],
        "n_jobs": [Integral, None],
    }
    _shared_docs = FOREST_DOCS
    _depths = (2, 4, 6, 8, 11)
    _leaf_sizes = (2, 5, 15)

    def __init__(
        self,
        *,
        n_estimators: int = 50,
        max_depth: int | Literal["auto"] = "auto",
        min_samples_leaf: int | Literal["auto"] = "auto",
        node_variance: float | Literal["auto"] = "auto",
        max_features: float = 0.5,
        max_tasks: float = 0.632,
        smoothing: float | Literal["auto"] = "auto",
        center: bool = True,
        support_strategy: Literal["random", "first"] = "random",
        n_jobs: int | None = None,
        random_state: Any = None,
        preprocessor: Any = "auto",
    ):
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.node_variance = node_variance
        self.max_features = max_features
        self.max_tasks = max_tasks
        self.smoothing = smoothing
        self.center = center
        self.support_strategy = support_strategy
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.preprocessor = preprocessor

    def _draw_seen(self, n_tasks: int, rng: np.random.RandomState) -> NDArray[np.bool_]:
        if n_tasks == 1:
            return np.ones((self.n_estimators, 1), dtype=bool)
        n_seen = np.clip(round(self.max_tasks * n_tasks), 1, n_tasks - 1)
        draws = rng.random_sample((self.n_estimators, n_tasks))
        return draws.argsort(axis=1).argsort(axis=1) < n_seen

    def _candidates(self, max_depth: int, min_samples_leaf: int) -> list[Settings]:
        return [
            settings._replace(max_features=float(self.max_features), splitter="random")
            for settings in super()._candidates(max_depth, min_samples_leaf)
        ]

    def _regrow(
        self, table: Table, choice: Choice, has_seen: NDArray[np.bool_], seed: int
    ) -> tuple[Committee, Choice]:
        levels, settings = choice.committee.task_levels, choice.settings
        grown = plant(table, has_seen, settings, levels, seed=seed, n_jobs=self.n_jobs)
        episodes = make_episodes(table, grown, settings.max_depth + 1)
        return grown, choice._replace(committee=grown, episodes=episodes)

    def _depart(self, prior: TreePrior, supports: Supports) -> Iterator[ForestDeparture]:
        return depart_in_forest(prior, supports)

    def _describe(self, grown: Committee) -> None:
        self.estimators_ = grown.trees

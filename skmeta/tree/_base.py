"""What trees and forests, of numbers and of classes, have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skmeta.base import BaseMetaLearner
from skmeta.tasks import TaskCollection
from skmeta.tree._forest_departure import ForestDeparture
from skmeta.tree._growing import Committee, Settings, Table, grow, plant
from skmeta.tree._learning import Learned
from skmeta.tree._prior import Supports, TreePrior
from skmeta.tree._selection import Choice, select
from skmeta.tree._splitting import SplitPrior
from skmeta.tree._tree_departure import TreeDeparture
from skmeta.tree._tree_docs import TREE_DOCS
from skmeta.tree._trust import FULL_TRUST, SCALES, Trust, few_shot_episodes, learn_trust

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# With one task there is nothing to choose by.
_SMOOTHINGS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0)
_ALONE = Settings(max_depth=6, min_samples_leaf=1)
# Settings are compared on so many trees of a forest.
_MAX_TREES = 20
_MAX_SEED = 2**31 - 10**6


class _Fitted(NamedTuple):
    """Trees to predict with, those that were learned from, and what was learned."""

    grown: Committee
    choice: Choice
    learned: Learned
    trust: Trust


class At(NamedTuple):
    """What an adapted model says at some rows."""

    leaves: Index  # (n_trees, n_rows)
    prior: Array  # (n_rows, n_outputs)
    mean: Array  # (n_rows, n_outputs), of the task's departure from the prior
    variance: Array  # (n_rows, n_outputs)


class BaseMetaTree(BaseMetaLearner):
    """Base class: trees that tasks share, and a task's departure from them."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaLearner._parameter_constraints,
        "max_depth": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "min_samples_leaf": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "node_variance": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "smoothing": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "center": ["boolean"],
        "support_strategy": [StrOptions({"random", "first"})],
        "random_state": ["random_state"],
    }
    _shared_docs = TREE_DOCS
    # What "auto" chooses from.
    _depths: ClassVar[tuple[int, ...]]
    _leaf_sizes: ClassVar[tuple[int, ...]]

    max_depth: int | Literal["auto"]
    min_samples_leaf: int | Literal["auto"]
    node_variance: float | Literal["auto"]
    smoothing: float | Literal["auto"]
    center: bool
    support_strategy: Literal["random", "first"]
    random_state: Any
    n_jobs: int | None = None

    # ------------------------------------------------------------------ what a subclass writes

    @abstractmethod
    def _draw_seen(self, n_tasks: int, rng: np.random.RandomState) -> NDArray[np.bool_]:
        """Which tasks each tree is grown on, of shape (n_trees, n_tasks)."""

    @abstractmethod
    def _regrow(
        self, table: Table, choice: Choice, has_seen: NDArray[np.bool_], seed: int
    ) -> tuple[Committee, Choice]:
        """The trees to predict with, and those to learn variances from."""

    @abstractmethod
    def _depart(
        self, prior: TreePrior, supports: Supports
    ) -> Iterator[TreeDeparture] | Iterator[ForestDeparture]:
        """Posterior of each task's departure from what tasks share."""

    @abstractmethod
    def _indicators(self, y: np.ndarray) -> Array:
        """Targets to grow trees on, of shape (n_rows, n_outputs)."""

    @abstractmethod
    def _outputs(self, y: np.ndarray) -> Array:
        """Targets to adapt to, of shape (n_rows, n_outputs)."""

    @abstractmethod
    def _prior_at(self, prior: TreePrior, leaves: Index) -> Array:
        """What tasks share, of shape (n_rows, n_outputs)."""

    @abstractmethod
    def _values(self, mean: Array, variance: Array) -> Array:
        """Predictions, from the posterior of outputs."""

    @abstractmethod
    def _learn(self, table: Table, choice: Choice, variances: Array | None) -> Learned:
        """Variances, unless they are given, and the noise."""

    @abstractmethod
    def _unseen(self, table: Table, choice: Choice) -> tuple[Array, Array]:
        """Targets and, from trees that have not seen the task, what tasks share."""

    def _learn_trust(self, table: Table, choice: Choice, learned: Learned) -> tuple[Learned, Trust]:
        """How far to trust support rows that are the first of their task."""
        if self.support_strategy == "random":
            return learned, FULL_TRUST
        n_levels = choice.settings.max_depth + 1
        episodes = few_shot_episodes(table, choice.committee, n_levels)
        scales = SCALES if self.node_variance == "auto" else (1.0,)
        targets, shared = self._unseen(table, choice)
        return learn_trust(episodes, targets, shared, learned, scales, is_classes=table.is_classes)

    def _learn_splitting(self, table: Table, choice: Choice, learned: Learned) -> SplitPrior | None:
        """Whether tasks may split leaves further."""
        return None

    # ------------------------------------------------------------------ learning

    _n_parts_of_fit = 3

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(_MAX_SEED))
        table = self._table(tasks)
        has_seen = self._draw_seen(len(tasks), rng)
        if len(tasks) > 1:
            with self._progress.part("parameters"):
                choice = self._select(table, has_seen, seed)
            with self._progress.part("trees"):
                grown, choice = self._regrow(table, choice, has_seen, seed)
            with self._progress.part("values"):
                fitted = self._learn_values(table, grown, choice)
            grown, learned, self._trust = fitted.grown, fitted.learned, fitted.trust
            splitting = self._learn_splitting(table, fitted.choice, learned)
            settings, variances, noise = choice.settings, learned.variances, learned.noise_variance
        else:
            settings = self._candidates(_ALONE.max_depth, _ALONE.min_samples_leaf)[0]
            levels = np.zeros((1, table.targets.shape[1]))
            grown = plant(table, has_seen, settings, levels, seed=seed, n_jobs=self.n_jobs)
            given = self._given_variances(settings)
            variances = np.zeros(settings.max_depth + 1) if given is None else given
            noise, splitting = self._noise_alone(table, grown), None
            self._trust = FULL_TRUST
        self.max_depth_, self.min_samples_leaf_ = settings.max_depth, settings.min_samples_leaf
        self.smoothing_, self.node_variances_ = settings.smoothing, variances
        self.shots_, self.trust_ = self._trust.shots.astype(int), self._trust.correlation
        self._prior = TreePrior(
            grown.nodes, variances, None if table.is_classes else noise, splitting
        )
        self._describe(grown)

    def _learn_values(self, table: Table, grown: Committee, choice: Choice) -> _Fitted:
        """Learn variances and trust and, with them, whether values are to hold levels of tasks.

        Values that do not are better to depart from, and those that do predict better where a
        task is hardly adapted to, as when its first rows are not to be trusted.
        """
        centered = self._learn_departures(table, grown, choice)
        if self.support_strategy == "random" or table.is_classes or not self.center:
            return centered
        smoothing = choice.settings.smoothing
        whole = self._learn_departures(
            table,
            grown.with_levels(table, smoothing),
            choice._replace(committee=choice.committee.with_levels(table, smoothing)),
        )
        return min(centered, whole, key=lambda fitted: fitted.trust.losses.sum())

    def _learn_departures(self, table: Table, grown: Committee, choice: Choice) -> _Fitted:
        learned = self._learn(table, choice, self._given_variances(choice.settings))
        learned, trust = self._learn_trust(table, choice, learned)
        return _Fitted(grown, choice, learned, trust)

    def _select(self, table: Table, has_seen: NDArray[np.bool_], seed: int) -> Choice:
        def grow_with(settings: Settings) -> Committee:
            seen = has_seen[:_MAX_TREES]
            return grow(table, seen, settings, center=self.center, seed=seed, n_jobs=self.n_jobs)

        depths = self._depths if self.max_depth == "auto" else (self.max_depth,)
        sizes = self._leaf_sizes if self.min_samples_leaf == "auto" else (self.min_samples_leaf,)
        candidates = [c for size in sizes for c in self._candidates(max(depths), size)]
        smoothings = _SMOOTHINGS if self.smoothing == "auto" else ()
        return select(table, grow_with, candidates, depths, smoothings)

    def _candidates(self, max_depth: int, min_samples_leaf: int) -> list[Settings]:
        depth = max_depth if self.max_depth == "auto" else self.max_depth
        size = min_samples_leaf if self.min_samples_leaf == "auto" else self.min_samples_leaf
        smoothing = 1.0 if self.smoothing == "auto" else float(self.smoothing)
        return [Settings(depth, size, smoothing=smoothing)]

    def _given_variances(self, settings: Settings) -> Array | None:
        if self.node_variance == "auto":
            return None
        return np.full(settings.max_depth + 1, float(self.node_variance))

    def _noise_alone(self, table: Table, grown: Committee) -> float:
        values = TreePrior(grown.nodes, np.zeros(1), None).values(grown.leaves)
        return float(np.mean((table.targets - values) ** 2)) or 1e-12

    def _table(self, tasks: TaskCollection) -> Table:
        """Rows as they are stored, if that is the order of time.

        Otherwise in an order that depends on what they hold, not on how they are stored.
        """
        order = np.arange(len(tasks.y))
        if self.support_strategy == "random":
            hashes = tasks.row_hashes()[tasks.row_index()]
            order = np.lexsort((hashes, tasks.row_task))
        targets = self._indicators(tasks.y[order])
        return Table(tasks.X[order], targets, tasks.row_task, len(tasks), is_classifier(self))

    @abstractmethod
    def _describe(self, grown: Committee) -> None:
        """Set attributes that say what was grown."""

    # ------------------------------------------------------------------ adapting

    def _adapt(self, X: np.ndarray, y: np.ndarray) -> None:
        self._adapt_many([self], TaskCollection(X, y, [0, len(y)]))

    def _adapt_many(self, models: list[Self], tasks: TaskCollection) -> None:
        leaves = self._prior.apply(tasks.X)
        prior = self._prior_at(self._prior, leaves)
        supports = Supports(leaves, tasks.X, self._outputs(tasks.y), prior, tasks.offsets)
        for model, departure in zip(models, self._depart(self._prior, supports), strict=True):
            model._departure = departure
            model._describe_task()

    def _describe_task(self) -> None:
        """Set attributes that say what is special about a task."""

    def _at(self, X: Any) -> At:
        X = self._validate_query(X)
        leaves = self._prior.apply(X)
        mean, variance = self._departure(self._prior, leaves, X)
        spread = self._prior.spread(leaves)[:, None]
        mean, variance = self._trust.carry(self.n_support_, mean, variance, spread)
        return At(leaves, self._prior_at(self._prior, leaves), mean, variance)

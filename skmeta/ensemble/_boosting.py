"""What meta-boosting of numbers and of classes have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skmeta.base import BaseMetaLearner
from skmeta.ensemble._columns import DenseColumns, TreePreprocessor
from skmeta.ensemble._component import Inputs, Priors
from skmeta.ensemble._mixing import Episode, episodes, mixing_weights
from skmeta.ensemble._pooled import PooledModel, Rows, pool_linear, pool_trees
from skmeta.tasks import TaskCollection
from skmeta.tasks._hashing import combine

Array = NDArray[np.floating]


class _Table(NamedTuple):
    """Rows of all tasks in an order that does not depend on how they were stored.

    What is drawn from it, and how sums are rounded, then does not either.
    """

    X: Array
    y: np.ndarray
    row_task: NDArray[np.intp]
    place: NDArray[np.intp]  # where the row was stored in its task

    @classmethod
    def from_tasks(cls, tasks: TaskCollection, seed: int) -> _Table:
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


class BaseMetaBoosting(BaseMetaLearner):
    """Base class: pooled models, and processes of what tasks differ by from them."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaLearner._parameter_constraints,
        "prior": [StrOptions({"both", "boosting", "linear"})],
        "n_support": [Interval(Integral, 1, None, closed="left")],
        "support_strategy": [StrOptions({"random", "first"})],
        "max_kernel_rows": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    prior: Literal["both", "boosting", "linear"]
    n_support: int
    support_strategy: Literal["random", "first"]
    max_kernel_rows: int
    random_state: Any

    # ------------------------------------------------------------------ what a subclass writes

    #: Rows of one task that are taken together where its process is learned, at most.
    _rows_of_part: int

    @abstractmethod
    def _n_classes(self) -> int | None:
        """Number of classes; None for numbers."""

    @abstractmethod
    def _to_outputs(self, pooled: PooledModel) -> PooledModel:
        """A pooled model whose outputs are what processes correct."""

    @abstractmethod
    def _learn_process(
        self, inputs: Inputs, y: np.ndarray, row_lists: list[NDArray[np.intp]]
    ) -> Any:
        """Learn how tasks differ from a pooled model."""

    @abstractmethod
    def _loss(self, y: list[np.ndarray], said: list[list[Any]]) -> Callable[[Array], float]:
        """Loss of weights, given what each candidate says of the query of each episode."""

    # ------------------------------------------------------------------ learning

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        rng = np.random.default_rng(seed)
        table = _Table.from_tasks(tasks, seed)
        self._dense = DenseColumns(self._n_categorical).fit(table.X)
        rows = self._rows(table.X)
        pooled = self._pool(rows, table, seed)
        self._priors = Priors(pooled)
        inputs = self._priors.join(rows, [one.out_of_task for one in pooled])
        chosen = self._choose(table.row_lists(), rng)
        self._processes = [self._learn_process(each, table.y, chosen) for each in inputs]
        self._weigh(inputs, table, rng)

    def _weigh(self, inputs: list[Inputs], table: _Table, rng: np.random.Generator) -> None:
        """Learn the weights of candidates for each number of shots."""
        n = len(self._processes)
        row_lists = table.row_lists(as_stored=self.support_strategy == "first")
        found = {}
        for k in sorted({0, max(self.n_support // 2, 1), self.n_support, 2 * self.n_support}):
            drawn = list(episodes(row_lists, k, self.support_strategy, rng))
            if len(row_lists) > 1 and drawn:
                said = [self._predict_episode(inputs, table.y, episode) for episode in drawn]
                loss = self._loss([table.y[episode.query] for episode in drawn], said)
                found[k] = mixing_weights(loss, 2 * n)
        if not found:  # nothing to validate on: processes are trusted
            found[0] = np.repeat([1 / n, 0.0], n)
        self.shots_, self.weights_ = np.array(list(found)), np.stack(list(found.values()))

    def _predict_episode(self, inputs: list[Inputs], y: np.ndarray, episode: Episode) -> list[Any]:
        support, query = ([each.take(rows) for each in inputs] for rows in episode)
        return self._candidates(self._adapt_processes(support, y[episode.support]), query)

    def _pool(self, rows: Rows, table: _Table, seed: int) -> list[PooledModel]:
        y, row_task, n_classes = table.y, table.row_task, self._n_classes()
        found = []
        if self.prior != "linear":
            found.append(pool_trees(rows, y, row_task, self._n_categorical, n_classes, seed))
        if self.prior != "boosting":
            found.append(pool_linear(rows, y, row_task, n_classes))
        return [self._to_outputs(pooled) for pooled in found]

    def _choose(
        self, row_lists: list[NDArray[np.intp]], rng: np.random.Generator
    ) -> list[NDArray[np.intp]]:
        """Rows to learn processes from: parts of tasks, each of which stands for a task.

        A part costs the cube of its rows. First comes one part of each task, then a second one.
        """
        size = self._rows_of_part
        shuffled = [rng.permutation(rows) for rows in row_lists]
        longest = max(len(rows) for rows in shuffled)
        parts = [
            rows[start : start + size] for start in range(0, longest, size) for rows in shuffled
        ]
        parts = [part for part in parts if len(part)]
        total = np.cumsum([len(part) for part in parts])
        return parts[: int(np.searchsorted(total, self.max_kernel_rows)) + 1]

    # ------------------------------------------------------------------ adapting

    def _adapt(self, X: np.ndarray, y: np.ndarray) -> None:
        self._adapt_many([self], TaskCollection(X, y, [0, len(y)]))

    def _adapt_many(self, models: list[Self], tasks: TaskCollection) -> None:
        # Trees take as long for the rows of one task as for those of many.
        inputs = self._priors(self._rows(tasks.X))
        offsets, y = tasks.offsets, tasks.y
        for model, start, stop in zip(models, offsets[:-1], offsets[1:], strict=True):
            own = slice(start, stop)
            model._adapted = self._adapt_processes([each.take(own) for each in inputs], y[own])
            model._n_rows = stop - start

    def _adapt_processes(self, support: list[Inputs], y: np.ndarray) -> list[Any]:
        return [
            process.adapt(each, y) for process, each in zip(self._processes, support, strict=True)
        ]

    def _candidates(self, adapted: list[Any], query: list[Inputs]) -> list[Any]:
        """What adapted processes say of query rows, and then what pooled models do."""
        pairs = list(zip(adapted, query, strict=True))
        return [one(each) for one, each in pairs] + [
            one.process.pooled(each) for one, each in pairs
        ]

    def _predict_candidates(self, X: Any) -> tuple[list[Any], Array]:
        """What candidates say, and their weights."""
        X = self._validate_query(X)
        query = self._priors(self._rows(X))
        place = np.log1p([self._n_rows, *self.shots_])
        weights = [np.interp(place[0], place[1:], column) for column in self.weights_.T]
        return self._candidates(self._adapted, query), np.array(weights)

    def _rows(self, X: np.ndarray) -> Rows:
        return Rows(X, self._dense(X))

    # ------------------------------------------------------------------ tables

    @property
    def _n_categorical(self) -> int:
        """How many of the last columns are codes of categories."""
        return getattr(self.preprocessor_, "n_categorical", 0)

    def _fit_preprocessor(self, X: Any, y: np.ndarray) -> None:
        if isinstance(self.preprocessor, str):
            self.preprocessor_ = TreePreprocessor().fit(X)
        else:
            super()._fit_preprocessor(X, y)

    def _transform(self, X: Any) -> np.ndarray:
        if isinstance(self.preprocessor_, TreePreprocessor):  # gaps are left to the trees
            return self.preprocessor_.transform(X).astype(np.float64, copy=False)
        return super()._transform(X)

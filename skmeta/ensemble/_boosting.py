"""What meta-boosting of numbers and of classes have in common."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skmeta.base import BaseMetaLearner
from skmeta.ensemble._between_shots import interpolate
from skmeta.ensemble._columns import DenseColumns
from skmeta.ensemble._component import Inputs, Priors
from skmeta.ensemble._few_shot_validation import FewShotValidation
from skmeta.ensemble._pooled import PooledModel, Rows, pool_linear, pool_trees
from skmeta.ensemble._row_table import RowTable
from skmeta.ensemble._tree_rows import TreeRowsLearner
from skmeta.tasks import TaskCollection

Array = NDArray[np.floating]


class BaseMetaBoosting(FewShotValidation, TreeRowsLearner, BaseMetaLearner):
    """Base class: pooled models, and processes of what tasks differ by from them."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaLearner._parameter_constraints,
        "prior": [StrOptions({"both", "boosting", "linear"})],
        "n_support": [Interval(Integral, 1, None, closed="left")],
        "support_strategy": [StrOptions({"random", "first"})],
        "max_kernel_rows": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }
    _shared_docs: ClassVar[dict] = {
        "prior": """
            prior : {"both", "boosting", "linear"}, default="both"
                Pooled models to begin with.""",
        "n_support": """
            n_support : int, default=10
                Candidates are weighed on supports of no rows, of half this many, this many and
                twice as many.""",
        "support_strategy": """
            support_strategy : {"random", "first"}, default="random"
                Whether these supports are drawn at random or are the first rows of a task as
                stored. Take "first" where rows are sorted by time and new tasks will have seen
                their first rows.""",
        "preprocessor": """
            preprocessor : "auto", None or transformer, default="auto"
                Turns raw rows into numbers; fitted on the rows of the training tasks alone. "auto"
                leaves gaps and categories to the trees, and makes scaled columns for the rest; None
                takes numbers as they are.""",
        "random_state": """
            random_state : int, RandomState instance or None, default=None
                Which rows processes are learned from, supports to weigh on, and the trees' own
                randomness.""",
        "shots_": """
            shots_ : ndarray of shape (n_shots,)
                Numbers of support rows that weights were learned at. Between them weights are
                interpolated.""",
        "weights_": """
            weights_ : ndarray of shape (n_shots, n_candidates)
                Weights of the adapted pooled models, boosting first, of the same without
                adaptation, and of trees on summaries of the support. With fewer than ten tasks the
                last are absent.""",
    }

    prior: Literal["both", "boosting", "linear"]
    n_support: int
    support_strategy: Literal["random", "first"]
    max_kernel_rows: int
    random_state: Any

    _n_rows: int  # that the estimator has adapted to

    # ------------------------------------------------------------------ what a subclass writes

    @property
    @abstractmethod
    def _rows_of_part(self) -> int:
        """Rows of one task that are taken together where its process is learned, at most."""

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

    # ------------------------------------------------------------------ learning

    @property
    def _n_parts_of_fit(self) -> int:
        return 5 if self.prior == "both" else 3

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        rng = np.random.default_rng(seed)
        table = RowTable.from_tasks(tasks, seed)
        self._dense = DenseColumns(self._n_categorical).fit(table.X)
        rows = self._rows(table.X)
        pooled = self._pool(rows, table, seed)
        self._priors = Priors(pooled)
        inputs = self._priors.join(rows, [one.out_of_task for one in pooled])
        chosen = self._choose(table.row_lists(), rng)
        self._processes = []
        for each in inputs:
            with self._progress.part("process"):
                self._processes.append(self._learn_process(each, table.y, chosen))
        with self._progress.part("few-shot validation"):
            self._validate_candidates(inputs, rows, table, rng)

    def _pool(self, rows: Rows, table: RowTable, seed: int) -> list[PooledModel]:
        y, row_task, n_classes = table.y, table.row_task, self._n_classes()
        found = []
        if self.prior != "linear":
            with self._progress.part("pooled trees"):
                found.append(pool_trees(rows, y, row_task, self._n_categorical, n_classes, seed))
        if self.prior != "boosting":
            with self._progress.part("pooled linear model"):
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
        rows = self._rows(tasks.X)
        inputs = self._priors(rows)
        view = self._likeness.view(rows) if self._likeness else None
        offsets, y = tasks.offsets, tasks.y
        for model, start, stop in zip(models, offsets[:-1], offsets[1:], strict=True):
            own = np.arange(start, stop)
            support = [each.take(own) for each in inputs]
            model._adapted = self._adapt_processes(support, y[own])
            model._n_rows = len(own)
            model._support = None
            if view and len(own):
                model._support = self._remember(view.take(own), support[0], y[own])

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

    def _predict_mixture(self, X: Any) -> Any:
        """What all candidates say together."""
        rows = self._rows(self._validate_query(X))
        said = self._candidates(self._adapted, self._priors(rows))
        if self._likeness and self._trees:
            weights = interpolate(self._n_rows, self.shots_, self._mixed_weights)
            mixed = self._mix(said, weights)
            says = mixed  # before any support
            if self._support:
                columns = self._tree_columns(self._support, self._likeness.view(rows), said, mixed)
                says = self._tree_candidate(mixed, self._trees(Rows(columns, columns)))
            said.append(says)
        return self._mix(said, interpolate(self._n_rows, self.shots_, self.weights_))

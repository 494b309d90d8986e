"""What few-shot episodes of the training tasks teach boosting: weights, and trees on summaries."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.ensemble._component import Inputs
from skmeta.ensemble._mixing import CAUTION, Episode, episodes, mixing_weights
from skmeta.ensemble._pooled import Model, Rows, pool_trees
from skmeta.ensemble._row_table import RowTable
from skmeta.ensemble._summaries import Likeness, Support, View, summarise

Array = NDArray[np.floating]

# Trees on summaries learn from how tasks differ: fewer tasks than this do not show it.
_LEAST_TASKS = 10
# Summaries are noisy: so many values of each are enough, and take a fifth less time.
_MAX_BINS = 63


class Trial(NamedTuple):
    """A few-shot episode of a training task, and what candidates say of its query."""

    task: int
    k: int
    episode: Episode
    said: list[Any]


class FewShotValidation:
    """The part of meta-boosting that lets candidates predict training tasks from few rows.

    Candidates are the processes, then the pooled models, then trees. The trees see what the
    others say and summaries of the support; they are judged on tasks that they have not seen.
    """

    n_support: int
    support_strategy: Literal["random", "first"]

    _processes: list[Any]
    _likeness: Likeness | None
    _trees: Model | None

    # ------------------------------------------------------------------ what a subclass writes

    @abstractmethod
    def _n_classes(self) -> int | None:
        """Number of classes; None for numbers."""

    @abstractmethod
    def _adapt_processes(self, support: list[Inputs], y: np.ndarray) -> list[Any]:
        """Processes of a task, given its support."""

    @abstractmethod
    def _candidates(self, adapted: list[Any], query: list[Inputs]) -> list[Any]:
        """What adapted processes say of query rows, and then what pooled models do."""

    @abstractmethod
    def _losses(self, y: list[np.ndarray], said: list[list[Any]]) -> Callable[[Array], Array]:
        """Loss of weights in each episode, given what candidates say of the episodes' queries."""

    @abstractmethod
    def _mix(self, said: list[Any], weights: Array) -> Any:
        """What candidates say together."""

    @abstractmethod
    def _as_columns(self, said: list[Any]) -> Array:
        """What candidates say, as columns for trees."""

    @abstractmethod
    def _compare(self, said: Any, y: np.ndarray) -> tuple[Array, Array]:
        """Targets, and what they are off what a pooled model says, both with columns."""

    @abstractmethod
    def _tree_target(self, y: np.ndarray, mixed: Any) -> np.ndarray:
        """What trees on summaries predict, where the other candidates say `mixed`."""

    @abstractmethod
    def _tree_candidate(self, mixed: Any, found: Array) -> Any:
        """What trees on summaries say."""

    # ------------------------------------------------------------------ learning

    def _validate_candidates(
        self, inputs: list[Inputs], rows: Rows, table: RowTable, rng: np.random.Generator
    ) -> None:
        """Learn the weights of candidates, and the trees if there are tasks enough."""
        self._likeness, self._trees = None, None
        trials = self._try(inputs, table, rng)
        self._weigh(trials, table.y)
        if len({trial.task for trial in trials if trial.k}) >= _LEAST_TASKS:
            seed = int(rng.integers(np.iinfo(np.int32).max))
            self._learn_trees(trials, inputs, rows, table, seed)

    def _try(self, inputs: list[Inputs], table: RowTable, rng: np.random.Generator) -> list[Trial]:
        """Let processes and pooled models predict few-shot episodes of the training tasks."""
        row_lists = table.row_lists(as_stored=self.support_strategy == "first")
        trials = []
        shots = sorted({0, max(self.n_support // 2, 1), self.n_support, 2 * self.n_support})
        for k in shots:
            drawn = list(episodes(row_lists, k, self.support_strategy, rng, shots))
            if len(drawn) > 1:  # one task does not say what others are like
                for episode in drawn:
                    support, query = ([each.take(rows) for each in inputs] for rows in episode)
                    adapted = self._adapt_processes(support, table.y[episode.support])
                    task = int(table.row_task[episode.query[0]])
                    said = self._candidates(adapted, query)
                    trials.append(Trial(task, k, episode, said))
        return trials

    def _weigh(self, trials: list[Trial], y: np.ndarray) -> None:
        """Learn the weights of candidates for each number of shots."""
        n = len(self._processes)
        found = {}
        for k in sorted({trial.k for trial in trials}):
            chosen = [trial for trial in trials if trial.k == k]
            losses = self._losses(
                [y[trial.episode.query] for trial in chosen], [trial.said for trial in chosen]
            )
            place = np.arange(len(chosen[0].said))
            is_pooled = (place >= n) & (place < 2 * n)
            found[k] = mixing_weights(losses, is_pooled, CAUTION[self.support_strategy])
        if not found:  # nothing to validate on: processes are trusted
            found[0] = np.repeat([1 / n, 0.0], n)
        self.shots_, self.weights_ = np.array(list(found)), np.stack(list(found.values()))

    def _learn_trees(
        self, trials: list[Trial], inputs: list[Inputs], rows: Rows, table: RowTable, seed: int
    ) -> None:
        """Learn trees on summaries of the support, as one more candidate."""
        self._mixed_weights = self.weights_
        self._likeness = Likeness(self._n_classes(), seed)
        view = self._likeness.fit(rows, table.y, table.row_task)
        mixed = [self._mix(trial.said, self._weights_at(trial.k)) for trial in trials]
        shown = [i for i, trial in enumerate(trials) if trial.k]
        columns, targets = [], []
        for i in shown:
            of_support, of_query = trials[i].episode
            first, y = inputs[0].take(of_support), table.y[of_support]
            support = self._remember(view.take(of_support), first, y)
            columns.append(
                self._tree_columns(support, view.take(of_query), trials[i].said, mixed[i])
            )
            targets.append(self._tree_target(table.y[of_query], mixed[i]))
        sizes = [len(target) for target in targets]
        row_task = np.repeat([trials[i].task for i in shown], sizes)
        X = np.vstack(columns)
        rows, y, n_classes = Rows(X, X), np.concatenate(targets), self._n_classes()
        pooled = pool_trees(rows, y, row_task, 0, n_classes, seed, _MAX_BINS)
        self._trees = pooled.model
        found = dict(zip(shown, np.split(pooled.out_of_task, np.cumsum(sizes)[:-1]), strict=True))
        for i, trial in enumerate(trials):
            says = self._tree_candidate(mixed[i], found[i]) if i in found else mixed[i]
            trial.said.append(says)
        self._weigh(trials, table.y)

    def _tree_columns(self, support: Support, query: View, said: list[Any], mixed: Any) -> Array:
        assert self._likeness is not None
        summaries = summarise(support, query, self._likeness)
        return np.column_stack([self._as_columns([*said, mixed]), summaries])

    def _remember(self, view: View, inputs: Inputs, y: np.ndarray) -> Support:
        """Support rows, and how far the first pooled model was off."""
        return Support(view, *self._compare(self._processes[0].pooled(inputs), y))

    def _weights_at(self, k: int) -> Array:
        return self.weights_[int(np.searchsorted(self.shots_, k))]

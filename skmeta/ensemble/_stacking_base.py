"""Stacking of meta-learners: candidates, weighed by what they say of tasks they have not seen."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions

from skmeta.base import BaseMetaLearner
from skmeta.base._progress import is_part_of_a_fit
from skmeta.ensemble._between_shots import extrapolate, interpolate
from skmeta.ensemble._mixing import CAUTION
from skmeta.ensemble._opinion_pools import LogLoss, PoolLoss, SquaredLoss
from skmeta.ensemble._pooled_learner import BasePooled
from skmeta.ensemble._stacking_docs import STACKING_DOCS
from skmeta.ensemble._stacking_episodes import Episodes, OutOfTask, side_by_side, usable_shots
from skmeta.ensemble._stacking_report import StackingReport
from skmeta.ensemble._weigh_guard import guard, standard_error
from skmeta.tasks import TaskCollection

Array = NDArray[np.floating]
Candidates = list[tuple[str, Any]]


class BaseStacking(BaseMetaLearner):
    """Base class of learners that weigh others out of task.

    A subclass says which candidates there are (`_candidates`), and mixes what they predict.
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaLearner._parameter_constraints,
        "shots": ["array-like"],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "support_strategy": [StrOptions({"random", "first"})],
        "guard": ["boolean"],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }
    _shared_docs = STACKING_DOCS

    shots: Any
    n_folds: int
    support_strategy: Literal["random", "first"]
    guard: bool
    random_state: int

    # ------------------------------------------------------------------ what a subclass writes

    def _candidates(self, tasks: TaskCollection) -> Candidates:
        """Names and unfitted learners."""
        raise NotImplementedError

    def _n_folds(self, tasks: TaskCollection) -> int:
        """Folds over tasks."""
        return self.n_folds

    def _learn_mixture(self, episodes: list[Episodes], tasks: TaskCollection) -> None:
        """Learn what else the mixture needs, once weights and learners are known."""

    # ------------------------------------------------------------------ learning

    _n_parts_of_fit = 2

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        if not self.shared_target_:
            raise ValueError(
                f"{type(self).__name__} needs tasks that share their target (target must mean the "
                "same in all of them): these tasks have their own."
            )
        shots = usable_shots(tasks.sizes, self._checked_shots())
        candidates = self._candidates(tasks)
        episodes: list[Episodes] = []
        if shots:
            draws = OutOfTask(
                tasks,
                shots,
                n_folds=self._n_folds(tasks),
                strategy=self.support_strategy,
                random_state=self.random_state,
            )
            candidates, episodes, skipped = self._try(candidates, draws)
            self._weigh([name for name, _ in candidates], episodes, _pooled(candidates), skipped)
        else:
            self._weigh_blindly([name for name, _ in candidates], _pooled(candidates))
        self._refit(candidates, tasks)
        self._learn_mixture(episodes, tasks)

    def _checked_shots(self) -> tuple[int, ...]:
        shots = np.unique(np.asarray(self.shots))
        if shots.dtype.kind not in "iu" or not shots.size or shots[0] < 0:
            raise ValueError(f"shots must hold integers of at least 0, got {self.shots!r}.")
        return tuple(shots.tolist())

    def _try(
        self, candidates: Candidates, draws: OutOfTask
    ) -> tuple[Candidates, list[Episodes], dict[str, str]]:
        """Let candidates predict tasks that they have not seen.

        Returns the candidates that were tried; what they say, side by side, for each number of
        shots; and why the others were not tried.
        """
        start, reason, skipped = time.monotonic(), None, {}
        tried: Candidates = []
        said: list[list[Episodes]] = []
        with self._progress.part("candidates", len(candidates) * len(draws.folds)) as progress:
            for name, candidate in candidates:
                if tried and reason is None:
                    reason = self._reason_to_stop(time.monotonic() - start, len(draws.folds))
                if reason is None:
                    try:
                        said.append(draws.predictions(candidate, progress))
                        tried.append((name, candidate))
                    except KeyboardInterrupt:
                        if not self._can_go_on_with(tried):
                            raise
                        reason = "interrupted"
                if reason is not None:
                    skipped[name] = reason
        return tried, [side_by_side(list(parts)) for parts in zip(*said, strict=True)], skipped

    def _reason_to_stop(self, seconds: float, n_folds: int) -> str | None:
        """Why no further candidate is tried after so many seconds; None if one is."""
        return None

    def _can_go_on_with(self, tried: Candidates) -> bool:
        """Whether the candidates that were tried before Ctrl-C will do; says so if they will."""
        if is_part_of_a_fit(self) or not (_pooled(tried) if self.guard else tried):
            return False
        warnings.warn(
            f"The fit of {type(self).__name__} was interrupted. It goes on with the candidates "
            f"that were tried by then: {', '.join(name for name, _ in tried)}. Interrupt it again "
            "to stop that, too.",
            stacklevel=2,
        )
        return True

    def _weigh(
        self, names: list[str], episodes: list[Episodes], pooled: list[int], skipped: dict[str, str]
    ) -> None:
        """Learn the weights at each number of shots, and report on them."""
        pool = LogLoss if is_classifier(self) else SquaredLoss
        raw = [pool(e) for e in episodes]
        tables = [
            np.column_stack([loss.of_tasks(alone) for alone in np.eye(len(names))]) for loss in raw
        ]
        totals = np.mean([table.mean(axis=0) for table in tables], axis=0)
        reference = min(pooled, key=lambda i: totals[i]) if self.guard else None
        # Squared errors have a unit, which penalties on the weights must not depend on.
        unit = 1.0 if is_classifier(self) else float(totals.min()) or 1.0
        losses: list[PoolLoss] = [pool(e, unit) for e in episodes]
        found = guard(losses, reference, CAUTION[self.support_strategy])
        self.shots_ = np.array([e.shots for e in episodes])
        self.weights_ = found.weights
        self.report_ = StackingReport(
            metric="log-loss" if is_classifier(self) else "mean squared error",
            support_strategy=self.support_strategy,
            names=names,
            shots=self.shots_,
            n_tasks=np.array([e.n_tasks for e in episodes]),
            losses=np.column_stack([table.mean(axis=0) for table in tables]),
            errors=np.column_stack([standard_error(table) for table in tables]),
            weights=found.weights.T,
            stack_losses=found.loss * unit,
            stack_errors=found.error * unit,
            trust=found.trust,
            reference=None if reference is None else names[reference],
            skipped=skipped,
        )

    def _weigh_blindly(self, names: list[str], pooled: list[int]) -> None:
        """Nothing can be validated: trust the pooled model, or everyone alike without a guard."""
        trusted = pooled[:1] if self.guard else list(range(len(names)))
        weights = np.zeros((1, len(names)))
        weights[0, trusted] = 1 / len(trusted)
        self.shots_, self.weights_ = np.zeros(1, dtype=np.intp), weights
        unknown = np.full((len(names), 1), np.nan)
        self.report_ = StackingReport(
            metric="log-loss" if is_classifier(self) else "mean squared error",
            support_strategy=self.support_strategy,
            names=names,
            shots=self.shots_,
            n_tasks=np.zeros(1, dtype=np.intp),
            losses=unknown,
            errors=unknown,
            weights=weights.T,
            stack_losses=unknown[0],
            stack_errors=unknown[0],
            trust=np.zeros(1),
            reference=names[pooled[0]] if self.guard else None,
        )

    def _refit(self, candidates: Candidates, tasks: TaskCollection) -> None:
        """Fit the candidates that have a weight on all tasks; None stands for the others."""
        is_used = np.any(self.weights_ > 0, axis=0).tolist()
        self.estimators_: list[Any] = [
            clone(candidate) if used else None
            for (_, candidate), used in zip(candidates, is_used, strict=True)
        ]
        with self._progress.part("all tasks", sum(is_used)) as progress:
            for estimator in self.estimators_:
                if estimator is not None:
                    with progress.fit_of(estimator, "candidate"):
                        estimator.fit(tasks)
        self.named_estimators_ = Bunch(
            **{name: e for (name, _), e in zip(candidates, self.estimators_, strict=True)}
        )

    # ------------------------------------------------------------------ rows

    def _fit_preprocessor(self, X: Any, y: np.ndarray) -> None:
        if isinstance(self.preprocessor, str):  # candidates have their own
            self.preprocessor_ = None
        else:
            super()._fit_preprocessor(X, y)

    def _transform(self, X: Any) -> Any:
        is_auto = isinstance(self.preprocessor, str)
        return X if is_auto else super()._transform(X)

    # ------------------------------------------------------------------ adapting

    def _adapt(self, X: Any, y: np.ndarray) -> None:
        if not len(y):  # a fitted learner predicts its prior
            adapted = self.estimators_
        else:
            used = self._weights_at(len(y)) > 0
            adapted = [
                meta.fit_adapt(X, y) if use else None
                for meta, use in zip(self.estimators_, used, strict=True)
            ]
        self._set_adapted(len(y), adapted)

    def _adapt_many(self, models: list[Self], tasks: TaskCollection) -> None:
        of_candidates = [
            [None] * len(tasks) if meta is None else meta.fit_adapt_many(tasks)
            for meta in self.estimators_
        ]
        for model, n_rows, adapted in zip(
            models, tasks.sizes.tolist(), zip(*of_candidates, strict=True), strict=True
        ):
            model._set_adapted(n_rows, adapted)

    def _set_adapted(self, n_rows: int, adapted: Iterable[Any]) -> None:
        """Keep the adapted candidates that have a weight at this number of rows."""
        weights = self._weights_at(n_rows)
        self._models = [model for model, w in zip(adapted, weights, strict=True) if w > 0]
        self._used = np.flatnonzero(weights > 0)
        self._weights = weights[self._used]

    def _weights_at(self, n_rows: int) -> Array:
        """Weights at a number of shots, also one that was not tried."""
        weights = interpolate(n_rows, self.shots_, self.weights_)
        most = int(self.shots_[-1])
        if n_rows <= most or not most:
            return weights
        ignores_support = np.array([isinstance(meta, BasePooled) for meta in self.estimators_])
        return extrapolate(weights, ignores_support, n_rows / most)


def _pooled(candidates: Candidates) -> list[int]:
    """Which candidates ignore the support."""
    return [i for i, (_, c) in enumerate(candidates) if isinstance(c, BasePooled)]

"""What to try next: asking the study, without repetition and without going over the limit."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from skmeta.model_selection._meta_search._enumerate import list_configurations
from skmeta.model_selection._meta_search._lost import (
    DROPPED,
    close,
    is_signed_here,
    queue,
    recover_lost_trials,
    sign,
)
from skmeta.model_selection._meta_search._space import SearchSpace
from skmeta.model_selection._search._candidates import configuration_key


@dataclass(frozen=True)
class Proposal:
    """A trial and the parameters of the estimator in it."""

    trial: Trial
    params: dict[str, Any]


class Proposals:
    """Propose trials until the study has enough, or the space is exhausted.

    Several processes may do so at once for one study: trials with the lowest numbers count.

    Parameters
    ----------
    study : Study
    space : SearchSpace
    n_trials : int
        Number of trials of the study in the end, those of other processes and of earlier runs
        included.
    rng : Generator
    """

    def __init__(self, study: Study, space: SearchSpace, n_trials: int, rng: np.random.Generator):
        self._study = study
        self._space = space
        self._n_trials = n_trials
        self._rng = rng
        listed = list_configurations(space)
        self._listed: dict[Hashable, dict[str, Any]] | None = None
        if listed is not None:
            self._listed = {configuration_key(config): config for config in listed}

    def next_batch(self, size: int) -> list[Proposal]:
        """Up to `size` trials to run at once; none at the end of the search."""
        recover_lost_trials(self._study)
        batch: list[Proposal] = []
        while len(batch) < size and (proposal := self._next()) is not None:
            batch.append(proposal)
        return batch

    def _next(self) -> Proposal | None:
        # Reading a storage may be slow, so that each round reads it twice and no more.
        while not self._is_finished(trials := self._study.get_trials(deepcopy=False)):
            trial = _ask(self._study, trials)
            try:
                if not is_signed_here(trial):
                    sign(trial)
                params = self._space.suggest(trial)
            except UpdateFinishedTrialError:
                continue  # it was queued by a process that died, and has been queued again
            except BaseException:
                close(self._study, trial, "space failed")
                raise
            others = counted(self._study.get_trials(deepcopy=False))
            before = [other for other in others if other.number < trial.number]
            if len(before) >= self._n_trials:
                close(self._study, trial, "surplus")
            elif self._is_repeated(trial, before):
                close(self._study, trial, "repeated")
                self._queue_untried(before)
            else:
                return Proposal(trial, params)
        return None

    def _is_finished(self, trials: list[FrozenTrial]) -> bool:
        trials = counted(trials)
        return len(trials) >= self._n_trials or (
            self._listed is not None and not self._untried(trials)
        )

    def _is_repeated(self, trial: Trial, before: list[FrozenTrial]) -> bool:
        key = configuration_key(trial.params)
        return self._listed is not None and any(
            configuration_key(other.params) == key for other in before
        )

    def _queue_untried(self, trials: list[FrozenTrial]) -> None:
        """A sampler that repeats itself is helped out by a random choice among what is left."""
        untried = self._untried(trials)
        if untried:
            queue(self._study, untried[self._rng.integers(len(untried))])

    def _untried(self, trials: list[FrozenTrial]) -> list[dict[str, Any]]:
        assert self._listed is not None
        tried = {configuration_key(trial.params) for trial in trials}
        return [config for key, config in self._listed.items() if key not in tried]


def counted(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Those of a study's trials that run or have ended, except those that were run again."""
    return [
        trial
        for trial in trials
        if trial.state != TrialState.WAITING and DROPPED not in trial.user_attrs
    ]


def _ask(study: Study, trials: list[FrozenTrial]) -> Trial:
    if all(trial.state != TrialState.WAITING for trial in trials):
        queue(study, {})
    with warnings.catch_warnings():
        # Our own signs of life work with every storage, beside the heartbeat of some.
        warnings.filterwarnings("ignore", message="Heartbeat of storage")
        return study.ask()

"""Evaluating a batch of proposals by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import Trial, TrialState
from sklearn.base import clone
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.parallel import delayed

from skmeta.model_selection._meta_search._dispatch import WorkerDied, run_calls
from skmeta.model_selection._meta_search._lost import signs_of_life
from skmeta.model_selection._meta_search._proposals import Proposal
from skmeta.model_selection._meta_search._stages import Schedule, Stage

# What a trial keeps: the outcome of each of its folds.
FOLDS = "skmeta:folds"

Fold = dict[str, Any]


@dataclass
class FoldRunner:
    """Fit and score candidates on folds, in parallel.

    Parameters
    ----------
    estimator : estimator
    X, y : dataset
    splits : list of (train, test)
    options : dict
        What scikit-learn's `_fit_and_score` takes, the same for all folds.
    n_jobs, pre_dispatch
        As for joblib.
    make_context : callable
        Makes the callback context of one more evaluation.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    options: Mapping[str, Any]
    n_jobs: int | None
    pre_dispatch: Any
    make_context: Callable[[], Any]

    def run(
        self, candidates: Sequence[Mapping[str, Any]], schedule: Schedule, stage: Stage
    ) -> list[list[Fold]]:
        """Outcomes of the stage's folds for each candidate; failures if it kills its worker."""
        jobs = [(i, params, k) for i, params in enumerate(candidates) for k in stage.splits]
        # Contexts are made ahead: making one alters the estimator, which may be being pickled.
        contexts = [self.make_context() for _ in jobs]
        calls = [
            delayed(_fit_and_score)(
                clone(self.estimator),
                self.X,
                self.y,
                train=schedule.train_rows(self.splits[k][0], stage, k),
                test=self.splits[k][1],
                parameters={**params, **schedule.params(stage)},
                split_progress=(k, len(self.splits)),
                candidate_progress=(i, len(candidates)),
                callback_ctx=context,
                **self.options,
            )
            for (i, params, k), context in zip(jobs, contexts, strict=True)
        ]
        outcomes = [
            self._failure(outcome) if isinstance(outcome, WorkerDied) else outcome
            for outcome in run_calls(calls, self.n_jobs, self.pre_dispatch, (self.X, self.y))
        ]
        n_folds = len(stage.splits)
        return [outcomes[i : i + n_folds] for i in range(0, len(outcomes), n_folds)]

    def _failure(self, error: WorkerDied) -> Fold:
        score = self.options["error_score"]
        if score == "raise":
            raise error
        scorers = getattr(self.options["scorer"], "_scorers", None)
        scores = score if scorers is None else dict.fromkeys(scorers, score)
        fold = {"test_scores": scores, "fit_time": 0.0, "score_time": 0.0, "fit_error": str(error)}
        return fold | ({"train_scores": scores} if self.options["return_train_score"] else {})


@dataclass
class _Candidate:
    """One proposal under evaluation."""

    proposal: Proposal
    folds: dict[int, Fold] = field(default_factory=dict)


def evaluate_batch(
    study: Study,
    batch: Sequence[Proposal],
    schedule: Schedule,
    runner: FoldRunner,
    leading_score: Callable[[Any], float],
) -> None:
    """Evaluate proposals stage by stage, and tell the study how each of them ended.

    Parameters
    ----------
    study : Study
    batch : list of Proposal
    schedule : Schedule
    runner : FoldRunner
    leading_score : callable
        Takes the score or scores of a fold and returns the one that is searched for.
    """
    if any(schedule.resource in proposal.params for proposal in batch):
        raise ValueError(f"resource={schedule.resource!r} cannot be searched over: it is in space.")
    alive = [_Candidate(proposal) for proposal in batch]
    with signs_of_life([proposal.trial for proposal in batch]):
        for stage in schedule.stages:
            params = [candidate.proposal.params for candidate in alive]
            for candidate, folds in zip(alive, runner.run(params, schedule, stage), strict=True):
                candidate.folds |= dict(zip(stage.splits, folds, strict=True))
            alive = [
                candidate
                for candidate in alive
                if not _close_if_done(study, candidate, schedule, stage, leading_score)
            ]


def _close_if_done(
    study: Study,
    candidate: _Candidate,
    schedule: Schedule,
    stage: Stage,
    leading_score: Callable[[Any], float],
) -> bool:
    """Tell the study of a candidate that is complete, has failed or is not worth going on with."""
    try:
        state, value = _judge(candidate, schedule, stage, leading_score)
        if state is None:
            return False
        trial = candidate.proposal.trial
        # What was scored with a part of the resource is no score of the configuration.
        is_partial = schedule.resource is not None and stage is not schedule.stages[-1]
        folds = {} if is_partial else candidate.folds
        trial.set_user_attr(FOLDS, {str(k): _storable(fold) for k, fold in folds.items()})
        _tell(study, trial, value, state)
    except UpdateFinishedTrialError:
        # Other processes took this one for dead, and one of them runs the trial again.
        warnings.warn(
            f"Trial {candidate.proposal.trial.number} was given to another process, because this "
            "one gave no sign of life for too long. Its score is dropped.",
            stacklevel=2,
        )
    return True


def _tell(study: Study, trial: Trial, value: float | None, state: TrialState) -> None:
    try:
        study.tell(trial, value, state=state)
    except RuntimeError as error:
        # Samplers that enumerate a space stop `Study.optimize` at its end, which fails outside of
        # it, after the trial was written. This search notices the end of a space itself.
        if "`Study.stop`" not in str(error):
            raise


def _judge(
    candidate: _Candidate,
    schedule: Schedule,
    stage: Stage,
    leading_score: Callable[[Any], float],
) -> tuple[TrialState | None, float | None]:
    """How a trial ends after a stage, and with which score; (None, None) if it goes on."""
    trial = candidate.proposal.trial
    mean = float(np.mean([leading_score(f["test_scores"]) for f in candidate.folds.values()]))
    if np.isnan(mean):
        return TrialState.FAIL, None
    is_last = stage is schedule.stages[-1]
    if schedule.is_pruned:
        newest = [leading_score(candidate.folds[k]["test_scores"]) for k in stage.splits]
        trial.report(float(np.mean(newest)) if schedule.reports_folds else mean, stage.step)
        # The pruner is asked after the last stage too: some note down who got how far.
        if trial.should_prune() and not is_last:
            return TrialState.PRUNED, None
    return (TrialState.COMPLETE, mean) if is_last else (None, None)


def _storable(fold: Fold) -> Fold:
    """The part of an outcome that a storage can hold as JSON."""
    kept = ("test_scores", "train_scores", "fit_time", "score_time", "fit_error")
    return {name: fold[name] for name in kept if name in fold}

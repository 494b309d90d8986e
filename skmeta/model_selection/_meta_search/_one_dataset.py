"""Searching one dataset: from proposals to a study of scored configurations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from optuna.study import Study
from optuna.trial import TrialState
from sklearn.base import clone

from skmeta.model_selection._meta_search._evaluate import FoldRunner, evaluate_batch
from skmeta.model_selection._meta_search._lost import retry
from skmeta.model_selection._meta_search._progress import print_trials
from skmeta.model_selection._meta_search._proposals import Proposals, counted
from skmeta.model_selection._meta_search._sampling import make_sampler
from skmeta.model_selection._meta_search._space import SearchSpace
from skmeta.model_selection._meta_search._stages import (
    Schedule,
    check_rungs,
    default_pruner,
    make_schedule,
)
from skmeta.model_selection._meta_search._study import (
    claim_study,
    fingerprint,
    hash_splits,
    open_study,
)


class SearchInterrupted(KeyboardInterrupt):
    """A search was stopped by Ctrl-C; `study` holds the trials that were done by then."""

    def __init__(self, study: Study):
        super().__init__()
        self.study = study


def search_dataset(
    search: Any,
    X: Any,
    y: Any,
    splits: Sequence[tuple[Any, Any]],
    options: dict[str, Any],
    make_context: Callable[[], Any],
    rng: np.random.RandomState,
) -> Study:
    """Run the trials of a search on one dataset.

    Parameters
    ----------
    search : MetaSearchCV
        Its parameters say what to do; it is not changed.
    X, y : dataset
    splits : list of (train, test)
    options : dict
        What scikit-learn's `_fit_and_score` takes, the same for all folds.
    make_context : callable
        Makes the callback context of one more evaluation.
    rng : RandomState

    Returns
    -------
    study : Study

    Raises
    ------
    SearchInterrupted
        After Ctrl-C, if some trial has a score by then.
    """
    deadline = np.inf if search.timeout is None else time.monotonic() + search.timeout
    space = SearchSpace(search.space)
    schedule = _make_schedule(search, splits)
    pruner = search.pruner
    if pruner is None and schedule.is_pruned:
        pruner = default_pruner(schedule)
    study = open_study(search.storage, search.study_name, pruner)
    if search.storage is not None:
        claim_study(study, _describe(search, space, X, y, splits))
    # A search that goes on must not draw the numbers of its first part again.
    entropy = [rng.randint(np.iinfo(np.int32).max), len(study.get_trials(deepcopy=False))]
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    study.sampler = make_sampler(search, space, X, y, seed)
    runner = FoldRunner(
        estimator=clone(search.estimator),
        X=X,
        y=y,
        splits=splits,
        options=options,
        n_jobs=search.n_jobs,
        pre_dispatch=search.pre_dispatch,
        make_context=make_context,
    )
    proposals = Proposals(study, space, search.n_trials, np.random.default_rng(seed))
    n_at_once = _batch_size(search.n_jobs, schedule)
    while time.monotonic() < deadline and (batch := proposals.next_batch(n_at_once)):
        try:
            evaluate_batch(study, batch, schedule, runner, search._leading_score)
        except BaseException as error:
            for proposal in batch:
                retry(study, proposal.trial)
            if isinstance(error, KeyboardInterrupt) and _has_scores(study):
                raise SearchInterrupted(study) from error
            raise
        if search.verbose > 0:
            print_trials(study, batch, search.n_trials)
    return study


def _has_scores(study: Study) -> bool:
    trials = counted(study.get_trials(deepcopy=False))
    return any(trial.state == TrialState.COMPLETE for trial in trials)


def _make_schedule(search: Any, splits: Sequence[tuple[Any, Any]]) -> Schedule:
    if search.rungs is not None:
        check_rungs(search.rungs, search.resource, search.estimator)
    n_train = min(len(train) for train, _ in splits)
    return make_schedule(len(splits), search.pruner, search.resource, search.rungs, n_train)


def _batch_size(n_jobs: int | None, schedule: Schedule) -> int:
    """As few trials at once as keep all workers busy: later ones know more."""
    return -(-effective_n_jobs(n_jobs) // len(schedule.stages[0].splits))


def _describe(
    search: Any, space: SearchSpace, X: Any, y: Any, splits: Sequence[tuple[Any, Any]]
) -> dict[str, str]:
    """What must be the same for all trials of a study, by its name in a message."""
    return {
        "dataset": fingerprint(X, y),
        "space": space.describe(),
        "folds": hash_splits(splits),
        "scoring": _scoring_name(search.scoring),
        "estimator": type(search.estimator).__name__,
    }


def _scoring_name(scoring: Any) -> str:
    if callable(scoring):
        return getattr(scoring, "__qualname__", type(scoring).__name__)
    return str(scoring if scoring is None or isinstance(scoring, str) else sorted(scoring))

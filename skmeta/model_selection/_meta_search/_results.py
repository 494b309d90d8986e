"""From the trials of a study to what scikit-learn makes `cv_results_` of."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)

from skmeta.model_selection._meta_search._evaluate import FOLDS, Fold
from skmeta.model_selection._meta_search._proposals import counted
from skmeta.model_selection._meta_search._space import SearchSpace

_WORKER_DIED = "The process that evaluated this trial ended, more than once, before it was done."


def outcomes(trials: Sequence[FrozenTrial], n_splits: int, error_score: Any) -> list[Fold]:
    """Outcome of each fold of each trial, one after the other, as scikit-learn wants them.

    A fold that was not run has NaN, as have trials of other programs. One whose process died has
    failed, with `error_score`.

    Raises
    ------
    ValueError
        If no fold was run at all.
    """
    stored = [trial.user_attrs.get(FOLDS) for trial in trials]
    _warn_of_foreign_trials(trials)
    example = next((fold for part in stored if part for fold in part.values()), None)
    if example is None:
        raise ValueError("No fits were performed: no trial of the search is finished.")
    error_score = np.nan if error_score == "raise" else error_score
    not_run = _like(example, np.nan) | {"fit_error": None}
    died = _like(example, error_score) | {"fit_error": _WORKER_DIED}
    found: list[Fold] = []
    for trial, part in zip(trials, stored, strict=True):
        if part is None and trial.state == TrialState.FAIL:
            found += [died] * n_splits
        else:
            found += [(part or {}).get(str(k), not_run) for k in range(n_splits)]
    return found


def _warn_of_foreign_trials(trials: Sequence[FrozenTrial]) -> None:
    """A score without folds is not one of this search's: such a trial cannot win."""
    foreign = [
        trial.number
        for trial in trials
        if trial.state == TrialState.COMPLETE and FOLDS not in trial.user_attrs
    ]
    if foreign:
        warnings.warn(
            f"Trials {foreign} of the study have a score but no scores of folds, so that they are "
            "NaN in cv_results_: another program has added them, or the storage is damaged.",
            stacklevel=4,
        )


def _like(fold: Fold, value: float) -> Fold:
    """An outcome with the keys of another one and the same value everywhere."""
    return {
        name: dict.fromkeys(old, value) if isinstance(old, dict) else value
        for name, old in fold.items()
    }


def collect_results(search: Any, study: Study) -> None:
    """Set `cv_results_` and `multimetric_` of a search.

    Raises
    ------
    ValueError
        If no trial is finished, or all fits failed.
    """
    trials = counted(study.get_trials(deepcopy=False))
    trials = [trial for trial in trials if trial.state.is_finished()]
    folds = outcomes(trials, search.n_splits_, search.error_score)
    run = [fold for fold in folds if not np.isnan(fold["fit_time"]) or fold["fit_error"]]
    _warn_or_raise_about_fit_failures(run, search.error_score)
    if callable(search.scoring):
        _insert_error_scores(run, search.error_score)
    space = SearchSpace(search.space)
    params = [space.decode(trial.params) for trial in trials]
    more = {}
    if search.pruner is not None or search.rungs is not None:
        more["pruned"] = [trial.state == TrialState.PRUNED for trial in trials]
    if search.rungs is not None and search.resource != "n_samples":
        params = [{**config, search.resource: search.rungs[-1]} for config in params]
    with warnings.catch_warnings():
        if not any(trial.state == TrialState.FAIL for trial in trials):
            # Gaps are folds that were left out on purpose.
            warnings.filterwarnings("ignore", message=".*scores are non-finite")
        search.cv_results_ = search._format_results(params, search.n_splits_, folds, more)
    search.multimetric_ = isinstance(run[0]["test_scores"], dict)

"""What a search shows of itself: contexts for scikit-learn's callbacks, and lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.study import Study
from optuna.trial import TrialState

from skmeta.model_selection._meta_search._proposals import Proposal, counted


class SearchContext:
    """Callback contexts of a search and of its folds.

    Parameters
    ----------
    search : MetaSearchCV
    parent : CallbackContext or None
        Context of the fit; None if nobody looks.
    n_folds : int
        Number of folds that will be run, at most.
    """

    def __init__(self, search: Any, parent: Any, n_folds: int):
        self._search = search
        self._n_left = n_folds
        self._context = None
        if parent is not None:
            self._context = parent.subcontext(
                task_name="search", max_subtasks=n_folds, sequential_subtasks=False
            ).call_on_fit_task_begin(estimator=search)

    def of_fold(self) -> Any:
        """Context of one more fold; None if nobody looks."""
        if self._context is None or not self._n_left:
            return None  # folds are more than promised where some had to be repeated
        self._n_left -= 1
        return self._context.subcontext(
            task_name="candidate-split-evaluation", task_id=self._n_left
        )

    def end(self) -> None:
        """The search is done."""
        if self._context is not None:
            self._context.call_on_fit_task_end(estimator=self._search)


def print_trials(study: Study, batch: Sequence[Proposal], n_trials: int) -> None:
    """Print a line for each trial of a batch."""
    done = {trial.number: trial for trial in counted(study.get_trials(deepcopy=False))}
    is_any_complete = any(trial.state == TrialState.COMPLETE for trial in done.values())
    best = f", best {study.best_value:.4g}" if is_any_complete else ""
    for proposal in batch:
        trial = done.get(proposal.trial.number)
        if trial is not None:
            score = "" if trial.value is None else f" {trial.value:.4g}"
            state = trial.state.name.lower()
            print(
                f"[MetaSearchCV] trial {trial.number} ({len(done)}/{n_trials}): "
                f"{state}{score}{best}"
            )

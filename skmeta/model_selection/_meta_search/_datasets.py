"""Searching many datasets, each on its own, to learn from all of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from optuna.study import Study
from sklearn.base import clone
from sklearn.utils.parallel import delayed

from skmeta.base._progress import Progress
from skmeta.base._reading import as_collection
from skmeta.model_selection._meta_search._dispatch import run_calls
from skmeta.model_selection._meta_search._past import copy_study
from skmeta.model_selection._meta_search._sampling import describe
from skmeta.tasks import Task


def search_datasets(
    search: Any,
    datasets: Any,
    search_one: Callable[[Any, Any, Any], Study],
    seeds: np.random.RandomState,
    context: Any = None,
) -> dict[Any, Study]:
    """Search each dataset, several at a time.

    Parameters
    ----------
    search : MetaSearchCV
    datasets : TaskCollection or list of Task
    search_one : callable
        Takes a searcher and a dataset, and returns the study.
    seeds : RandomState
    context : CallbackContext or None, default=None
        The fit that scikit-learn's callbacks see each dataset as a part of.

    Returns
    -------
    studies : dict of name to Study
        In memory. A dataset without a name is called by its position.

    Raises
    ------
    ValueError
        If two datasets have the same name, or all searches failed.
    """
    tasks = _by_name(datasets)
    parts = [
        None if context is None else context.subcontext(task_name="dataset", task_id=i)
        for i in range(len(tasks))
    ]
    calls = [
        delayed(_search_or_error)(
            search_one, _searcher_for(search, name, seeds), task.X, task.y, part
        )
        for (name, task), part in zip(tasks.items(), parts, strict=True)
    ]
    outcomes = run_calls(calls, search.n_jobs)
    studies = {}
    errors = []
    for name, outcome in zip(tasks, outcomes, strict=True):
        if isinstance(outcome, Exception):
            errors.append(f"{name}: {outcome}")
        else:
            studies[name] = outcome
    if errors and (not studies or search.error_score == "raise"):
        raise ValueError("The search failed on " + "; ".join(errors))
    if errors:
        warnings.warn(f"Nothing is learned from {'; '.join(errors)}", stacklevel=3)
    return studies


def describe_datasets(
    meta_features: Callable[[Any, Any], Any], datasets: Any
) -> dict[Any, np.ndarray]:
    """Meta-features of each dataset by its name."""
    tasks = _by_name(datasets)
    return {name: describe(meta_features, task.X, task.y) for name, task in tasks.items()}


def _by_name(datasets: Any) -> dict[Any, Task]:
    tasks = list(as_collection(datasets))
    names = [i if task.name is None else task.name for i, task in enumerate(tasks)]
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"Several datasets are called {', '.join(repeated)}.")
    return dict(zip(names, tasks, strict=True))


def _searcher_for(search: Any, name: Any, seeds: np.random.RandomState) -> Any:
    """A searcher of one dataset: it keeps to one worker, and to a study of its own."""
    study_name = None if search.study_name is None else f"{search.study_name}-{name}"
    seed = int(seeds.randint(np.iinfo(np.int32).max))
    return (
        clone(search).set_params(n_jobs=1, study_name=study_name, random_state=seed).set_callbacks()
    )


def _search_or_error(
    search_one: Callable[[Any, Any, Any], Study], search: Any, X: Any, y: Any, context: Any
) -> Study | Exception:
    """The study as a copy that can leave the process, or what went wrong with this dataset."""
    try:
        with Progress(search, context).whole():
            return copy_study(search_one(search, X, y))
    except Exception as error:
        if search.error_score == "raise":
            raise
        return error

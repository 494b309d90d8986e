"""Few-shot evaluation: adapt to some rows of each task, score on its others."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import check_scoring

from skmeta.tasks import TaskCollection, split_support_query


def few_shot_scores(
    meta: Any,
    tasks: TaskCollection,
    *,
    n_support: int | None = None,
    n_query: int | None = None,
    scoring: Any = None,
    n_repeats: int = 1,
    strategy: str = "random",
    random_state: int = 0,
) -> np.ndarray:
    """Score of a fitted meta-learner on each task after adapting to a few of its rows.

    Parameters
    ----------
    meta : fitted meta-learner
    tasks : TaskCollection
        Tasks that `meta` has not seen.
    n_support : int or None, default=None
        Rows to adapt to, drawn by class for classifiers; 0 scores the prior. By default the
        support of n-way tasks, otherwise 10.
    n_query : int or None, default=None
        Rows to score on at most; None takes all others.
    scoring : str, callable or None, default=None
        As in :func:`sklearn.model_selection.cross_val_score`. By default accuracy for classifiers,
        R² for regressors.
    n_repeats : int, default=1
        Number of different splits of each task.
    strategy : {"random", "first"}, default="random"
        Whether support rows are drawn at random or are the first of each task.
    random_state : int, default=0
        Seed of the splits, which depend on a task's rows and on this number alone.

    Returns
    -------
    scores : ndarray of shape (n_repeats, n_tasks)
        NaN where a score is undefined: for a task without rows, or R² of a single row.
    """
    scorer = check_scoring(meta, scoring)
    tasks = tasks if isinstance(tasks, TaskCollection) else TaskCollection.from_tasks(tasks)
    if n_support is None:
        n_support = tasks.default_split[0]
    scores = np.full((n_repeats, len(tasks)), np.nan)
    for repeat in range(n_repeats):
        support, query = split_support_query(
            tasks,
            n_support,
            n_query,
            stratify=is_classifier(meta) and strategy == "random",
            strategy=strategy,
            random_state=random_state + repeat,
        )
        models = meta.fit_adapt_many(support)
        for i, (model, task) in enumerate(zip(models, query, strict=True)):
            if task.n_rows:
                scores[repeat, i] = _score(scorer, model, task)
    return scores


def _score(scorer: Any, model: Any, task: Any) -> float:
    with warnings.catch_warnings():
        # A metric may be undefined on a task of few rows; the NaN it returns says so.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return scorer(model, task.X, task.y)

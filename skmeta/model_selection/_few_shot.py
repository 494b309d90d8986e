"""Few-shot scores in scikit-learn's searches and in a cross-validation over tasks."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.parallel import Parallel, delayed

from skmeta.base import few_shot_scores
from skmeta.tasks import TaskCollection

_CONSTRAINTS: dict = {
    "n_support": [Interval(Integral, 0, None, closed="left"), None],
    "n_query": [Interval(Integral, 1, None, closed="left"), None],
    "scoring": [str, callable, None],
    "n_repeats": [Interval(Integral, 1, None, closed="left")],
    "strategy": [StrOptions({"random", "first"})],
    "random_state": [Interval(Integral, 0, None, closed="left")],
}


class FewShotScorer(BaseEstimator):
    """Scorer of meta-learners: mean score over tasks after adapting to a few of their rows.

    Made by :func:`few_shot_scorer`. Called as `scorer(meta, tasks)`, as scikit-learn's searches
    call it.

    Examples
    --------
    >>> from skmeta import MetaRidgeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.model_selection import few_shot_scorer
    >>> tasks = make_linear_tasks(n_tasks=50, random_state=0)
    >>> scorer = few_shot_scorer(n_support=5)
    >>> scorer(MetaRidgeRegressor().fit(tasks[:40]), tasks[40:]) > 0.8
    True
    """

    def __init__(
        self,
        n_support: int | None = None,
        n_query: int | None = None,
        scoring: Any = None,
        n_repeats: int = 1,
        strategy: str = "random",
        random_state: int = 0,
    ):
        self.n_support = n_support
        self.n_query = n_query
        self.scoring = scoring
        self.n_repeats = n_repeats
        self.strategy = strategy
        self.random_state = random_state

    def __call__(self, estimator: Any, X: Any, y: None = None, **kwargs: Any) -> float:
        """Score a fitted meta-learner on tasks that it has not seen.

        Parameters
        ----------
        estimator : fitted meta-learner
        X : TaskCollection or list of Task
        y : None
            Ignored.

        Returns
        -------
        score : float
            Mean over repeats and tasks; tasks for which the score is undefined do not count.
        """
        scores = few_shot_scores(estimator, X, **self.get_params())
        if np.isnan(scores).all():
            raise ValueError("The score is undefined for every task: they have too few rows.")
        return float(np.nanmean(scores))


def few_shot_scorer(
    n_support: int | None = None,
    *,
    n_query: int | None = None,
    scoring: Any = None,
    n_repeats: int = 1,
    strategy: str = "random",
    random_state: int = 0,
) -> FewShotScorer:
    """Make a scorer of meta-learners for scikit-learn's searches and cross-validation.

    Parameters
    ----------
    n_support : int or None, default=None
        Rows of each task to adapt to, drawn by class for classifiers; 0 scores the prior. By
        default the support of n-way tasks, otherwise 10.
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
        Seed of the splits, which depend on a task's rows and on this number alone: all candidates
        of a search are scored on the same ones.

    Returns
    -------
    scorer : FewShotScorer

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from skmeta import MetaRidgeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.model_selection import few_shot_scorer
    >>> tasks = make_linear_tasks(random_state=0)
    >>> scorer = few_shot_scorer(n_support=5, scoring="neg_mean_squared_error")
    >>> scores = cross_val_score(MetaRidgeRegressor(), tasks, scoring=scorer, cv=3)
    >>> bool((scores > -0.2).all())
    True
    """
    params = {
        "n_support": n_support,
        "n_query": n_query,
        "scoring": scoring,
        "n_repeats": n_repeats,
        "strategy": strategy,
        "random_state": random_state,
    }
    validate_parameter_constraints(_CONSTRAINTS, params, caller_name="few_shot_scorer")
    return FewShotScorer(**params)


@validate_params(
    {**_CONSTRAINTS, "n_support": ["array-like", *_CONSTRAINTS["n_support"]]},
    prefer_skip_nested_validation=True,
)
def cross_val_few_shot(
    meta: Any,
    tasks: Any,
    *,
    n_support: Any = (1, 5, 10),
    n_query: int | None = None,
    scoring: Any = None,
    n_repeats: int = 1,
    strategy: str = "random",
    cv: Any = None,
    n_jobs: int | None = None,
    random_state: int = 0,
) -> dict[str, np.ndarray]:
    """Cross-validate a meta-learner over tasks, at one or several support sizes.

    In each fold the meta-learner is fitted once on the other folds' tasks, and adapted to every
    held-out task with every support size.

    Parameters
    ----------
    meta : meta-learner
        It is cloned.
    tasks : TaskCollection or list of Task
    n_support : int or sequence of int, default=(1, 5, 10)
        Rows of a held-out task to adapt to; 0 scores the prior.
    n_query : int or None, default=None
        Rows to score on at most; None takes all others.
    scoring : str, callable or None, default=None
        As in :func:`sklearn.model_selection.cross_val_score`.
    n_repeats : int, default=1
        Number of different splits of each task.
    strategy : {"random", "first"}, default="random"
        Whether support rows are drawn at random or are the first of each task.
    cv : int, splitter or None, default=None
        How tasks are held out; 5 folds by default.
    n_jobs : int or None, default=None
        Folds at a time.
    random_state : int, default=0
        Seed of the splits of tasks into support and query.

    Returns
    -------
    results : dict of ndarray
        One entry for each fold, support size, repeat and task, under the keys "fold", "n_support",
        "repeat", "task" (its name) and "score" (NaN where it is undefined).
        `pandas.DataFrame(results)` makes a table of it.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmeta import MetaRidgeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.model_selection import cross_val_few_shot
    >>> tasks = make_linear_tasks(random_state=0)
    >>> results = pd.DataFrame(cross_val_few_shot(MetaRidgeRegressor(), tasks, cv=3))
    >>> curve = results.groupby("n_support")["score"].mean()
    >>> bool(curve[10] > curve[1])
    True
    """
    tasks = tasks if isinstance(tasks, TaskCollection) else TaskCollection.from_tasks(tasks)
    options = {
        "n_query": n_query,
        "scoring": scoring,
        "n_repeats": n_repeats,
        "strategy": strategy,
        "random_state": random_state,
    }
    sizes = [n_support] if n_support is None else np.atleast_1d(n_support).tolist()
    folds = check_cv(cv).split(np.zeros(len(tasks)))
    parts = Parallel(n_jobs=n_jobs)(
        delayed(_one_fold)(clone(meta), tasks, fold, train, test, sizes, options)
        for fold, (train, test) in enumerate(folds)
    )
    columns = [column for part in parts for column in part]
    return {key: np.concatenate([column[key] for column in columns]) for key in columns[0]}


def _one_fold(
    meta: Any,
    tasks: TaskCollection,
    fold: int,
    train: np.ndarray,
    test: np.ndarray,
    sizes: list,
    options: dict,
) -> list[dict[str, np.ndarray]]:
    meta.fit(tasks[train])
    held_out = tasks[test]
    columns = []
    for size in sizes:
        scores = few_shot_scores(meta, held_out, n_support=size, **options)
        n_repeats, n_tasks = scores.shape
        columns.append(
            {
                "fold": np.full(scores.size, fold),
                "n_support": np.full(scores.size, tasks.default_split[0] if size is None else size),
                "repeat": np.repeat(np.arange(n_repeats), n_tasks),
                "task": np.tile(held_out.names, n_repeats),
                "score": scores.ravel(),
            }
        )
    return columns

"""The end of a search: choosing a candidate and fitting it on all rows."""

from __future__ import annotations

import time
from typing import Any

from sklearn.base import clone


def select_best(search: Any) -> None:
    """Set `best_index_`, `best_params_` and `best_score_` of a search, by scikit-learn's rules."""
    if not search.refit and search.multimetric_:
        return
    results = search.cv_results_
    metric = search.refit if search.multimetric_ else "score"
    search.best_index_ = search._select_best_index(search.refit, metric, results)
    if not callable(search.refit):
        search.best_score_ = results[f"mean_test_{metric}"][search.best_index_]
    search.best_params_ = results["params"][search.best_index_]


def refit_best(
    search: Any, X: Any, y: Any, fit_params: dict[str, Any], context: Any, told: dict[str, Any]
) -> None:
    """Set `best_estimator_`, fitted on the whole dataset.

    Parameters
    ----------
    search : MetaSearchCV
    X, y : dataset
    fit_params : dict
        Metadata for the estimator.
    context : CallbackContext
    told : dict
        What callbacks are told of the data.
    """
    # Parameters are cloned as well, since they may be estimators.
    best = clone(search.estimator).set_params(**clone(search.best_params_, safe=False))
    search.best_estimator_ = best
    with context.propagate_callback_context(best):
        context.call_on_fit_task_begin(estimator=search, **told)
        start = time.time()
        targets = () if y is None else (y,)
        best.fit(X, *targets, **fit_params)
        search.refit_time_ = time.time() - start
    if hasattr(best, "feature_names_in_"):
        search.feature_names_in_ = best.feature_names_in_
    context.call_on_fit_task_end(estimator=search, **told)

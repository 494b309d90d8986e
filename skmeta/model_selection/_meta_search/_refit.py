"""Rules for choosing among the candidates of a search, for the parameter `refit`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class _OneStandardError:
    by: str
    metric: str
    largest: bool

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        mean = np.asarray(cv_results[f"mean_test_{self.metric}"], dtype=float)
        if np.isnan(mean).all():
            return 0  # as scikit-learn does where all candidates tie
        best = int(np.nanargmax(mean))
        is_fold = re.compile(rf"split\d+_test_{re.escape(self.metric)}").fullmatch
        folds = [values[best] for key, values in cv_results.items() if is_fold(key)]
        error = np.std(folds, ddof=1) / np.sqrt(len(folds)) if len(folds) > 1 else 0.0
        size = self._size(cv_results)
        size[~(mean >= mean[best] - error)] = np.inf
        if not np.isfinite(size).any():
            return best
        simplest = np.flatnonzero(size == size.min())
        return int(simplest[np.argmax(mean[simplest])])

    def _size(self, cv_results: Mapping[str, Any]) -> np.ndarray:
        """How complex each candidate is; infinity where it does not have the hyperparameter."""
        if self.by not in cv_results:
            raise ValueError(
                f"one_standard_error(by={self.by!r}) needs a key of cv_results_, got one of "
                f"{sorted(cv_results)}."
            )
        values: Any = np.ma.masked_array(cv_results[self.by])
        try:
            size = values.astype(float).filled(np.nan)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"one_standard_error(by={self.by!r}) needs numbers to compare, got {values!r}."
            ) from error
        return np.nan_to_num(-size if self.largest else size, nan=np.inf)


def one_standard_error(
    by: str = "mean_fit_time", *, metric: str = "score", largest: bool = False
) -> _OneStandardError:
    """Rule that chooses the simplest candidate within one standard error of the best.

    Scores of folds vary, and the best of many candidates is best by chance too. This rule takes the
    simplest candidate whose mean score is at most one standard error below the best one's.

    Parameters
    ----------
    by : str, default="mean_fit_time"
        Key of `cv_results_` that says how complex a candidate is, such as `"param_max_depth"`; by
        default what it costs. Candidates that do not have it (conditional hyperparameters) are not
        chosen, unless none has it.
    metric : str, default="score"
        Metric to compare, where there are several.
    largest : bool, default=False
        Whether the largest value is the simplest, as of a penalty.

    Returns
    -------
    rule : callable
        Takes `cv_results_` and returns the index of a candidate. It suits `refit` of any search of
        scikit-learn.

    References
    ----------
    .. [1] Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees", 1984,
       section 3.4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skmeta.model_selection import one_standard_error
    >>> search = GridSearchCV(
    ...     DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3, 4, 5]},
    ...     refit=one_standard_error("param_max_depth"),
    ... )
    >>> search.fit(*load_iris(return_X_y=True)).best_params_
    {'max_depth': 3}
    """
    return _OneStandardError(by=by, metric=metric, largest=largest)

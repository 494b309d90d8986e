"""How fast searches get better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmeta.inspection._few_shot_models import new_axes


class SearchProgressDisplay:
    """Best score so far against the number of trials, for one or more fitted searches.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n_trials,)
        Score of each trial of each search, in the order of the trials; NaN for one that failed.
        Higher is better.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D

    See Also
    --------
    HyperparameterImportanceDisplay : Which hyperparameters the scores depend on.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skmeta.inspection import SearchProgressDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> grid = GridSearchCV(LogisticRegression(max_iter=500), {"C": [1e-4, 1, 1e-2]}).fit(X, y)
    >>> display = SearchProgressDisplay.from_estimator({"grid": grid})
    >>> display.best_so_far("grid").round(2).tolist()
    [0.69, 0.97, 0.97]
    """

    def __init__(self, scores: Mapping[str, Any]):
        self.scores = {name: np.asarray(found, dtype=float) for name, found in scores.items()}

    @classmethod
    def from_estimator(cls, searches: Any, *, metric: str | None = None) -> Self:
        """Collect the scores of searches.

        Parameters
        ----------
        searches : fitted search, or dict of str to fitted search
            Any that has scikit-learn's `cv_results_`.
        metric : str or None, default=None
            Which score of a search over several metrics.

        Returns
        -------
        display : SearchProgressDisplay

        Raises
        ------
        ValueError
            If a search has no score of that name.
        """
        if not isinstance(searches, Mapping):
            searches = {type(searches).__name__: searches}
        key = f"mean_test_{metric or 'score'}"
        scores = {}
        for name, search in searches.items():
            check_is_fitted(search, "cv_results_")
            if key not in search.cv_results_:
                known = sorted(k[10:] for k in search.cv_results_ if k.startswith("mean_test_"))
                raise ValueError(f"{name} has no score {metric or 'score'!r}; metric: {known}.")
            scores[name] = search.cv_results_[key]
        return cls(scores)

    def best_so_far(self, name: str) -> np.ndarray:
        """Highest score up to each trial; NaN before the first that did not fail."""
        return np.fmax.accumulate(self.scores[name])

    def plot(self, ax: Any = None) -> Self:
        """Draw a step line for the best score of each search, and a dot for each trial.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : SearchProgressDisplay
        """
        ax = new_axes(self, ax)
        self.lines_ = {}
        for name, scores in self.scores.items():
            trials = np.arange(1, len(scores) + 1)
            (line,) = ax.step(trials, self.best_so_far(name), where="post", label=name)
            ax.scatter(trials, scores, s=10, color=line.get_color(), alpha=0.4, lw=0)
            self.lines_[name] = line
        ax.set(xlabel="Trials", ylabel="Score (line: best so far)")
        ax.legend(loc="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self

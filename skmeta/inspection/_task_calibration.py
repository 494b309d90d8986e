"""Whether adapted models are as sure as they should be, over tasks."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from scipy.stats import norm
from sklearn.base import is_classifier

from skmeta.inspection._few_shot_models import adapt, nested_splits, new_axes
from skmeta.tasks import TaskCollection

_LEVELS = np.linspace(0.05, 0.95, 19)
_BINS = np.linspace(0, 1, 11)


class TaskCalibrationDisplay:
    """What adapted models claim against what happens, with a band over tasks.

    For regressors, the share of query rows within the central predictive interval of a level,
    against that level. For classifiers, how often classes of a predicted probability are the true
    one, against that probability; with two classes, the second of them alone. On the diagonal,
    models are as sure as they should be; below it they are too sure.

    Parameters
    ----------
    claimed : ndarray of shape (n_points,)
        Levels, or probabilities.
    observed : ndarray of shape (n_points, n_tasks)
        Shares of the rows of each task; NaN where a task has none.
    weights : ndarray of shape (n_points, n_tasks)
        Rows that the shares are of.
    kind : {"interval", "probability"}
        What is claimed.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : One classifier of two classes, one table.

    Examples
    --------
    >>> from skmeta import MetaRidgeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.inspection import TaskCalibrationDisplay
    >>> tasks = make_linear_tasks(n_tasks=60, noise=0.3, random_state=0)
    >>> meta = MetaRidgeRegressor().fit(tasks[:30])
    >>> display = TaskCalibrationDisplay.from_estimator(meta, tasks[30:], n_support=5)
    >>> bool(abs(display.mean - display.claimed).max() < 0.1)
    True
    """

    def __init__(
        self,
        claimed: Any,
        observed: Any,
        weights: Any,
        *,
        kind: Literal["interval", "probability"] = "interval",
    ):
        self.claimed, self.observed = np.asarray(claimed), np.asarray(observed)
        self.weights, self.kind = np.asarray(weights), kind

    @property
    def mean(self) -> np.ndarray:
        """Observed share of all rows, of shape (n_points,)."""
        return np.nansum(self.observed * self.weights, axis=1) / self.weights.sum(axis=1)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        tasks: TaskCollection,
        *,
        n_support: int = 10,
        strategy: Literal["random", "first"] = "random",
        random_state: int = 0,
    ) -> Self:
        """Adapt to some rows of each task, and compare what is claimed of the others.

        Parameters
        ----------
        estimator : fitted meta-learner
            A regressor must have `predict(X, return_std=True)`, and is taken to be normal.
        tasks : TaskCollection
            Tasks that it has not seen. Those with no more rows than `n_support` are left out.
        n_support : int, default=10
            Rows to adapt to.
        strategy : {"random", "first"}, default="random"
            Whether support rows are drawn at random or are the first of each task.
        random_state : int, default=0
            Seed of the splits.

        Returns
        -------
        display : TaskCalibrationDisplay

        Raises
        ------
        ValueError
            If no task has more than `n_support` rows.
        """
        ((_, supports, queries),) = nested_splits(
            tasks, [n_support], strategy=strategy, random_state=random_state
        )
        pairs = zip(adapt(estimator, supports), queries, strict=True)
        if not is_classifier(estimator):
            shares = np.column_stack([_held(model, task) for model, task in pairs])
            weights = np.tile(queries.sizes, (len(_LEVELS), 1))
            return cls(_LEVELS, shares, weights, kind="interval")
        sums = np.stack([_binned(model, task) for model, task in pairs], axis=2)
        count, claim, hits = sums[:, sums[0].sum(axis=1) > 0]
        with np.errstate(invalid="ignore"):
            observed = hits / count
        return cls(claim.sum(axis=1) / count.sum(axis=1), observed, count, kind="probability")

    def plot(self, ax: Any = None) -> Self:
        """Draw the observed shares, twice their standard error over tasks, and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : TaskCalibrationDisplay
        """
        ax = new_axes(self, ax)
        mean, error = self.mean, 2 * self._standard_error()
        ax.plot([0, 1], [0, 1], color="black", lw=1, ls="--", label="as sure as it should be")
        (self.line_,) = ax.plot(self.claimed, mean, marker="o", ms=4, label="adapted models")
        ax.fill_between(self.claimed, mean - error, mean + error, alpha=0.2, lw=0)
        is_interval = self.kind == "interval"
        ax.set(
            xlabel="Level of the interval" if is_interval else "Predicted probability",
            ylabel="Rows within the interval" if is_interval else "Share that is true",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
        )
        ax.legend(loc="upper left")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _standard_error(self) -> np.ndarray:
        """Of the observed share of all rows, where tasks, not rows, are drawn independently."""
        away = np.nan_to_num(self.observed - self.mean[:, None]) * self.weights
        n_tasks = self.weights.shape[1]
        return away.std(axis=1) * np.sqrt(n_tasks) / self.weights.sum(axis=1)


def _held(model: Any, task: Any) -> np.ndarray:
    """Share of a task's rows in the interval of each level."""
    mean, std = model.predict(task.X, return_std=True)
    distance = np.abs(task.y - mean) / std
    return np.mean(distance <= norm.ppf(0.5 + _LEVELS / 2)[:, None], axis=1)


def _binned(model: Any, task: Any) -> np.ndarray:
    """Number of claims in each bin, their sum, and how many are true, of shape (3, n_bins)."""
    proba = model.predict_proba(task.X)
    true = np.asarray(model.classes_)[None] == np.asarray(task.y)[:, None]
    if proba.shape[1] == 2:  # what is claimed of one class mirrors what is of the other
        proba, true = proba[:, 1:], true[:, 1:]
    bins = np.clip(np.digitize(proba.ravel(), _BINS) - 1, 0, len(_BINS) - 2)
    parts = (np.ones(proba.size), proba.ravel(), true.ravel())
    return np.stack([np.bincount(bins, part, minlength=len(_BINS) - 1) for part in parts])

"""How far estimates of small tasks are pulled towards what all tasks have in common."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import clone

from skmeta.inspection._few_shot_models import new_axes
from skmeta.tasks import TaskCollection


class ShrinkageDisplay:
    """Predictions at one point: of each task alone, and of the same task adapted from the prior.

    An arrow for each task leads from what its own rows say to what they say together with the
    prior. Arrows of tasks with few rows are long, and point to the prior.

    Parameters
    ----------
    n_rows : ndarray of shape (n_tasks,)
        Rows of each task.
    alone, adapted : ndarray of shape (n_tasks,)
        Predictions without and with the prior.
    prior : float
        Prediction before any row of a task.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    References
    ----------
    .. [1] Gelman & Hill (2007). Data analysis using regression and multilevel/hierarchical models.
       Chapter 12 (partial pooling).

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from skmeta import MetaRidgeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.inspection import ShrinkageDisplay
    >>> tasks = make_linear_tasks(n_tasks=40, n_rows=6, random_state=0)
    >>> meta = MetaRidgeRegressor().fit(tasks)
    >>> display = ShrinkageDisplay.from_estimator(
    ...     meta, tasks, tasks[0].X[:1], alone=LinearRegression()
    ... )
    >>> bool(display.adapted.std() < display.alone.std())
    True
    """

    def __init__(self, n_rows: Any, alone: Any, adapted: Any, prior: float):
        self.n_rows, self.prior = np.asarray(n_rows), prior
        self.alone, self.adapted = np.asarray(alone), np.asarray(adapted)

    @classmethod
    def from_estimator(
        cls, estimator: Any, tasks: TaskCollection, point: Any, *, alone: Any
    ) -> Self:
        """Predict the target of one row in each task.

        Parameters
        ----------
        estimator : fitted meta-regressor
        tasks : TaskCollection
            Their rows are the supports.
        point : array-like or data frame of shape (1, n_features)
            The row.
        alone : regressor
            Is fitted to the rows of each task alone.

        Returns
        -------
        display : ShrinkageDisplay

        Raises
        ------
        ValueError
            If `point` has not one row.
        """
        if len(point) != 1:
            raise ValueError(f"point must have one row, got {len(point)}.")
        adapted = [model.predict(point)[0] for model in estimator.fit_adapt_many(tasks)]
        single = [clone(alone).fit(task.X, task.y).predict(point)[0] for task in tasks]
        return cls(tasks.sizes, single, adapted, float(estimator.predict(point)[0]))

    def plot(self, ax: Any = None) -> Self:
        """Draw an arrow for each task over its number of rows, and a line for the prior.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : ShrinkageDisplay
        """
        ax = new_axes(self, ax)
        from matplotlib.ticker import LogFormatter

        # Tasks of one size would lie on each other.
        spread = np.random.default_rng(0).uniform(-0.06, 0.06, len(self.n_rows))
        x = self.n_rows * np.exp(spread)
        ax.axhline(self.prior, color="black", lw=1, ls="--", label="prior")
        for at, start, stop in zip(x, self.alone, self.adapted, strict=True):
            ax.annotate(
                "",
                xy=(at, stop),
                xytext=(at, start),
                arrowprops={"arrowstyle": "->", "color": "0.6", "shrinkA": 0, "shrinkB": 0},
            )
        ax.scatter(x, self.alone, s=18, facecolors="white", edgecolors="tab:gray", label="alone")
        ax.scatter(x, self.adapted, s=18, color="tab:blue", label="with the prior", zorder=3)
        ax.set(xlabel="Rows of the task", ylabel="Prediction", xscale="log")
        for set_formatter in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
            set_formatter(LogFormatter(minor_thresholds=(2, 0.4)))  # 20, not 2 x 10^1
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

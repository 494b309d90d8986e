"""Which tasks gain by adaptation."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import is_classifier

from skmeta.inspection._few_shot_models import adapt, nested_splits, new_axes
from skmeta.tasks import TaskCollection

_LEAST_PROBA = 1e-6


class TaskErrorDisplay:
    """Error on each task after adapting, against that of a model that ignores the support.

    Points below the diagonal are tasks that gain.

    Parameters
    ----------
    adapted, reference : ndarray of shape (n_tasks,)
        Errors of the adapted models and of the reference.
    error_name : str
        Label of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : matplotlib PathCollection

    See Also
    --------
    AdaptationCurveDisplay : Mean over tasks, at several numbers of rows.

    Examples
    --------
    >>> from skmeta import MetaRidgeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.inspection import TaskErrorDisplay
    >>> tasks = make_linear_tasks(n_tasks=40, random_state=0)
    >>> meta = MetaRidgeRegressor().fit(tasks[:30])
    >>> display = TaskErrorDisplay.from_estimator(meta, tasks[30:], n_support=5)
    >>> display.share_better
    1.0
    """

    def __init__(self, adapted: Any, reference: Any, *, error_name: str = "Error"):
        self.adapted, self.reference = np.asarray(adapted), np.asarray(reference)
        self.error_name = error_name

    @property
    def share_better(self) -> float:
        """Share of the tasks whose error is less after adapting."""
        return float(np.mean(self.adapted < self.reference))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        tasks: TaskCollection,
        *,
        n_support: int = 10,
        reference: Any = None,
        strategy: Literal["random", "first"] = "random",
        random_state: int = 0,
    ) -> Self:
        """Adapt to some rows of each task, and judge both models on the others.

        Parameters
        ----------
        estimator : fitted meta-learner
        tasks : TaskCollection
            Tasks that it has not seen. Those with no more rows than `n_support` are left out.
        n_support : int, default=10
            Rows to adapt to.
        reference : fitted estimator, default=None
            Predicts query rows as it is, such as a model fitted on the rows of all training tasks.
            By default the meta-learner before adaptation.
        strategy : {"random", "first"}, default="random"
            Whether support rows are drawn at random or are the first of each task.
        random_state : int, default=0
            Seed of the splits.

        Returns
        -------
        display : TaskErrorDisplay
            Errors are root mean squared errors of regressors, log-losses of classifiers.

        Raises
        ------
        ValueError
            If no task has more than `n_support` rows.
        """
        ((_, supports, queries),) = nested_splits(
            tasks, [n_support], strategy=strategy, random_state=random_state
        )
        blind = estimator if reference is None else reference
        error = _log_loss if is_classifier(estimator) else _rmse
        adapted = adapt(estimator, supports)
        return cls(
            [error(model, task) for model, task in zip(adapted, queries, strict=True)],
            [error(blind, task) for task in queries],
            error_name="Log-loss" if is_classifier(estimator) else "Root mean squared error",
        )

    def plot(self, ax: Any = None) -> Self:
        """Draw a point for each task, and the diagonal.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : TaskErrorDisplay
        """
        ax = new_axes(self, ax)
        better = self.adapted < self.reference
        colors = np.where(better, "tab:blue", "tab:orange")
        self.points_ = ax.scatter(self.reference, self.adapted, c=colors, alpha=0.7)
        both = np.concatenate([self.adapted, self.reference])
        margin = 0.05 * np.ptp(both)
        limits = (both.min() - margin, both.max() + margin)
        ax.plot(limits, limits, color="black", lw=1, ls="--")
        ax.set(
            xlabel=f"{self.error_name}, ignoring the support",
            ylabel=f"{self.error_name}, adapted",
            title=f"{better.sum()} of {len(better)} tasks gain",
            xlim=limits,
            ylim=limits,
            aspect="equal",
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _rmse(model: Any, task: Any) -> float:
    return float(np.sqrt(np.mean((model.predict(task.X) - task.y) ** 2)))


def _log_loss(model: Any, task: Any) -> float:
    """Log-loss, in which a class that the model does not know has next to no probability."""
    proba, classes = model.predict_proba(task.X), np.asarray(model.classes_)
    column = np.searchsorted(classes, task.y).clip(max=len(classes) - 1)
    chosen = np.where(classes[column] == task.y, proba[np.arange(task.n_rows), column], 0.0)
    return float(-np.log(chosen.clip(_LEAST_PROBA, 1)).mean())

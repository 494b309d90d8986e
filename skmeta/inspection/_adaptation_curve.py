"""How a learner's score grows with the rows that it adapts to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from sklearn.metrics import check_scoring

from skmeta.inspection._few_shot_models import adapt, nested_splits, new_axes, standard_error
from skmeta.tasks import TaskCollection


class AdaptationCurveDisplay:
    """Score on new tasks against the number of support rows, a band over tasks, baselines beside.

    Parameters
    ----------
    shots : ndarray of shape (n_shots,)
        Numbers of support rows.
    scores : dict of str to ndarray of shape (n_shots, n_tasks)
        Scores of each learner on each task; NaN where a score is not defined.
    score_name : str
        Label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D

    See Also
    --------
    TaskErrorDisplay : Each task by itself, at one number of rows.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skmeta import MetaRidgeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.inspection import AdaptationCurveDisplay
    >>> tasks = make_linear_tasks(n_tasks=40, random_state=0)
    >>> meta = MetaRidgeRegressor().fit(tasks[:30])
    >>> display = AdaptationCurveDisplay.from_estimator(
    ...     meta, tasks[30:], shots=[2, 5], baselines={"ridge alone": Ridge()}
    ... )
    >>> display.scores["MetaRidgeRegressor"].shape
    (2, 10)
    """

    def __init__(self, shots: Any, scores: Mapping[str, np.ndarray], *, score_name: str = "Score"):
        self.shots = np.asarray(shots)
        self.scores = dict(scores)
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        tasks: TaskCollection,
        *,
        shots: Sequence[int] = (1, 2, 5, 10),
        baselines: Mapping[str, Any] | None = None,
        scoring: Any = None,
        strategy: Literal["random", "first"] = "random",
        random_state: int = 0,
    ) -> Self:
        """Adapt to more and more rows of each task, and score on the same other rows.

        Parameters
        ----------
        estimator : fitted meta-learner
        tasks : TaskCollection
            Tasks that it has not seen. Those with no more rows than the largest number of shots
            are left out.
        shots : sequence of int, default=(1, 2, 5, 10)
            Numbers of support rows; 0 is the prior.
        baselines : dict of str to estimator, default=None
            Fitted meta-learners, or ordinary estimators, which are fitted to the support alone. A
            support of one class, which many classifiers refuse, then predicts that class.
        scoring : str, callable or None, default=None
            As in :func:`sklearn.model_selection.cross_val_score`. By default accuracy for
            classifiers, R² for regressors.
        strategy : {"random", "first"}, default="random"
            Whether support rows are drawn at random or are the first of each task.
        random_state : int, default=0
            Seed of the splits.

        Returns
        -------
        display : AdaptationCurveDisplay

        Raises
        ------
        ValueError
            If shots are not integers of at least 0, or no task is large enough.
        """
        learners = {type(estimator).__name__: estimator, **(baselines or {})}
        scores: dict[str, list] = {name: [] for name in learners}
        for _, supports, queries in nested_splits(
            tasks, shots, strategy=strategy, random_state=random_state
        ):
            for name, learner in learners.items():
                models = adapt(learner, supports)
                scores[name].append(
                    [
                        float(check_scoring(model, scoring)(model, task.X, task.y))
                        for model, task in zip(models, queries, strict=True)
                    ]
                )
        found = {name: np.array(rows) for name, rows in scores.items()}
        return cls(shots, found, score_name=_name(scoring, estimator))

    def plot(self, ax: Any = None) -> Self:
        """Draw a line for the mean over tasks of each learner, and twice its standard error.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : AdaptationCurveDisplay
        """
        ax = new_axes(self, ax)
        self.lines_ = {}
        for name, scores in self.scores.items():
            mean, error = np.nanmean(scores, axis=1), 2 * standard_error(scores)
            (line,) = ax.plot(self.shots, mean, marker="o", label=name)
            ax.fill_between(self.shots, mean - error, mean + error, alpha=0.2, lw=0)
            self.lines_[name] = line
        ax.set(xlabel="Support rows", ylabel=f"{self.score_name} (mean over tasks, ± 2 s.e.)")
        ax.set_xticks(self.shots)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _name(scoring: Any, estimator: Any) -> str:
    if scoring is None:
        return "Accuracy" if hasattr(estimator, "predict_proba") else "R²"
    return scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "Score")

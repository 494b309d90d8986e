"""What stacking found: which learner suits the problem, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class StackingReport:
    """Losses and weights of the candidates on training tasks that they had not seen.

    Its `str` is a table for reading; in a notebook it is shown as one.

    Attributes
    ----------
    metric : str
        The loss: "mean squared error" or "log-loss". Lower is better.
    support_strategy : str
        How supports were drawn: "random" or "first".
    names : list of str
        The candidates.
    shots : ndarray of shape (n_shots,)
        Numbers of support rows that candidates had adapted to.
    n_tasks : ndarray of shape (n_shots,)
        Number of tasks that were large enough for them.
    losses, errors : ndarray of shape (n_candidates, n_shots)
        Mean loss over tasks of each candidate, and its standard error.
    weights : ndarray of shape (n_candidates, n_shots)
        Weights of the candidates in the mixture. Those of classifiers need not have the sum one.
    stack_losses, stack_errors : ndarray of shape (n_shots,)
        The same of the mixture, for tasks that its weights had not seen.
    trust : ndarray of shape (n_shots,)
        Part of the learned weights that the guard let through: 0 where they do not beat the
        reference by more than the noise, 1 where they do.
    reference : str or None
        The model that ignores the support, which the guard compares with.
    best : str
        The candidate of the largest weight, over all numbers of shots above 0.
    skipped : dict of str to str
        Candidates that were not tried, and why.

    Examples
    --------
    >>> from skmeta import AutoMetaRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=8, n_rows=8, random_state=0)
    >>> report = AutoMetaRegressor().fit(tasks).report_
    >>> report.best, report.metric
    ('linear mixed model', 'mean squared error')
    >>> report.losses.shape == (len(report.names), len(report.shots))
    True
    """

    metric: str
    support_strategy: str
    names: list[str]
    shots: NDArray[np.intp]
    n_tasks: NDArray[np.intp]
    losses: Array
    errors: Array
    weights: Array
    stack_losses: Array
    stack_errors: Array
    trust: Array
    reference: str | None
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """The candidate of the largest weight."""
        return self.names[int(self.weights[:, self._informed].mean(axis=1).argmax())]

    @property
    def _informed(self) -> NDArray[np.bool_]:
        some = self.shots > 0
        return some if some.any() else ~some

    @property
    def reason(self) -> str:
        """In words, which learner was chosen and why."""
        if not self.n_tasks.any():
            return f"{self.best}: there are too few tasks or rows to compare learners on."
        weights = self.weights[:, self._informed]
        share = (weights / weights.sum(axis=0))[self.names.index(self.best)].mean()
        text = f"{self.best} has the largest weight ({share:.0%} on average over shots)."
        if self.reference is None:
            return text
        row = self.names.index(self.reference)
        gain = 1 - self.stack_losses / self.losses[row]
        parts = (
            f"{_gain(g) if t > 0 else 'no gain beyond noise'} at {k} shots"
            for k, g, t in zip(self.shots, gain, self.trust, strict=True)
        )
        return f"{text} Against {self.reference}, which ignores the support: {', '.join(parts)}."

    def __str__(self) -> str:
        head = ["", *(f"{k} shots" for k in self.shots)]
        lines = [[name, *cells] for name, cells in self._rows()]
        widths = [max(len(row[i]) for row in [head, *lines]) for i in range(len(head))]
        table = "\n".join(
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for row in [head, *lines]
        )
        skipped = "".join(f"\nnot tried: {n} ({why})" for n, why in self.skipped.items())
        return f"{self._title}\n{table}\n{self.reason}{skipped}"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{k} shots</th>" for k in self.shots)
        body = "".join(
            f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
            for name, cells in self._rows()
        )
        skipped = "".join(
            f"<br>not tried: {escape(n)} ({escape(why)})" for n, why in self.skipped.items()
        )
        return (
            f"<table><caption>{escape(self._title)}</caption><tr><th></th>{head}</tr>{body}"
            f"</table><p>{escape(self.reason)}{skipped}</p>"
        )

    @property
    def _title(self) -> str:
        return (
            f"Out-of-task {self.metric} ± standard error [weight], {self.support_strategy} supports"
        )

    def _rows(self) -> list[tuple[str, list[str]]]:
        rows = [
            (name, [f"{m:.4g} ± {s:.2g} [{w:.2f}]" for m, s, w in zip(*columns, strict=True)])
            for name, *columns in zip(
                self.names, self.losses, self.errors, self.weights, strict=True
            )
        ]
        stack = zip(self.stack_losses, self.stack_errors, strict=True)
        rows.append(("mixture", [f"{m:.4g} ± {s:.2g}" for m, s in stack]))
        rows.append(("tasks", [str(n) for n in self.n_tasks]))
        return rows


def _gain(share: float) -> str:
    return f"{share:.0%} less loss" if share >= 0.005 else "under 1% less loss"

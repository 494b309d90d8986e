"""Learning from the training tasks whether a new task may split leaves of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from skmeta.tree._growing import Table, cut
from skmeta.tree._learning import Learned
from skmeta.tree._likelihood import Bernoulli
from skmeta.tree._prior import Supports, TreePrior, over_tasks
from skmeta.tree._selection import Choice
from skmeta.tree._splitting import SplitPrior
from skmeta.tree._tree_departure import depart_in_tree

Array = NDArray[np.floating]
Index = NDArray[np.intp]

_MAX_TASKS = 40
_MAX_ROWS = 100
# The variance of a split's effects, in units of that of a task's whole departure.
_SHARES = (0.25, 1.0)


def learn_splitting(
    table: Table,
    outputs: Array,
    choice: Choice,
    learned: Learned,
    prior_at: Callable[[TreePrior, Index], Array],
    probabilities: Sequence[float],
) -> SplitPrior:
    """Choose how readily tasks split leaves, by few-shot predictions of training tasks.

    Half the rows of a task, at most 50, are adapted to in a tree that has not seen it, and the
    others are predicted.

    Parameters
    ----------
    table : Table
    outputs : ndarray of shape (n_rows, n_outputs)
        Targets to adapt to.
    choice : Choice
    learned : Learned
    prior_at : callable
        What tasks share at the leaves of rows.
    probabilities : sequence of float
        Prior probabilities of a split to choose from. The first one stays unless another is
        better by more than the standard error.

    Returns
    -------
    splitting : SplitPrior
    """
    whole = float(learned.variances.sum())
    options = [SplitPrior(p, share * whole) for p in probabilities for share in _SHARES]
    options = [o for o in options if o.probability > 0 and o.variance > 0]
    if 0.0 in probabilities or not options:
        options.insert(0, SplitPrior(0.0, 0.0))
    if len(options) == 1:
        return options[0]
    losses = np.array(
        [_losses(table, outputs, choice, learned, prior_at, splitting) for splitting in options]
    )
    gain = losses[0] - losses
    if not gain.size:  # no task has a row to learn from and another one to judge by
        return options[0]
    error = gain.std(axis=1) / np.sqrt(gain.shape[1])
    return options[int(np.argmax(np.where(gain.mean(axis=1) > error, gain.mean(axis=1), 0.0)))]


def _losses(
    table: Table,
    outputs: Array,
    choice: Choice,
    learned: Learned,
    prior_at: Callable[[TreePrior, Index], Array],
    splitting: SplitPrior,
) -> Array:
    """Negative log predictive density of the second half of each task."""
    noise = None if table.is_classes else learned.noise_variance
    tasks = np.linspace(0, table.n_tasks - 1, min(table.n_tasks, _MAX_TASKS)).round().astype(int)
    ends = np.searchsorted(table.task, np.arange(table.n_tasks + 1))
    losses = []
    committee, depth = choice.committee, choice.settings.max_depth
    for nodes, leaves, seen in zip(
        committee.nodes, committee.leaves, committee.has_seen, strict=True
    ):
        unseen = tasks[~seen[tasks]]
        variances = np.zeros(max(len(nodes.levels), len(learned.variances)))
        variances[: len(learned.variances)] = learned.variances
        prior = TreePrior([nodes], variances, noise, splitting)
        ends_in = cut(nodes, leaves, depth)[None]
        shared = prior_at(prior, ends_in)
        for start, stop in zip(ends[unseen], ends[unseen + 1], strict=True):
            stop = min(stop, start + _MAX_ROWS)
            middle = (start + stop) // 2
            if middle == start:
                continue
            rows, rest = slice(start, middle), slice(middle, stop)
            offsets = np.array([0, middle - start])
            support = Supports(
                ends_in[:, rows], table.X[rows], outputs[rows], shared[rows], offsets
            )
            departure = next(depart_in_tree(prior, support))
            mean, variance = departure(prior, ends_in[:, rest], table.X[rest])
            losses.append(_loss(outputs[rest], shared[rest] + mean, variance, noise))
    return np.array(losses)


def _loss(y: Array, values: Array, variance: Array, noise: float | None) -> float:
    if noise is not None:
        return float(-norm.logpdf(y, values, np.sqrt(variance + noise)).mean())
    return float(-Bernoulli().log_density(y, over_tasks(values, variance)).mean())

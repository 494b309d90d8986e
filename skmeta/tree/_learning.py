"""What trees learn from the training tasks, on trees that have not seen them.

An episode is a training task with the trees that were grown without it. The log evidence of its
rows is the sum of the log predictive densities of each row given those before it, so it rewards
what predicts well from few rows and from more, and it is honest as no tree has seen the task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize
from scipy.special import expit

from skmeta.tree._growing import Committee, Table
from skmeta.tree._likelihood import Bernoulli, Gaussian
from skmeta.tree._prior import MACKAY
from skmeta.tree._process import Rows, evidence, posterior

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# Evidence of more tasks, or of more rows of a task, would cost more time than it gains.
MAX_TASKS = 80
MAX_EPISODES = 160  # there is one for each task and class
MAX_ROWS = 25
# Variances range this much below and above that of the target.
_LEAST, _MOST = 1e-6, 1e2
# Few-shot validation: rows to adapt to, and factors of the variances to choose from.
_N_SUPPORT = 8
_SCALES = (1.0, 0.3, 0.1, 0.03)


class Episodes(NamedTuple):
    """Rows of training tasks, padded, and which nodes they share in trees grown without them."""

    rows: Index  # (n_tasks, n_rows), of the table
    inside: Array  # (n_tasks, n_rows)
    kernels: Array  # (n_tasks, n_rows, n_rows, n_levels), share of trees

    def up_to(self, depth: int) -> Episodes:
        """The same in trees that are cut at a depth."""
        return self._replace(kernels=np.ascontiguousarray(self.kernels[..., : depth + 1]))


class Learned(NamedTuple):
    """Variances, and how well they explain the training tasks."""

    variances: Array  # (n_levels,)
    noise_variance: float
    log_evidence: float


def make_episodes(table: Table, committee: Committee, n_levels: int) -> Episodes:
    """Collect some rows of some tasks, and the nodes that they share.

    Parameters
    ----------
    table : Table
        Rows of a task come in an order that depends on their contents alone.
    committee : Committee
    n_levels : int

    Returns
    -------
    episodes : Episodes
        Of tasks that some tree has not seen.
    """
    tasks = np.flatnonzero(~committee.has_seen.all(axis=0))
    n_tasks = min(len(tasks), MAX_TASKS, MAX_EPISODES // table.targets.shape[1])
    tasks = tasks[np.linspace(0, len(tasks) - 1, n_tasks).round().astype(int)]
    sizes = np.bincount(table.task, minlength=table.n_tasks)
    starts = np.cumsum(sizes) - sizes
    length = min(MAX_ROWS, sizes[tasks].max())
    inside = np.arange(length) < sizes[tasks, None]
    rows = np.where(inside, starts[tasks, None] + np.arange(length), 0)
    kernels = np.zeros((len(tasks), length, length, n_levels))
    n_unseen = np.zeros(len(tasks))
    for nodes, leaves, seen in zip(
        committee.nodes, committee.leaves, committee.has_seen[:, tasks], strict=True
    ):
        path = nodes.ancestors[leaves[rows[~seen]]]  # (n_tasks, n_rows, n_levels of this tree)
        is_shared = (path[:, :, None] == path[:, None]) & (path[:, :, None] >= 0)
        kernels[~seen, :, :, : path.shape[2]] += is_shared
        n_unseen += ~seen
    kernels /= n_unseen[:, None, None, None]
    return Episodes(rows, inside.astype(float), kernels)


def learn_gaussian(
    episodes: Episodes,
    residual: Array,
    *,
    start: Learned | None = None,
    fixed: Array | None = None,
    max_iter: int = 50,
) -> Learned:
    """Maximise the evidence of normal residuals over the variance of each level and the noise.

    Parameters
    ----------
    episodes : Episodes
    residual : ndarray of shape (n_rows_of_table, n_outputs)
        Targets less the predictions of trees that have not seen the task. Outputs share the
        variances.
    start : Learned or None, default=None
        Where to start from.
    fixed : ndarray of shape (n_levels,) or None, default=None
        Variances that are given; then the noise alone is learned.
    max_iter : int, default=50

    Returns
    -------
    learned : Learned
    """
    kernels, rows = _stack(episodes, residual, np.zeros_like(residual))
    scale = float(np.sum(rows.inside * rows.y**2) / rows.inside.sum()) or 1.0
    n_levels = kernels.shape[-1]

    def loss(log_variances: Array) -> tuple[float, Array]:
        free = scale * np.exp(log_variances)
        variances = free[:-1] if fixed is None else fixed
        value, gradient, _ = evidence(kernels, variances, rows, Gaussian(float(free[-1])))
        return -value, -gradient[-len(free) :] * free

    init = np.append(np.full(n_levels, 0.5 / n_levels), 0.5)
    if start is not None:
        known = start.variances[:n_levels]
        init[: len(known)], init[-1] = known / scale, start.noise_variance / scale
    best = _minimise(loss, init if fixed is None else init[-1:], max_iter)
    found = scale * np.exp(best.x)
    variances = _without_traces(found[:-1], scale) if fixed is None else fixed
    return Learned(variances, float(found[-1]), -float(best.fun))


def learn_bernoulli(
    episodes: Episodes, classes: Array, log_odds: Array, *, start: Array, max_iter: int = 20
) -> Learned:
    """Maximise the evidence of classes over the variance of each level.

    Parameters
    ----------
    episodes : Episodes
    classes : ndarray of shape (n_rows_of_table, n_outputs)
        Indicators of classes.
    log_odds : ndarray of shape (n_rows_of_table, n_outputs)
        Predictions of trees that have not seen the task, over all tasks. Those of a typical task
        depend on the variances; see :func:`~skmeta.tree._prior.of_task`.
    start : ndarray of shape (n_levels,)
    max_iter : int, default=20

    Returns
    -------
    learned : Learned
        Its noise variance is 0.
    """
    kernels, rows = _stack(episodes, classes, log_odds)

    of_levels = np.einsum("tiid->tid", kernels)

    def loss(log_variances: Array) -> tuple[float, Array]:
        variances = np.exp(log_variances)
        stretch = np.sqrt(1 + MACKAY * (of_levels @ variances))
        typical = rows._replace(prior=stretch * rows.prior)
        value, gradient, of_prior = evidence(kernels, variances, typical, Bernoulli())
        through_prior = np.einsum("ti,tid->d", of_prior * rows.prior / stretch, of_levels)
        return -value, -(gradient[:-1] + MACKAY / 2 * through_prior) * variances

    best = _minimise(loss, start, max_iter)
    return Learned(_without_traces(np.exp(best.x), 1.0), 0.0, -float(best.fun))


def trust_bernoulli(
    episodes: Episodes, classes: Array, log_odds: Array, learned: Learned
) -> Learned:
    """Scale the variances so that few-shot predictions of training tasks are best.

    Laplace's approximation of the evidence errs where tasks have few rows or one class only; what
    a task's first rows say of its others does not.

    Parameters
    ----------
    episodes : Episodes
    classes, log_odds : ndarray of shape (n_rows_of_table, n_outputs)
        As in :func:`learn_bernoulli`.
    learned : Learned

    Returns
    -------
    learned : Learned
    """
    kernels, rows = _stack(episodes, classes, log_odds)
    losses = np.array(
        [_few_shot_losses(kernels, rows, c * learned.variances, classes.shape[1]) for c in _SCALES]
    )
    gain = losses[0] - losses
    error = gain.std(axis=1) / np.sqrt(gain.shape[1])
    # What looks better by chance is not: the gain must exceed its standard error.
    best = int(np.argmax(np.where(gain.mean(axis=1) > error, gain.mean(axis=1), 0.0)))
    return learned._replace(variances=_SCALES[best] * learned.variances)


def _few_shot_losses(kernels: Array, rows: Rows, variances: Array, n_outputs: int) -> Array:
    """Log loss on all but the first rows of each task, after adapting to these."""
    n_support = min(_N_SUPPORT, rows.y.shape[1] // 2)
    kernel = kernels @ variances
    spread = np.einsum("tii->ti", kernel)
    prior = rows.prior * np.sqrt(1 + MACKAY * spread)
    support = Rows(*(part[:, :n_support] for part in rows._replace(prior=prior)))
    found = posterior(kernel[:, :n_support, :n_support], support, Bernoulli())
    cross = kernel[:, n_support:, :n_support]
    odds = prior[:, n_support:] + np.einsum("tqs,ts->tq", cross, found.weights)
    known = np.einsum("tqs,tsu,tqu->tq", cross, found.precision, cross, optimize=True)
    odds /= np.sqrt(1 + MACKAY * (spread[:, n_support:] - known))
    y, inside = rows.y[:, n_support:], rows.inside[:, n_support:]
    loss = -Bernoulli().log_density(y, odds)
    if n_outputs > 1:  # one against the rest; probabilities are scaled to sum to one
        by_class = (n_outputs, len(y) // n_outputs, y.shape[1])
        proba, y = expit(odds).reshape(by_class), y.reshape(by_class)
        of_class = (proba * y).sum(axis=0) / proba.sum(axis=0)
        inside = inside[: by_class[1]]
        loss = -np.log(np.where(inside > 0, np.maximum(of_class, 1e-9), 1.0))
    return (inside * loss).sum(axis=1) / np.maximum(inside.sum(axis=1), 1)


def _stack(episodes: Episodes, targets: Array, prior: Array) -> tuple[Array, Rows]:
    """One episode for each task and output."""
    n_outputs = targets.shape[1]
    y, f = (np.concatenate([c[episodes.rows] for c in table.T]) for table in (targets, prior))
    inside = np.tile(episodes.inside, (n_outputs, 1))
    kernels = np.concatenate([episodes.kernels] * n_outputs)
    return kernels, Rows(np.where(inside > 0, y, 0.0), np.where(inside > 0, f, 0.0), inside)


def _minimise(
    loss: Callable[[Array], tuple[float, Array]], start: Array, max_iter: int
) -> OptimizeResult:
    bounds: Sequence = [(np.log(_LEAST), np.log(_MOST))] * len(start)
    start = np.log(np.clip(start, 10 * _LEAST, _MOST))
    options = {"maxiter": max_iter, "ftol": 1e-7}
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)


def _without_traces(variances: Array, scale: float) -> Array:
    """Variances that have run against their lower bound are 0."""
    return np.where(variances < 20 * _LEAST * scale, 0.0, variances)

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

from skmeta.tree._episodes import Episodes
from skmeta.tree._likelihood import Bernoulli, Gaussian
from skmeta.tree._prior import MACKAY
from skmeta.tree._process import evidence

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# Variances range this much below and above that of the target.
_LEAST, _MOST = 1e-6, 1e2


class Learned(NamedTuple):
    """Variances, and how well they explain the training tasks."""

    variances: Array  # (n_levels,)
    noise_variance: float
    log_evidence: float


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
    kernels, rows = episodes.stack(residual, np.zeros_like(residual))
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
    kernels, rows = episodes.stack(classes, log_odds)

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

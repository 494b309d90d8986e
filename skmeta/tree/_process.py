"""How a task departs from what tasks share, as a Gaussian process over rows, for many tasks.

The covariance of two rows is the variance of the effects that they share: of the nodes, along
their paths to the root, that both pass. For a numeric target everything here is exact; for classes
the posterior is Laplace's approximation around its mode [1]_.

References
----------
.. [1] Rasmussen & Williams (2006). Gaussian processes for machine learning, algorithms 3.1, 5.1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.tree._likelihood import Gaussian, Likelihood

Array = NDArray[np.floating]

_MAX_HALVINGS = 30
_TOL = 1e-9


class Rows(NamedTuple):
    """Rows of several tasks, padded to the same number."""

    y: Array  # (n_tasks, n_rows)
    prior: Array  # (n_tasks, n_rows), what tasks share
    inside: Array  # (n_tasks, n_rows), 1.0; 0.0 in the padding


class Posterior(NamedTuple):
    """The departure of tasks from what they share: ``kernel @ weights`` at any row."""

    weights: Array  # (n_tasks, n_rows)
    precision: Array  # (n_tasks, n_rows, n_rows); inverse of kernel plus noise
    log_evidence: Array  # (n_tasks,)
    values: Array  # (n_tasks, n_rows), prior plus departure at the mode


def posterior(kernel: Array, rows: Rows, likelihood: Likelihood) -> Posterior:
    """Posterior of the departure of each task, by Newton's method.

    Parameters
    ----------
    kernel : ndarray of shape (n_tasks, n_rows, n_rows)
        Prior covariance between the rows of a task.
    rows : Rows
    likelihood : Gaussian or Bernoulli

    Returns
    -------
    posterior : Posterior
    """
    y, prior, inside = rows
    weights, values = np.zeros_like(y), prior.copy()
    log_joint = _log_joint(kernel, rows, weights, values, likelihood)
    while True:
        slope, curvature, _ = likelihood.derivatives(y, values)
        precision, log_det = _precision(kernel, inside * curvature)
        pull = inside * (slope + curvature * (values - prior))
        step = pull - _times(precision, _times(kernel, pull)) - weights
        weights, values, gain = _line_search(kernel, rows, weights, step, log_joint, likelihood)
        log_joint = log_joint + gain
        # One step is exact where the log density is quadratic, and its precision stays.
        if likelihood.is_quadratic or np.all(gain < _TOL):
            return Posterior(weights, precision, log_joint - 0.5 * log_det, values)


def _line_search(
    kernel: Array,
    rows: Rows,
    weights: Array,
    step: Array,
    log_joint: Array,
    likelihood: Likelihood,
) -> tuple[Array, Array, Array]:
    """Take a step, halved for the tasks that it does not help; new weights, values and gain."""
    length = np.ones((len(weights), 1))
    for _ in range(_MAX_HALVINGS):
        trial = weights + length * step
        values = rows.prior + _times(kernel, trial)
        gain = _log_joint(kernel, rows, trial, values, likelihood) - log_joint
        if likelihood.is_quadratic or np.all(gain >= -_TOL):
            break
        length[gain < -_TOL] /= 2
    return trial, values, gain


def evidence(
    kernels: Array, variances: Array, rows: Rows, likelihood: Likelihood
) -> tuple[float, Array, Array]:
    """Log evidence of the rows of all tasks, and its gradients.

    Parameters
    ----------
    kernels : ndarray of shape (n_tasks, n_rows, n_rows, n_levels)
        Share of trees in which two rows pass the same node, for each level.
    variances : ndarray of shape (n_levels,)
        Variance of the effects of each level's nodes.
    rows : Rows
    likelihood : Gaussian or Bernoulli

    Returns
    -------
    log_evidence : float
    gradient : ndarray of shape (n_levels + 1,)
        With respect to the variances, and to the noise variance of a Gaussian likelihood.
    of_prior : ndarray of shape (n_tasks, n_rows)
        With respect to what tasks share.
    """
    kernel = kernels @ variances
    found = posterior(kernel, rows, likelihood)
    slope, _, third = likelihood.derivatives(rows.y, found.values)
    slope = rows.inside * slope
    # The evidence depends on the kernel directly, and through the mode.
    of_kernel = 0.5 * (found.weights[:, :, None] * found.weights[:, None, :] - found.precision)
    of_prior = slope
    if not likelihood.is_quadratic:
        reduced = found.precision @ kernel
        spread = np.einsum("tij,tji->ti", kernel, np.eye(kernel.shape[1]) - reduced)
        through_mode = 0.5 * rows.inside * third * spread
        through_mode -= _times(reduced, through_mode)
        of_kernel += through_mode[:, :, None] * slope[:, None, :]
        of_prior = slope + through_mode
    gradient = of_kernel.ravel() @ kernels.reshape(-1, kernels.shape[-1])
    diagonal = np.einsum("tii->ti", found.precision)
    of_noise = 0.5 * np.sum(rows.inside * (found.weights**2 - diagonal))
    noise = [of_noise if isinstance(likelihood, Gaussian) else 0.0]
    return float(found.log_evidence.sum()), np.append(gradient, noise), of_prior


def _precision(kernel: Array, curvature: Array) -> tuple[Array, Array]:
    """Inverse of (kernel + 1 / curvature), which may be infinite; log det(1 + curvature kernel)."""
    root = np.sqrt(curvature)
    inner = np.eye(kernel.shape[1]) + root[:, :, None] * kernel * root[:, None, :]
    inverse = root[:, :, None] * np.linalg.inv(inner) * root[:, None, :]
    return inverse, np.linalg.slogdet(inner)[1]


def _log_joint(
    kernel: Array, rows: Rows, weights: Array, values: Array, likelihood: Likelihood
) -> Array:
    """Log density of targets and departure, less a constant of the prior."""
    fit = np.sum(rows.inside * likelihood.log_density(rows.y, values), axis=1)
    return fit - 0.5 * np.einsum("ti,tij,tj->t", weights, kernel, weights)


def _times(matrix: Array, vector: Array) -> Array:
    return (matrix @ vector[:, :, None])[:, :, 0]

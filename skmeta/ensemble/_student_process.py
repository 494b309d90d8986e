"""Student-t process: a Gaussian process whose scale differs by task.

Residuals of a task are normal given a scale that is drawn anew for each task, with an inverse-gamma
distribution. Its mean prediction is the Gaussian process's; intervals widen with what the support
rows say of the task's scale, and a few wild tasks do not rule what is learned [1]_.

References
----------
.. [1] Shah, Wilson & Ghahramani (2014). Student-t processes as alternatives to Gaussian processes.
   AISTATS. Equations 4 to 6.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import digamma, gammaln

from skmeta.ensemble._residual_kernel import ResidualKernel

Array = NDArray[np.floating]


class Evidence(NamedTuple):
    """Log density of the residuals of all tasks in a stack, and its derivatives."""

    value: float
    by_covariance: Array  # (n_tasks, n_rows, n_rows)
    by_mean: Array  # (n_tasks, n_rows)
    by_freedom: float


def student_evidence(
    covariance: Array, residual: Array, inside: NDArray[np.bool_], freedom: float
) -> Evidence:
    """Log density of residuals.

    Parameters
    ----------
    covariance : ndarray of shape (n_tasks, n_rows, n_rows)
        With noise. What stands in the padding is ignored.
    residual : ndarray of shape (n_tasks, n_rows)
    inside : ndarray of bool of shape (n_tasks, n_rows)
        False in the padding.
    freedom : float
        Degrees of freedom beyond two; infinity for a Gaussian process.

    Returns
    -------
    evidence : Evidence
    """
    pairs = inside[:, :, None] & inside[:, None, :]
    covariance = np.where(pairs, covariance, np.eye(inside.shape[1]))
    residual = np.where(inside, residual, 0.0)
    root = np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(covariance)
    alpha = np.einsum("tnm,tm->tn", inverse, residual)
    q, n = np.sum(residual * alpha, axis=1), inside.sum(axis=1)
    log_root = np.log(np.einsum("tnn->tn", root)).sum()
    if np.isinf(freedom):
        value = -0.5 * np.sum(q + n * np.log(2 * np.pi)) - log_root
        weight, by_freedom = np.ones(len(q)), 0.0
    else:
        half, half_n = 0.5 * (freedom + 2), 0.5 * (freedom + 2 + n)
        tail = np.log1p(q / freedom)
        value = np.sum(gammaln(half_n) - gammaln(half) - 0.5 * n * np.log(freedom * np.pi))
        value += -log_root - np.sum(half_n * tail)
        weight = 2 * half_n / (freedom + q)
        slopes = digamma(half_n) - digamma(half) - n / freedom - tail
        by_freedom = 0.5 * float(np.sum(slopes + weight * q / freedom))
    outer = weight[:, None, None] * alpha[:, :, None] * alpha[:, None, :]
    by_covariance = np.where(pairs, 0.5 * (outer - inverse), 0.0)
    return Evidence(float(value), by_covariance, weight[:, None] * alpha, by_freedom)


class StudentPosterior:
    """Residuals of one task after its support rows.

    Parameters
    ----------
    kernel : ResidualKernel
    freedom : float
        Degrees of freedom beyond two; infinity for a Gaussian process.
    Z : ndarray of shape (n_support, n_columns)
    residual : ndarray of shape (n_support,)
        Residuals less their mean over tasks.
    """

    def __init__(self, kernel: ResidualKernel, freedom: float, Z: Array, residual: Array) -> None:
        self.kernel, self.Z, n = kernel, Z, len(Z)
        self.root = np.linalg.cholesky(kernel(Z, Z) + np.diag(kernel.noise_variance(Z)))
        white = solve_triangular(self.root, residual, lower=True)
        self.white, q = white, float(white @ white)
        self.inflation = 1.0 if np.isinf(freedom) else (freedom + q) / (freedom + n)
        self.freedom = freedom + 2 + n

    def __call__(self, Z: Array) -> tuple[Array, Array]:
        """Mean and variance of new observations, noise included, both of shape (n_query,)."""
        cross = solve_triangular(self.root, self.kernel(self.Z, Z), lower=True)
        explained = np.sum(cross**2, axis=0)
        noise = self.kernel.noise_variance(Z)
        variance = np.maximum(self.kernel.variance(Z) - explained, 0.0) + noise
        return self.white @ cross, self.inflation * variance

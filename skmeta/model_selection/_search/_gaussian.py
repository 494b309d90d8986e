"""A Gaussian prior over the scores of all configurations, learned from tables with gaps."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

_N_ITERATIONS = 5


def condition(
    mean: np.ndarray, covariance: np.ndarray, seen: np.ndarray, values: np.ndarray, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior of a Gaussian vector, given noisy values of some of its entries.

    Parameters
    ----------
    mean : ndarray of shape (n,)
    covariance : ndarray of shape (n, n)
    seen : ndarray of int, shape (n_seen,)
    values : ndarray of shape (n_seen,)
    noise : float
        Variance of the noise on the values.

    Returns
    -------
    mean : ndarray of shape (n,)
    covariance : ndarray of shape (n, n)

    References
    ----------
    .. [1] Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, eqs. 2.23, 2.24.
    """
    cross = covariance[seen]
    factor = cho_factor(cross[:, seen] + noise * np.eye(len(seen)))
    gain = cho_solve(factor, cross)
    return mean + (values - mean[seen]) @ gain, covariance - cross.T @ gain


def fit_gaussian(
    scores: np.ndarray, base: np.ndarray, strength: float, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance over datasets, shrunken towards a base covariance.

    Expectation-maximisation with an inverse-Wishart prior on the covariance, which counts as
    `strength` datasets distributed as `base`. Complete rows need a single step.

    Parameters
    ----------
    scores : ndarray of shape (n_datasets, n_configs)
        NaN where a configuration was not tried.
    base : ndarray of shape (n_configs, n_configs)
    strength : float
    noise : float
        Variance of the noise on the scores of incomplete rows.

    Returns
    -------
    mean : ndarray of shape (n_configs,)
    covariance : ndarray of shape (n_configs, n_configs)

    References
    ----------
    .. [1] Schwaighofer, Tresp and Yu, "Learning Gaussian process kernels via hierarchical Bayes",
       NIPS 2004, eqs. 8 to 10.
    """
    mean, covariance = initial_mean(scores), base
    for _ in range(_N_ITERATIONS if np.isnan(scores).any() else 1):
        rows, uncertainty = _complete(scores, mean, covariance, noise)
        mean = rows.mean(axis=0)
        spread = (rows - mean).T @ (rows - mean) + uncertainty
        covariance = (strength * base + spread) / (strength + len(rows))
    return mean, covariance


def initial_mean(scores: np.ndarray) -> np.ndarray:
    """Mean of each configuration less the level of its datasets, shrunken to the grand mean."""
    level = np.nanmean(scores, axis=1, keepdims=True)
    counts = np.isfinite(scores).sum(axis=0)
    return np.nansum(scores - level, axis=0) / (counts + 1.0) + level.mean()


def _complete(
    scores: np.ndarray, mean: np.ndarray, covariance: np.ndarray, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Expected rows, and the sum of their covariances."""
    rows, uncertainty = scores.copy(), np.zeros_like(covariance)
    for row in rows:
        seen = np.flatnonzero(np.isfinite(row))
        if len(seen) < len(row):
            row[:], left = condition(mean, covariance, seen, row[seen], noise)
            uncertainty += left
    return rows, uncertainty

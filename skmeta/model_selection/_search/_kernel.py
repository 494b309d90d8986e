"""Covariance of scores from the likeness of configurations, learned from past searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize, nnls
from scipy.spatial.distance import cdist

# The short kernel sees neighbours that the long one takes for the same.
_SHORT = 1 / 3
# Where learning starts, and a length scale that nothing is known of stays.
_LENGTH_SCALE = 0.7
# Length scale of a hyperparameter that no past search varied. It is long, so that what is known of
# the others still holds when it takes a value that the past never had.
_UNSEEN = 3.0
# Shares of what all configurations have in common, of the long and the short kernel, and of what is
# each configuration's own, from which learning starts.
_SHARES = (0.3, 0.4, 0.2, 0.1)
# Part of the variance that is each configuration's own at the least: keeps matrices invertible.
_MIN_OWN = 1e-2
# Squared distance below which two vectors are the same configuration.
_SAME = 1e-18
_MAX_STEPS = 25

# Encoded configurations of shape (n_configs, n_columns), and residuals of the datasets that tried
# exactly these, of shape (n_datasets, n_configs).
Block = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class ConfigurationKernel:
    """Sum of a constant, a long and a short Gaussian kernel, and a kernel of each one's own.

    Parameters
    ----------
    length_scales : ndarray of shape (n_columns,)
        How far scores reach along each column of the encoded configurations.
    weights : ndarray of shape (4,)
        Variance of the constant, the long, the short and the own part.
    """

    length_scales: np.ndarray
    weights: np.ndarray

    @classmethod
    def unlearned(cls, n_columns: int) -> ConfigurationKernel:
        """A kernel that knows nothing but how far scores reach in general.

        Parameters
        ----------
        n_columns : int
            Columns of the encoded configurations.
        """
        return cls(np.full(n_columns, _LENGTH_SCALE), np.array(_SHARES))

    @property
    def variance(self) -> float:
        """Variance of the score of one configuration."""
        return float(self.weights.sum())

    def __call__(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Covariance between configurations.

        Parameters
        ----------
        left : ndarray of shape (n_left, n_columns)
        right : ndarray of shape (n_right, n_columns)

        Returns
        -------
        covariance : ndarray of shape (n_left, n_right)
        """
        shared, long, short, own = self.weights
        distance = cdist(left / self.length_scales, right / self.length_scales, "sqeuclidean")
        near = np.exp(-0.5 * distance)
        covariance = long * near + short * _short(near) + shared
        covariance[distance < _SAME] += own
        return covariance

    def scaled(self, factor: float) -> ConfigurationKernel:
        """The same kernel with another variance."""
        return ConfigurationKernel(self.length_scales, self.weights * factor)


def fit_kernel(blocks: Sequence[Block]) -> ConfigurationKernel:
    """Learn length scales and weights by maximising the likelihood of past scores.

    Parameters
    ----------
    blocks : list of (vectors, residuals)
        Residuals are scores less their mean over datasets, or less the level of their dataset.
        How far the scores of a dataset spread is taken out here, since it says nothing of likeness.

    Returns
    -------
    kernel : ConfigurationKernel
        Its variance is the mean square of the residuals.

    References
    ----------
    .. [1] Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, eqs. 5.8, 5.9.
    """
    squares = np.concatenate([(r**2).mean(axis=1) for _, r in blocks])
    total = float(squares.mean())
    # Spreads are shrunken to their mean, since a dataset with few scores hardly knows its own.
    floor = 0.1 * total + 1e-300
    scaled = [(x, r / np.sqrt((r**2).mean(axis=1, keepdims=True) + floor)) for x, r in blocks]
    n_columns = scaled[0][0].shape[1]
    start = np.log([_LENGTH_SCALE] * n_columns + list(_SHARES))
    if total > 0:
        bounds = [(-3.0, 4.0)] * n_columns + [(-7.0, 3.0)] * len(_SHARES)
        found = minimize(
            _loss,
            start,
            args=(scaled,),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _MAX_STEPS},
        ).x
    else:
        found = start
    weights = np.exp(found[n_columns:])
    weights *= (total or 1e-12) / weights.sum()
    ranges = np.max([np.ptp(vectors, axis=0) for vectors, _ in blocks], axis=0)
    length_scales = np.where(ranges > 0, np.exp(found[:n_columns]), _UNSEEN)
    return ConfigurationKernel(length_scales, _with_own(weights))


def fit_kernel_weights(blocks: Sequence[Block]) -> ConfigurationKernel:
    """Learn weights alone, so that products of residuals are matched best (method of moments).

    With many datasets products are known well, and their mean tells the covariance without a model
    of how scores spread.

    Parameters
    ----------
    blocks : list of (vectors, residuals)

    Returns
    -------
    kernel : ConfigurationKernel
        All length scales are one, the range of a number.
    """
    left, right = np.zeros((4, 4)), np.zeros(4)
    for vectors, residuals in blocks:
        near = np.exp(-0.5 * cdist(vectors, vectors, "sqeuclidean"))
        parts = np.stack([np.ones_like(near), near, _short(near), np.eye(len(near))])
        flat = parts.reshape(4, -1)
        left += len(residuals) * (flat @ flat.T)
        right += flat @ (residuals.T @ residuals).ravel()
    weights = nnls(left, right)[0]
    if not weights.sum() > 0:  # no spread at all, or none that the kernels can express
        weights[-1] = max(right[-1] / max(left[-1, -1], 1.0), 1e-12)
    return ConfigurationKernel(np.ones(blocks[0][0].shape[1]), _with_own(weights))


def _short(near: np.ndarray) -> np.ndarray:
    """The short kernel: a third of the length is the ninth power; products are cheap."""
    return ((near**2) ** 2) ** 2 * near


def _with_own(weights: np.ndarray) -> np.ndarray:
    """Weights that leave each configuration something of its own."""
    *smooth, own = weights
    return np.array([*smooth, max(own, _MIN_OWN * weights.sum())])


def _loss(theta: np.ndarray, blocks: Sequence[Block]) -> tuple[float, np.ndarray]:
    """Negative log posterior of the logs of length scales and weights, and its gradient."""
    n_columns = len(theta) - len(_SHARES)
    deviation = theta[:n_columns] - np.log(_LENGTH_SCALE)
    loss = 0.5 * float(deviation @ deviation)
    gradient = np.concatenate([deviation, np.zeros(len(_SHARES))])
    for vectors, residuals in blocks:
        part, slope = _block_loss(theta, vectors, residuals)
        loss += part
        gradient += slope
    return loss, gradient


def _block_loss(
    theta: np.ndarray, vectors: np.ndarray, residuals: np.ndarray
) -> tuple[float, np.ndarray]:
    n_columns = vectors.shape[1]
    scaled = vectors / np.exp(theta[:n_columns])
    shared, long, short, own = np.exp(theta[n_columns:])
    distance = cdist(scaled, scaled, "sqeuclidean")
    long_part = long * np.exp(-0.5 * distance)
    short_part = short * _short(long_part / long)
    covariance = shared + long_part + short_part
    covariance[np.diag_indices_from(covariance)] += own
    factor = cho_factor(covariance)
    precision = cho_solve(factor, np.eye(len(vectors)))
    solved = residuals @ precision
    log_determinant = 2 * np.log(np.diag(factor[0])).sum()
    loss = 0.5 * (np.sum(solved * residuals) + len(residuals) * log_determinant)
    # The derivative of the loss by the covariance, contracted with that of the covariance.
    slope = 0.5 * (len(residuals) * precision - solved.T @ solved)
    by_distance = slope * (long_part + short_part / _SHORT**2)
    # sum_ab M_ab (x_a - x_b)^2 for each column, without a cube of differences
    along = 2 * (by_distance.sum(axis=1) @ scaled**2 - np.sum(scaled * (by_distance @ scaled), 0))
    by_weight = [
        shared * slope.sum(),
        np.sum(slope * long_part),
        np.sum(slope * short_part),
        own * np.trace(slope),
    ]
    return loss, np.concatenate([along, by_weight])

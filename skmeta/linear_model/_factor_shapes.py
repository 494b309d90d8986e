"""Covariances of each shape as Cholesky factors of free numbers, with gradients.

For learning by the gradient of a function of the factor. Parameters are a flat vector that begins
with logarithms of scales; there is one scale for each weight, or for each group of weights that
share it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from skmeta.linear_model._shape import Shape

Array = NDArray[np.floating]


class FactorShape(ABC):
    """Covariances of one shape, of `n_weights` weights."""

    #: Number of parameters, and how many of them are logarithms of scales.
    n_free: int
    n_scales: int

    @abstractmethod
    def fit(self, covariance: Array) -> Array:
        """Parameters of a covariance near a given one."""

    @abstractmethod
    def factor(self, point: Array) -> Array:
        """Lower triangular factor of the covariance."""

    @abstractmethod
    def gradient(self, point: Array, factor: Array, by_factor: Array) -> Array:
        """Gradient by the parameters, from one by the factor."""


class Full(FactorShape):
    """Any covariance: the parameters are the elements of its factor."""

    def __init__(self, n_weights: int) -> None:
        self.n_scales = n_weights
        self.below = np.tril_indices(n_weights, k=-1)
        self.n_free = n_weights + len(self.below[0])

    def fit(self, covariance: Array) -> Array:
        factor = np.linalg.cholesky(covariance)
        return np.append(np.log(factor.diagonal()), factor[self.below])

    def factor(self, point: Array) -> Array:
        factor = np.diag(np.exp(point[: self.n_scales]))
        factor[self.below] = point[self.n_scales :]
        return factor

    def gradient(self, point: Array, factor: Array, by_factor: Array) -> Array:
        return np.append(by_factor.diagonal() * factor.diagonal(), by_factor[self.below])


class Diagonal(FactorShape):
    """No correlation: the parameters are logarithms of standard deviations."""

    def __init__(self, n_weights: int, n_sharing: int) -> None:
        self.n_sharing = n_sharing
        self.n_scales = self.n_free = n_weights // n_sharing

    def fit(self, covariance: Array) -> Array:
        return _log_scales(covariance.diagonal(), self.n_sharing)

    def factor(self, point: Array) -> Array:
        return np.diag(np.repeat(np.exp(point), self.n_sharing))

    def gradient(self, point: Array, factor: Array, by_factor: Array) -> Array:
        by_scale = by_factor.diagonal() * factor.diagonal()
        return by_scale.reshape(-1, self.n_sharing).sum(axis=1)


class LowRank(FactorShape):
    """Some common directions: the parameters are those of a diagonal covariance, and W."""

    def __init__(self, n_weights: int, n_sharing: int, rank: int) -> None:
        self.n_weights, self.n_sharing, self.rank = n_weights, n_sharing, rank
        self.n_scales = n_weights // n_sharing
        self.n_free = self.n_scales + n_weights * rank

    def fit(self, covariance: Array) -> Array:
        values, vectors = np.linalg.eigh(covariance)
        loadings = vectors[:, -self.rank :] * np.sqrt(0.5 * np.maximum(values[-self.rank :], 0))
        own = covariance.diagonal() - np.sum(loadings**2, axis=1)
        return np.append(_log_scales(own, self.n_sharing), loadings.ravel())

    def factor(self, point: Array) -> Array:
        own, loadings = self._unpack(point)
        return np.linalg.cholesky(loadings @ loadings.T + np.diag(own))

    def gradient(self, point: Array, factor: Array, by_factor: Array) -> Array:
        own, loadings = self._unpack(point)
        by_covariance = gradient_by_covariance(factor, by_factor)
        by_scale = 2 * (own * by_covariance.diagonal()).reshape(-1, self.n_sharing).sum(axis=1)
        return np.append(by_scale, (2 * by_covariance @ loadings).ravel())

    def _unpack(self, point: Array) -> tuple[Array, Array]:
        own = np.repeat(np.exp(2 * point[: self.n_scales]), self.n_sharing)
        return own, point[self.n_scales :].reshape(self.n_weights, self.rank)


def gradient_by_covariance(factor: Array, by_factor: Array) -> Array:
    """Gradient by a covariance, from one by its Cholesky factor [1]_.

    References
    ----------
    .. [1] Murray (2016). Differentiation of the Cholesky decomposition. arXiv:1602.07527.
    """
    inner = np.tril(factor.T @ np.tril(by_factor))
    inner[np.diag_indices(len(inner))] /= 2
    half = solve_triangular(factor, inner, trans=1, lower=True)
    half = solve_triangular(factor, half.T, trans=1, lower=True)
    return (half + half.T) / 2


def make_factor_shape(shape: Shape, n_weights: int, n_sharing: int) -> FactorShape:
    """Parameters of a shape; so many neighbouring weights share a scale where it is not full."""
    shape = shape.reduced(n_weights)
    if shape.structure == "full":
        return Full(n_weights)
    if shape.structure == "diagonal":
        return Diagonal(n_weights, n_sharing)
    return LowRank(n_weights, n_sharing, shape.rank)


def _log_scales(variances: Array, n_sharing: int) -> Array:
    return 0.5 * np.log(variances).reshape(-1, n_sharing).mean(axis=1)

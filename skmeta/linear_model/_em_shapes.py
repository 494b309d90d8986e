"""M-steps of EM for covariances of each shape, in numbers that are free to take any value.

EM takes the average second moment of the tasks' weights to the covariance of the shape that makes
it most likely. Parameters are a flat vector, and every vector is a valid covariance, so that EM may
be extrapolated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from skmeta.linear_model._shape import Shape

Array = NDArray[np.floating]

# Eigenvalues any further apart are rounding, and may be negative.
_LEAST_RATIO = 1e-12
# Steps of factor analysis within one step of EM; each is cheap beside the pass over the tasks.
_N_FACTOR_STEPS = 5


class EMShape(ABC):
    """Covariances of one shape, of `n_weights` weights."""

    #: Number of parameters.
    n_free: int

    @abstractmethod
    def fit(self, moment: Array, point: Array | None) -> Array:
        """Parameters that make a second moment likely, found from those at `point` if any."""

    @abstractmethod
    def factor(self, point: Array) -> Array:
        """Lower triangular factor of the covariance."""


class Full(EMShape):
    """Any covariance: the parameters are the lower triangle of its matrix logarithm."""

    def __init__(self, n_weights: int) -> None:
        self.n_weights = n_weights
        self.free = np.tril_indices(n_weights)
        self.n_free = len(self.free[0])
        # An element below the diagonal stands for two: its square counts twice in the norm.
        self.weight = np.where(self.free[0] == self.free[1], 1.0, np.sqrt(2.0))

    def fit(self, moment: Array, point: Array | None) -> Array:
        values, vectors = np.linalg.eigh(moment)
        values = np.maximum(values, _LEAST_RATIO * values.max(initial=0))
        logarithm = vectors * np.log(values) @ vectors.T
        return logarithm[self.free] * self.weight

    def factor(self, point: Array) -> Array:
        logarithm = np.zeros((self.n_weights, self.n_weights))
        logarithm[self.free] = point / self.weight
        values, vectors = np.linalg.eigh(logarithm)  # reads the lower triangle
        return np.linalg.cholesky(vectors * np.exp(values) @ vectors.T)


class Diagonal(EMShape):
    """No correlation: the parameters are the logarithms of the variances."""

    def __init__(self, n_weights: int) -> None:
        self.n_free = n_weights

    def fit(self, moment: Array, point: Array | None) -> Array:
        return np.log(moment.diagonal())

    def factor(self, point: Array) -> Array:
        return np.diag(np.exp(0.5 * point))


class LowRank(EMShape):
    """Factor analysis [1]_: the parameters are W and the logarithms of the diagonal added to it.

    References
    ----------
    .. [1] Rubin & Thayer (1982). EM algorithms for ML factor analysis. Psychometrika 47, 69-76.
    """

    def __init__(self, n_weights: int, rank: int) -> None:
        self.n_weights, self.rank = n_weights, rank
        self.n_free = n_weights * (rank + 1)

    def fit(self, moment: Array, point: Array | None) -> Array:
        loadings, own = _principal(moment, self.rank) if point is None else self._unpack(point)
        least = _LEAST_RATIO * moment.diagonal().max(initial=0)
        for _ in range(_N_FACTOR_STEPS):
            # The common factors given the weights: their mean is `gain @ weights`.
            scaled = loadings / own[:, None]
            within = np.linalg.inv(np.eye(self.rank) + loadings.T @ scaled)
            gain = within @ scaled.T
            cross = moment @ gain.T
            loadings = cross @ np.linalg.inv(within + gain @ cross)
            own = np.maximum(moment.diagonal() - np.sum(loadings * cross, axis=1), least)
        return np.append(loadings.ravel(), np.log(own))

    def factor(self, point: Array) -> Array:
        loadings, own = self._unpack(point)
        return np.linalg.cholesky(loadings @ loadings.T + np.diag(own))

    def _unpack(self, point: Array) -> tuple[Array, Array]:
        loadings = point[: -self.n_weights].reshape(self.n_weights, self.rank)
        return loadings, np.exp(point[-self.n_weights :])


def _principal(moment: Array, rank: int) -> tuple[Array, Array]:
    """Principal components, scaled by half, and what they leave of the variances."""
    values, vectors = np.linalg.eigh(moment)
    loadings = vectors[:, -rank:] * np.sqrt(0.5 * np.maximum(values[-rank:], 0))
    return loadings, moment.diagonal() - np.sum(loadings**2, axis=1)


def make_em_shape(shape: Shape, n_weights: int) -> EMShape:
    """The M-steps of a shape."""
    shape = shape.reduced(n_weights)
    if shape.structure == "full":
        return Full(n_weights)
    return Diagonal(n_weights) if shape.structure == "diagonal" else LowRank(n_weights, shape.rank)

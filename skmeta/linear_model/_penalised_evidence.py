"""What is maximised to learn a prior of weights: the evidence, with weak hyperpriors."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.linear_model._blocks import blocks
from skmeta.linear_model._statistics import LinearStatistics
from skmeta.linear_model._weight_prior import TaskUpdate, WeightPrior, absorb

Array = NDArray[np.floating]
Structure = Literal["full", "diagonal"]

# The smallest noise variance, relative to the mean square of the targets: below it the posterior
# precisions lose their digits.
_MIN_NOISE = 1e-8
# The hyperprior is worth one task, whose weights carry a tenth of the targets' mean square.
_PSEUDO_TASKS = 1.0
_PSEUDO_SIGNAL = 0.1


class _MeanStep(NamedTuple):
    """Posterior of the common mean in root coordinates, and the sums over tasks it came from."""

    mean: Array  # (d,)
    covariance: Array  # (d, d)
    shrinkage: Array  # (d, d), summed over tasks
    misfit: float  # summed over tasks, of a zero mean
    log_evidence: float  # with the mean integrated out, but for constants


class PenalisedEvidence:
    """Log evidence of (covariance, noise variance, scale of the mean) plus weak hyperpriors.

    Weights and targets are measured in units taken from the data, in which the hyperpriors have
    fixed values. The common mean is integrated out. Calling the object at a point gives the value
    there and the point of the next EM iteration. A point is a flat vector: the lower triangle (or
    the diagonal) of the matrix logarithm of the covariance, the log noise variance and the log
    variance of the mean's elements. Every vector is a valid point, so it can be extrapolated.
    """

    def __init__(self, statistics: LinearStatistics, structure: Structure) -> None:
        self.statistics = statistics
        self.n_tasks, self.n_features = statistics.moment.shape
        self.n_rows = int(statistics.n_rows.sum())
        # Targets that are all zero have no scale: any tiny one will do.
        power = statistics.energy.sum() / self.n_rows
        self.power = float(power) if power > 0 else float(np.finfo(np.float64).eps ** 2)
        scale = np.sqrt(np.einsum("tii->i", statistics.gram) / self.n_rows)
        self.units = np.sqrt(self.power) / scale
        self.diagonal = structure == "diagonal"
        indices = np.diag_indices if self.diagonal else np.tril_indices
        self.free = indices(self.n_features)
        # An element below the diagonal stands for two: its square counts twice in the norm.
        self.weight = np.where(self.free[0] == self.free[1], 1.0, np.sqrt(2.0))
        self.pseudo_variance = _PSEUDO_SIGNAL / max(self.n_features, 1)

    def start(self, init: WeightPrior | None) -> Array:
        """Give the point of a prior, or of weights that explain half of the targets' power."""
        if init is None:
            return self._pack(5 * self.pseudo_variance * np.eye(self.n_features), 0.5, 1.0)
        covariance = init.covariance / np.outer(self.units, self.units)
        # Away from the boundary, which EM would be slow to leave.
        least = 1e-3 * self.pseudo_variance + 1e-10 * np.trace(covariance)
        covariance = covariance + least * np.eye(self.n_features)
        mean, noise = init.mean / self.units, min(init.noise_variance / self.power, 1.0)
        return self._pack(covariance, noise, (mean @ mean + 1) / (self.n_features + 1))

    def prior(self, point: Array) -> WeightPrior:
        """Return the distribution of a new task's weights at a point."""
        factor, noise, mean_variance = self._unpack(point)
        step, _ = self._mean_step(factor, noise, mean_variance)
        covariance = factor @ (np.eye(self.n_features) + step.covariance) @ factor.T
        covariance = (covariance + covariance.T) / 2 * np.outer(self.units, self.units)
        return WeightPrior(self.units * (factor @ step.mean), covariance, noise * self.power)

    def __call__(self, point: Array) -> tuple[float, Array]:
        factor, noise, mean_variance = self._unpack(point)
        step, updates = self._mean_step(factor, noise, mean_variance)
        value = step.log_evidence + self._log_hyperprior(factor, mean_variance)
        second_moment, residual = self._weight_moments(step, updates)
        covariance = factor @ second_moment @ factor.T
        covariance[np.diag_indices(self.n_features)] += _PSEUDO_TASKS * self.pseudo_variance
        covariance /= self.n_tasks + _PSEUDO_TASKS
        mean_square = np.sum((factor @ step.mean) ** 2)
        mean_square += np.trace(factor @ step.covariance @ factor.T)
        noise *= residual / self.n_rows
        return value, self._pack(covariance, noise, (mean_square + 1) / (self.n_features + 1))

    def _mean_step(
        self, factor: Array, noise: float, mean_variance: float
    ) -> tuple[_MeanStep, list[TaskUpdate]]:
        """Generalised least squares for the mean, from tasks whose weights are integrated out."""
        root, zero = self.units[:, None] * factor, np.zeros(self.n_features)
        updates = [
            absorb(self.statistics[block], zero, root, noise * self.power)
            for block in blocks(self.n_tasks, self.n_features**2)
        ]
        shrinkage = np.sum([u.shrinkage.sum(axis=0) for u in updates], axis=0)
        score = np.sum([u.pull.sum(axis=0) for u in updates], axis=0)
        information = self.n_tasks * np.eye(self.n_features) - shrinkage
        information += factor.T @ factor / mean_variance
        covariance = np.linalg.inv(information)
        covariance = (covariance + covariance.T) / 2
        mean = covariance @ score
        log_evidence = sum(float(u.log_evidence.sum()) for u in updates) + 0.5 * score @ mean
        log_evidence += np.log(factor.diagonal()).sum() - 0.5 * np.linalg.slogdet(information)[1]
        log_evidence -= 0.5 * self.n_features * np.log(mean_variance)
        misfit = sum(float(u.misfit.sum()) for u in updates)
        return _MeanStep(mean, covariance, shrinkage, misfit, float(log_evidence)), updates

    def _weight_moments(self, step: _MeanStep, updates: list[TaskUpdate]) -> tuple[Array, float]:
        """Posterior second moment of the weights about their mean, and expected squared residual.

        Both are sums over tasks; the former in root coordinates, the latter in units of the noise
        variance. Both include what the uncertainty of the common mean adds.
        """
        half = np.linalg.cholesky(step.covariance)
        moment = step.shrinkage + self.n_tasks * step.covariance
        moment -= step.covariance @ step.shrinkage + step.shrinkage @ step.covariance
        square, size = np.zeros_like(moment), 0.0
        for update in updates:
            weights = update.pull + update.shrinkage @ step.mean
            size += float(np.sum(weights**2))
            moment += (weights - step.mean).T @ (weights - step.mean)
            spread = _side_by_side(update.shrinkage @ half)
            square += spread @ spread.T
        residual = step.misfit + step.mean @ step.shrinkage @ step.mean - size
        residual += self.n_tasks * self.n_features - np.trace(step.shrinkage)
        residual += np.sum(step.covariance * step.shrinkage) - np.trace(square)
        return moment + square, float(residual)

    def _log_hyperprior(self, factor: Array, mean_variance: float) -> float:
        """Inverse-Wishart on the covariance, inverse-gamma on the variance of the mean."""
        inverse = np.linalg.inv(factor)
        log_determinant = 2 * np.log(factor.diagonal()).sum()
        covariance = log_determinant + self.pseudo_variance * np.sum(inverse**2)
        return float(
            -0.5 * _PSEUDO_TASKS * covariance - 0.5 * (np.log(mean_variance) + 1 / mean_variance)
        )

    def _pack(self, covariance: Array, noise: float, mean_variance: float) -> Array:
        if self.diagonal:
            logarithm = np.diag(np.log(covariance.diagonal()))
        else:
            values, vectors = np.linalg.eigh(covariance)
            # Eigenvalues any further apart are rounding, and may be negative.
            values = np.maximum(values, 1e-12 * values.max(initial=0))
            logarithm = vectors * np.log(values) @ vectors.T
        variances = np.log([max(noise, _MIN_NOISE), mean_variance])
        return np.append(logarithm[self.free] * self.weight, variances)

    def _unpack(self, point: Array) -> tuple[Array, float, float]:
        """Cholesky factor of the covariance, noise variance and variance of the mean."""
        logarithm = np.zeros((self.n_features, self.n_features))
        logarithm[self.free] = point[:-2] / self.weight
        if self.diagonal:
            factor = np.diag(np.exp(0.5 * logarithm.diagonal()))
        else:
            values, vectors = np.linalg.eigh(logarithm)  # reads the lower triangle
            factor = np.linalg.cholesky(vectors * np.exp(values) @ vectors.T)
        noise, mean_variance = np.exp(point[-2:])
        return factor, max(float(noise), _MIN_NOISE), float(mean_variance)


def _side_by_side(matrices: Array) -> Array:
    """(n, d, k) -> (d, n * k)."""
    n, d, k = matrices.shape
    return matrices.transpose(1, 0, 2).reshape(d, n * k)

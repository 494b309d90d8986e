"""What is maximised to learn a prior of weights: the evidence, with weak hyperpriors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.linear_model._blocks import blocks
from skmeta.linear_model._em_shapes import LowRank, make_em_shape
from skmeta.linear_model._shape import Shape
from skmeta.linear_model._statistics import LinearStatistics
from skmeta.linear_model._weight_prior import TaskUpdate, WeightPrior, absorb

Array = NDArray[np.floating]

# The smallest noise variance, relative to the mean square of the targets: below it the posterior
# precisions lose their digits.
_MIN_NOISE = 1e-8
# The hyperprior is worth one task, whose weights carry a tenth of the targets' mean square.
_PSEUDO_TASKS = 1.0
_PSEUDO_SIGNAL = 0.1
# EM steps with a full covariance before a low-rank one: its directions have to start somewhere.
_N_FIRST_STEPS = 10


class _Update(NamedTuple):
    """What a block of tasks says of the weights that vary, and of all weights' common mean.

    The mean is measured in a basis: roots of the covariance for the weights that vary, which come
    first, and units for the fixed ones.
    """

    own: TaskUpdate
    #: (n_tasks, q, d): how the task's own departures answer a change of the mean.
    response: Array
    score: Array  # (d,), summed over tasks
    information: Array  # (d, d), of the mean, summed over tasks


class _MeanStep(NamedTuple):
    """Posterior of the common mean, and sums over tasks that it came from."""

    mean: Array  # (d,)
    covariance: Array  # (d, d)
    information: Array  # (d, d), without the hyperprior
    score: Array  # (d,)
    log_evidence: float  # with the mean integrated out, but for constants


class _Variances(NamedTuple):
    """A point, unpacked."""

    factor: Array  # lower triangular, of the covariance
    noise: float
    of_mean: float


class PenalisedEvidence:
    """Log evidence of (covariance, noise variance, scale of the mean) plus weak hyperpriors.

    Weights and targets are measured in units taken from the data, in which the hyperpriors have
    fixed values. The common mean, which is all there is of fixed effects, is integrated out.
    Calling the object at a point gives the value there and the point of the next EM iteration. A
    point is a flat vector: the parameters of the covariance (see
    :class:`~skmeta.linear_model._em_shapes.EMShape`), the log noise variance and the log variance
    of the mean's elements. Every vector is a valid point, so it can be extrapolated.
    """

    def __init__(
        self, statistics: LinearStatistics, shape: Shape, varying: NDArray[np.bool_] | None = None
    ) -> None:
        self.n_tasks, self.n_features = statistics.moment.shape
        self.n_rows = int(statistics.n_rows.sum())
        # Targets that are all zero have no scale: any tiny one will do.
        power = statistics.energy.sum() / self.n_rows
        self.power = float(power) if power > 0 else float(np.finfo(np.float64).eps ** 2)
        scale = np.sqrt(np.einsum("tii->i", statistics.gram) / self.n_rows)
        self.units = np.sqrt(self.power) / scale
        self.varying = np.ones(self.n_features, bool) if varying is None else varying
        self.statistics = statistics.columns(self.varying)
        units = self.units[~self.varying]
        self.fixed_moment = statistics.moment[:, ~self.varying] * units
        self.cross_gram = statistics.gram[:, self.varying][:, :, ~self.varying] * units
        gram = statistics.gram.sum(axis=0)[np.ix_(~self.varying, ~self.varying)]
        self.fixed_gram = gram * np.outer(units, units)
        self.n_varying = self.statistics.n_features
        self.shape = make_em_shape(shape, self.n_varying)
        self.pseudo_variance = _PSEUDO_SIGNAL / max(self.n_varying, 1)

    def start(self, init: WeightPrior | None) -> Array:
        """Give the point of a prior, or of weights that explain half of the targets' power."""
        noise, of_mean = 0.5, 1.0
        covariance: Array = 5 * self.pseudo_variance * np.eye(self.n_varying)
        if init is not None:
            units = self.units[self.varying]
            covariance = init.covariance[np.ix_(self.varying, self.varying)] / np.outer(
                units, units
            )
            # Away from the boundary, which EM would be slow to leave.
            least = 1e-3 * self.pseudo_variance + 1e-10 * np.trace(covariance)
            covariance = covariance + least * np.eye(self.n_varying)
            mean, noise = init.mean / self.units, min(init.noise_variance / self.power, 1.0)
            of_mean = (mean @ mean + 1) / (self.n_features + 1)
        elif isinstance(self.shape, LowRank):
            for _ in range(_N_FIRST_STEPS):
                factor = np.linalg.cholesky(covariance)
                _, covariance, noise, of_mean = self._em(_Variances(factor, noise, of_mean))
        return self._pack(covariance, noise, of_mean, None)

    def prior(self, point: Array) -> tuple[WeightPrior, Array]:
        """Return the distribution of a new task's weights at a point.

        Its covariance is zero for fixed effects; how uncertain those are comes second.
        """
        variances = self._unpack(point)
        factor = variances.factor
        step, _ = self._mean_step(*variances)
        n = self.n_varying
        of_mean = step.covariance[:n, :n]
        varying, fixed = np.zeros((2, self.n_features, self.n_features))
        spread = factor @ (np.eye(n) + of_mean) @ factor.T
        varying[np.ix_(self.varying, self.varying)] = (spread + spread.T) / 2
        fixed[np.ix_(~self.varying, ~self.varying)] = step.covariance[n:, n:]
        units = np.outer(self.units, self.units)
        mean = np.empty(self.n_features)
        mean[self.varying], mean[~self.varying] = factor @ step.mean[:n], step.mean[n:]
        noise = max(variances.noise, _MIN_NOISE) * self.power
        return WeightPrior(self.units * mean, varying * units, noise), fixed * units

    def __call__(self, point: Array) -> tuple[float, Array]:
        value, covariance, noise, of_mean = self._em(self._unpack(point))
        return value, self._pack(covariance, noise, of_mean, point)

    def _em(self, variances: _Variances) -> tuple[float, Array, float, float]:
        """Value at a point, and the variances that the expected weights make most likely."""
        factor, noise, of_mean = variances
        step, updates = self._mean_step(factor, noise, of_mean)
        value = step.log_evidence + self._log_hyperprior(factor, of_mean)
        second_moment, residual = self._weight_moments(step, updates)
        covariance = factor @ second_moment @ factor.T
        covariance[np.diag_indices(self.n_varying)] += _PSEUDO_TASKS * self.pseudo_variance
        covariance /= self.n_tasks + _PSEUDO_TASKS
        n = self.n_varying
        mean_square = np.sum((factor @ step.mean[:n]) ** 2) + np.sum(step.mean[n:] ** 2)
        mean_square += np.trace(factor @ step.covariance[:n, :n] @ factor.T)
        mean_square += np.trace(step.covariance[n:, n:])
        of_mean = (mean_square + 1) / (self.n_features + 1)
        return value, covariance, max(noise * residual / self.n_rows, _MIN_NOISE), of_mean

    def _mean_step(
        self, factor: Array, noise: float, of_mean: float
    ) -> tuple[_MeanStep, list[_Update]]:
        """Generalised least squares for the mean, from tasks whose weights are integrated out."""
        root = self.units[self.varying, None] * factor
        updates = [
            self._absorb(block, root, noise * self.power)
            for block in blocks(self.n_tasks, self.n_features**2)
        ]
        score = np.sum([u.score for u in updates], axis=0)
        information = np.sum([u.information for u in updates], axis=0)
        n = self.n_varying
        information[n:, n:] += self.fixed_gram / (noise * self.power)
        penalised = information.copy()
        penalised[:n, :n] += factor.T @ factor / of_mean
        penalised[n:, n:] += np.eye(self.n_features - n) / of_mean
        covariance = np.linalg.inv(penalised)
        covariance = (covariance + covariance.T) / 2
        mean = covariance @ score
        log_evidence = sum(float(u.own.log_evidence.sum()) for u in updates) + 0.5 * score @ mean
        log_evidence += np.log(factor.diagonal()).sum() - 0.5 * np.linalg.slogdet(penalised)[1]
        log_evidence -= 0.5 * self.n_features * np.log(of_mean)
        return _MeanStep(mean, covariance, information, score, float(log_evidence)), updates

    def _absorb(self, block: slice, root: Array, noise_variance: float) -> _Update:
        """What a block of tasks says, but for the Gram matrices of fixed effects."""
        own = absorb(self.statistics[block], np.zeros(self.n_varying), root, noise_variance)
        cross = root.T @ self.cross_gram[block] / noise_variance
        lost = own.shrinkage @ cross
        response = np.concatenate([np.eye(self.n_varying) - own.shrinkage, lost], axis=2)
        fixed_score = self.fixed_moment[block].sum(axis=0) / noise_variance
        fixed_score -= np.einsum("tqf,tq->f", cross, own.pull)
        n = self.n_varying
        information = np.empty((self.n_features, self.n_features))
        information[:n] = response.sum(axis=0)
        information[n:, :n] = information[:n, n:].T
        information[n:, n:] = -np.einsum("tqf,tqg->fg", cross, lost, optimize=True)
        return _Update(own, response, np.append(own.pull.sum(axis=0), fixed_score), information)

    def _weight_moments(self, step: _MeanStep, updates: list[_Update]) -> tuple[Array, float]:
        """Posterior second moment of the departures, and expected squared residual.

        Both are sums over tasks; the former in root coordinates, the latter in units of the noise
        variance. Both include what the uncertainty of the common mean adds.
        """
        half = np.linalg.cholesky(step.covariance)
        moment = np.zeros((self.n_varying, self.n_varying))
        residual = 0.0
        for own, response, _, _ in updates:
            departure = own.pull - response @ step.mean
            spread = _side_by_side(response @ half)
            square = departure.T @ departure + spread @ spread.T
            shrinkage = own.shrinkage.sum(axis=0)
            moment += shrinkage + square
            residual += float(own.misfit.sum() - np.trace(square) - np.trace(shrinkage))
            residual += len(departure) * self.n_varying
        residual += float(step.mean @ step.information @ step.mean - 2 * step.score @ step.mean)
        return moment, residual + float(np.sum(step.covariance * step.information))

    def _log_hyperprior(self, factor: Array, of_mean: float) -> float:
        """Inverse-Wishart on the covariance, inverse-gamma on the variance of the mean."""
        inverse = np.linalg.inv(factor)
        log_determinant = 2 * np.log(factor.diagonal()).sum()
        covariance = log_determinant + self.pseudo_variance * np.sum(inverse**2)
        return float(-0.5 * _PSEUDO_TASKS * covariance - 0.5 * (np.log(of_mean) + 1 / of_mean))

    def _pack(self, covariance: Array, noise: float, of_mean: float, point: Array | None) -> Array:
        last = None if point is None else point[:-2]
        variances = np.log([max(noise, _MIN_NOISE), of_mean])
        return np.append(self.shape.fit(covariance, last), variances)

    def _unpack(self, point: Array) -> _Variances:
        noise, of_mean = np.exp(point[-2:])
        return _Variances(
            self.shape.factor(point[:-2]), max(float(noise), _MIN_NOISE), float(of_mean)
        )


def _side_by_side(matrices: Array) -> Array:
    """(n, q, k) -> (q, n * k)."""
    n, q, k = matrices.shape
    return matrices.transpose(1, 0, 2).reshape(q, n * k)

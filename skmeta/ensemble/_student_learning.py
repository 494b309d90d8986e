"""Learning the distribution of residuals over tasks, by maximum evidence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.ensemble._component import Inputs
from skmeta.ensemble._maximise import maximise
from skmeta.ensemble._padding import stacks
from skmeta.ensemble._residual_kernel import KernelLayout, ResidualKernel
from skmeta.ensemble._student_process import StudentPosterior, student_evidence

Array = NDArray[np.floating]

_MAX_ITER = 60
# Prior spread of the mean's weights, in standard deviations of the residuals.
_MEAN_SPREAD = 0.5
# Prior of the logarithm of the degrees of freedom beyond two.
_FREEDOM_MEAN, _FREEDOM_SPREAD = np.log(8.0), 1.5


class StudentResiduals(NamedTuple):
    """Distribution of the residuals of a task: mean, kernel and tails."""

    kernel: ResidualKernel
    weights: Array  # (1 + n_columns,)
    freedom: float
    scale: float

    def mean(self, Z: Array) -> Array:
        """What residuals are on average over tasks, of shape (n_rows,)."""
        return self.scale * _linear(Z, self.weights)

    def adapt(self, support: Inputs, y: Array) -> AdaptedStudent:
        """What the support of a task says of its other rows."""
        residual = y - support.prior[:, 0] - self.mean(support.Z)
        posterior = StudentPosterior(self.kernel, self.freedom, support.Z, residual / self.scale)
        return AdaptedStudent(self, posterior)

    def pooled(self, query: Inputs) -> tuple[Array, Array, float]:
        """What the pooled model alone says; its variance is the prior's."""
        variance = self.kernel.variance(query.Z) + self.kernel.noise_variance(query.Z)
        return query.prior[:, 0], self.scale**2 * variance, self.freedom + 2


class AdaptedStudent(NamedTuple):
    """Predictive distribution of the rows of one task."""

    process: StudentResiduals
    posterior: StudentPosterior

    def __call__(self, query: Inputs) -> tuple[Array, Array, float]:
        """Mean, variance and degrees of freedom of new observations."""
        mean, variance = self.posterior(query.Z)
        scale = self.process.scale
        mean = query.prior[:, 0] + self.process.mean(query.Z) + scale * mean
        return mean, scale**2 * variance, self.posterior.freedom


def learn_student(inputs: Inputs, y: Array, row_lists: list[NDArray[np.intp]]) -> StudentResiduals:
    """Learn how tasks differ from the pooled model.

    Parameters
    ----------
    inputs : Inputs
        Training rows, with the prediction of a pooled model that has not seen the row's task.
    y : ndarray of shape (n_rows,)
    row_lists : list of ndarray of int
        Row numbers of each task.

    Returns
    -------
    residuals : StudentResiduals
    """
    evidence = _Evidence(inputs, y, row_lists)
    layout = evidence.layout
    start = np.concatenate([layout.start(), evidence.centre[layout.size :]])
    n_rows = sum(len(rows) for rows in row_lists)
    found = maximise(evidence, start, evidence.centre, evidence.spread, n_rows, _MAX_ITER)
    return evidence.unpack(found)


class _Evidence:
    """Log evidence of the residuals of all tasks, as a function of a vector of parameters.

    The vector holds the kernel's parameters, the weights of the mean, and the logarithm of the
    degrees of freedom beyond two.
    """

    def __init__(self, inputs: Inputs, y: Array, row_lists: list[NDArray[np.intp]]) -> None:
        self.Z, residual = inputs.Z, y - inputs.prior[:, 0]
        self.scale = float(np.std(residual)) or 1.0
        self.residual = residual / self.scale
        self.groups = list(stacks(row_lists))
        n_weights = self.Z.shape[1] + 1
        self.layout = KernelLayout(self.Z.shape[1], amplitude=True)
        self.centre = np.concatenate([self.layout.mean, np.zeros(n_weights), [_FREEDOM_MEAN]])
        self.spread = np.concatenate(
            [self.layout.spread, np.full(n_weights, _MEAN_SPREAD), [_FREEDOM_SPREAD]]
        )

    def unpack(self, theta: Array) -> StudentResiduals:
        """The process with given parameters."""
        of_kernel, weights, of_tails = self._split(theta)
        kernel = ResidualKernel(self.layout, of_kernel)
        return StudentResiduals(kernel, weights, float(np.exp(of_tails[0])), self.scale)

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Log evidence and its derivatives."""
        kernel, weights, freedom, _ = self.unpack(theta)
        value, gradient = 0.0, np.zeros_like(theta)
        by_kernel, by_weights, by_tails = self._split(gradient)
        for group in self.groups:
            Z = self.Z[group.rows]
            covariance = kernel(Z, Z)
            index = np.arange(Z.shape[1])
            covariance[:, index, index] += kernel.noise_variance(Z)
            residual = self.residual[group.rows] - _linear(Z, weights)
            found = student_evidence(covariance, residual, group.inside, freedom)
            value += found.value
            by_kernel += kernel.pull_back(Z, found.by_covariance)
            by_weights[0] += found.by_mean.sum()
            by_weights[1:] += np.einsum("tn,tnd->d", found.by_mean, Z)
            by_tails += found.by_freedom * freedom
        return value, gradient

    def _split(self, theta: Array) -> tuple[Array, Array, Array]:
        """Views of the parameters of the kernel, the mean and the tails."""
        size = self.layout.size
        return theta[:size], theta[size:-1], theta[-1:]


def _linear(Z: Array, weights: Array) -> Array:
    return weights[0] + Z @ weights[1:]

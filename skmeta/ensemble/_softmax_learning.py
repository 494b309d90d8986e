"""Learning the distribution of a task's logits, by maximum evidence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from skmeta.ensemble._component import Inputs
from skmeta.ensemble._maximise import maximise
from skmeta.ensemble._padding import stacks
from skmeta.ensemble._residual_kernel import KernelLayout, ResidualKernel
from skmeta.ensemble._softmax_process import (
    Labels,
    Mode,
    Prior,
    evidence_gradient,
    find_mode,
    posterior,
)
from skmeta.linear_model._softmax import contrasts, softmax_of_normal

Array = NDArray[np.floating]

_MAX_ITER = 25
# Prior spread of the mean's weights, in logits, and of the logarithm of a class's variance.
_MEAN_SPREAD, _CLASS_SPREAD = 0.5, 1.0


class LogitResiduals(NamedTuple):
    """Distribution of what a task's logits differ by from the pooled model's."""

    kernel: ResidualKernel
    weights: Array  # (1 + n_columns, n_free)
    variances: Array  # (n_logits,): one for two classes, else one for each class

    @property
    def directions(self) -> Array:
        """From logits along contrasts to those of processes, of shape (n_logits, n_free)."""
        all_classes = contrasts(self.weights.shape[1] + 1)
        return all_classes[-len(self.variances) :]

    def offset(self, inputs: Inputs) -> Array:
        """Mean over tasks of the logits of rows along contrasts, of shape (..., n_free)."""
        return inputs.prior + self.weights[0] + inputs.Z @ self.weights[1:]

    def logits(self, inputs: Inputs) -> Array:
        """The same as logits of processes, of shape (..., n_logits, n_rows)."""
        return np.swapaxes(self.offset(inputs) @ self.directions.T, -1, -2)

    def adapt(self, support: Inputs, y: NDArray[np.intp]) -> AdaptedLogits:
        """What the support of a task says of its other rows."""
        if not len(y):
            return AdaptedLogits(self, support.Z, None)
        inside = np.ones((1, len(y)), dtype=bool)
        labels = Labels(y[None], inside, self.logits(support)[None])
        prior = Prior(self.kernel(support.Z, support.Z)[None], self.variances)
        return AdaptedLogits(self, support.Z, find_mode(prior, labels))

    def pooled(self, query: Inputs) -> Array:
        """What the pooled model alone says."""
        return softmax(query.prior @ contrasts(query.prior.shape[1] + 1).T, axis=1)


class AdaptedLogits(NamedTuple):
    """Predictive distribution of the rows of one task."""

    process: LogitResiduals
    Z: Array  # (n_support, n_columns)
    mode: Mode | None  # None before any support

    def __call__(self, query: Inputs) -> Array:
        """Probabilities of the classes."""
        process, directions = self.process, self.process.directions
        offset, variance = process.offset(query), process.kernel.variance(query.Z)
        if self.mode is None:
            of_contrasts = directions.T * process.variances @ directions
            return softmax_of_normal(offset, variance[:, None, None] * of_contrasts)
        cross = Prior(process.kernel(query.Z, self.Z)[None], process.variances)
        mean, covariance = posterior(self.mode, cross, variance)
        return softmax_of_normal(offset + mean @ directions, directions.T @ covariance @ directions)


def learn_logits(
    inputs: Inputs, y: NDArray[np.intp], row_lists: list[NDArray[np.intp]]
) -> LogitResiduals:
    """Learn how tasks differ from the pooled model.

    Parameters
    ----------
    inputs : Inputs
        Training rows, with the logits, along contrasts, that a pooled model which has not seen the
        row's task predicts.
    y : ndarray of int of shape (n_rows,)
        Class codes.
    row_lists : list of ndarray of int
        Row numbers of each task.

    Returns
    -------
    residuals : LogitResiduals
    """
    evidence = _Evidence(inputs, y, row_lists)
    layout = evidence.layout
    start = np.concatenate([layout.start(), evidence.centre[layout.size :]])
    n_rows = sum(len(rows) for rows in row_lists)
    found = maximise(evidence, start, evidence.centre, evidence.spread, n_rows, _MAX_ITER)
    return evidence.unpack(found)


class _Evidence:
    """Log evidence of the classes of all tasks, as a function of a vector of parameters.

    The vector holds the kernel's parameters, the weights of the mean, and the logarithm of each
    class's variance; two classes have one logit, whose variance is the kernel's.
    """

    def __init__(
        self, inputs: Inputs, y: NDArray[np.intp], row_lists: list[NDArray[np.intp]]
    ) -> None:
        self.inputs, self.y = inputs, y
        self.groups = list(stacks(row_lists))
        self.starts: list[Array | None] = [None] * len(self.groups)
        self.shape = (inputs.Z.shape[1] + 1, inputs.prior.shape[1])
        self.layout = KernelLayout(inputs.Z.shape[1], amplitude=False)
        n_weights, n_classes = self.shape[0] * self.shape[1], self.shape[1] + 1
        self.n_scales = n_classes if n_classes > 2 else 0
        self.centre = np.concatenate([self.layout.mean, np.zeros(n_weights + self.n_scales)])
        self.spread = np.concatenate(
            [
                self.layout.spread,
                np.full(n_weights, _MEAN_SPREAD),
                np.full(self.n_scales, _CLASS_SPREAD),
            ]
        )

    def unpack(self, theta: Array) -> LogitResiduals:
        """The process with given parameters."""
        of_kernel, of_mean, of_classes = self._split(theta)
        variances = np.exp(of_classes) if self.n_scales else np.ones(1)
        kernel = ResidualKernel(self.layout, of_kernel)
        return LogitResiduals(kernel, of_mean.reshape(self.shape), variances)

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Log evidence and its derivatives."""
        process = self.unpack(theta)
        value, gradient = 0.0, np.zeros_like(theta)
        by_kernel, by_mean, by_classes = self._split(gradient)
        for i, group in enumerate(self.groups):
            part = self.inputs.take(group.rows)
            labels = Labels(self.y[group.rows], group.inside, process.logits(part))
            pairs = group.inside[:, :, None] & group.inside[:, None, :]
            kernel = np.where(pairs, process.kernel(part.Z, part.Z), 0.0)
            prior = Prior(kernel, process.variances)
            mode = find_mode(prior, labels, self.starts[i])
            self.starts[i] = mode.dual  # the next parameters are close to these
            slope = evidence_gradient(prior, labels, mode)
            value += float(mode.log_evidence.sum())
            by_kernel += process.kernel.pull_back(part.Z, slope.by_kernel)
            by_free = np.swapaxes(slope.by_offset, 1, 2) @ process.directions
            Z = np.concatenate([np.ones((*part.Z.shape[:2], 1)), part.Z], axis=2)
            by_mean += np.einsum("tnd,tnf->df", Z, by_free).ravel()
            if self.n_scales:
                by_classes += process.variances * slope.by_variances
        return value, gradient

    def _split(self, theta: Array) -> tuple[Array, Array, Array]:
        """Views of the parameters of the kernel, the mean and the classes."""
        start = self.layout.size
        stop = start + self.shape[0] * self.shape[1]
        return theta[:start], theta[start:stop], theta[stop:]

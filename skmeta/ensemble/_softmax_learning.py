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
    evidence_gradient,
    find_mode,
    latent_covariance,
    predict_proba,
)
from skmeta.linear_model._softmax import contrasts, softmax_of_normal

Array = NDArray[np.floating]

_MAX_ITER = 50
# Prior spread of the mean's weights, in logits, and of the logarithm of a class's variance.
_MEAN_SPREAD, _CLASS_SPREAD = 0.5, 1.0


class LogitResiduals(NamedTuple):
    """Distribution of what a task's logits differ by from the pooled model's."""

    kernel: ResidualKernel
    weights: Array  # (1 + n_columns, n_free)
    of_contrasts: Array  # (n_free, n_free)

    def offset(self, inputs: Inputs) -> Array:
        """Mean over tasks of the logits of rows, of shape (n_rows, n_free)."""
        return inputs.prior + self.weights[0] + inputs.Z @ self.weights[1:]

    def adapt(self, support: Inputs, y: NDArray[np.intp]) -> AdaptedLogits:
        """What the support of a task says of its other rows."""
        if not len(y):
            return AdaptedLogits(self, support.Z, None)
        labels = Labels(y[None], np.ones((1, len(y)), dtype=bool), self.offset(support)[None])
        covariance = latent_covariance(self.kernel(support.Z, support.Z)[None], self.of_contrasts)
        return AdaptedLogits(self, support.Z, find_mode(covariance, labels))

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
        kernel, of_contrasts = self.process.kernel, self.process.of_contrasts
        offset, variance = self.process.offset(query), kernel.variance(query.Z)
        if self.mode is None:
            return softmax_of_normal(offset, variance[:, None, None] * of_contrasts)
        return predict_proba(self.mode, kernel(query.Z, self.Z), variance, of_contrasts, offset)


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
    process, _ = evidence.unpack(found)
    return process


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
        self.directions = contrasts(self.shape[1] + 1)
        n_weights, n_scales = self.shape[0] * self.shape[1], len(self.directions)
        self.n_scales = n_scales if n_scales > 2 else 0
        self.centre = np.concatenate([self.layout.mean, np.zeros(n_weights + self.n_scales)])
        self.spread = np.concatenate(
            [
                self.layout.spread,
                np.full(n_weights, _MEAN_SPREAD),
                np.full(self.n_scales, _CLASS_SPREAD),
            ]
        )

    def unpack(self, theta: Array) -> tuple[LogitResiduals, Array]:
        """The process with given parameters, and the variances of the classes."""
        of_kernel, of_mean, of_classes = self._split(theta)
        variances = np.exp(of_classes) if self.n_scales else np.array([0.0, 1.0])
        of_contrasts = self.directions.T * variances @ self.directions
        kernel = ResidualKernel(self.layout, of_kernel)
        return LogitResiduals(kernel, of_mean.reshape(self.shape), of_contrasts), variances

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Log evidence and its derivatives."""
        process, variances = self.unpack(theta)
        value, gradient = 0.0, np.zeros_like(theta)
        by_kernel, by_mean, by_classes = self._split(gradient)
        for i, group in enumerate(self.groups):
            part = self.inputs.take(group.rows)
            labels = Labels(self.y[group.rows], group.inside, process.offset(part))
            of_rows = process.kernel(part.Z, part.Z)
            covariance = latent_covariance(of_rows, process.of_contrasts)
            mode = find_mode(covariance, labels, self.starts[i])
            self.starts[i] = mode.dual  # the next parameters are close to these
            slope = evidence_gradient(covariance, labels, mode)
            value += float(mode.log_evidence.sum())
            n_tasks, n, n_free = labels.free.shape
            by_latent = slope.by_covariance.reshape(n_tasks, n, n_free, n, n_free)
            by_rows = np.einsum("tnfmg,fg->tnm", by_latent, process.of_contrasts)
            by_kernel += process.kernel.pull_back(part.Z, by_rows)
            Z = np.concatenate([np.ones((n_tasks, n, 1)), part.Z], axis=2)
            by_mean += np.einsum("tnd,tnf->df", Z, slope.by_free).ravel()
            if self.n_scales:
                by_contrasts = np.einsum("tnfmg,tnm->fg", by_latent, of_rows)
                by_classes += variances * np.sum(
                    (self.directions @ by_contrasts) * self.directions, axis=1
                )
        return value, gradient

    def _split(self, theta: Array) -> tuple[Array, Array, Array]:
        """Views of the parameters of the kernel, the mean and the classes."""
        start = self.layout.size
        stop = start + self.shape[0] * self.shape[1]
        return theta[:start], theta[start:stop], theta[stop:]

"""Guard against negative transfer: does the past predict this dataset better than nothing?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, logsumexp, ndtr, softmax

from skmeta.model_selection._search._gaussian import condition

_SQRT_2PI = np.sqrt(2 * np.pi)
# Fewer scores cannot tell two surrogates apart.
MIN_EVIDENCE = 3
# For how many scores the expected spread counts, against that of the scores that were seen.
_SCALE_EVIDENCE = 4.0


def leave_one_out_log_density(residuals: np.ndarray, covariance: np.ndarray) -> float:
    """Log density of each residual given all others, summed, at a scale that suits them.

    What counts is whether configurations go together as expected, more than how far scores spread:
    that differs between datasets and does not change which configuration is best. A few residuals
    may be small by chance, so their scale is shrunken to that of the covariance.

    Parameters
    ----------
    residuals : ndarray of shape (n,)
        Values less their prior mean.
    covariance : ndarray of shape (n, n)
        Their prior covariance, with noise.

    Returns
    -------
    log_density : float

    References
    ----------
    .. [1] Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, eqs. 5.10-5.12.
    """
    precision = cho_solve(cho_factor(covariance), np.eye(len(covariance)))
    variance = 1.0 / np.diag(precision)
    error = (precision @ residuals) * variance
    squares = float(np.sum(error**2 / variance))
    variance *= (_SCALE_EVIDENCE + squares) / (_SCALE_EVIDENCE + len(error))
    return float(-0.5 * np.sum(np.log(2 * np.pi * variance) + error**2 / variance))


def expected_improvement(mean: np.ndarray, std: np.ndarray, best: float) -> np.ndarray:
    """Expected improvement of Gaussian scores over the best one so far.

    Parameters
    ----------
    mean : ndarray of shape (n_configs,)
    std : ndarray of shape (n_configs,)
    best : float

    Returns
    -------
    improvement : ndarray of shape (n_configs,)

    References
    ----------
    .. [1] Jones, Schonlau and Welch, "Efficient global optimization", 1998, eq. 15.
    """
    std = np.maximum(std, 1e-12)
    z = (mean - best) / std
    return std * (z * ndtr(z) + np.exp(-0.5 * z**2) / _SQRT_2PI)


class TargetProcess:
    """A Gaussian process on the target alone: constant mean, kernel over hyperparameters.

    Parameters
    ----------
    kernel : ndarray of shape (n_configs, n_configs)
        Covariance of scores. Its scale is that of the past; predictions have one from the scores.
    tried : ndarray of int, shape (n_tried,)
    scores : ndarray of shape (n_tried,)
    noise : float
        Variance of the noise relative to the mean diagonal of the kernel.
    """

    def __init__(self, kernel: np.ndarray, tried: np.ndarray, scores: np.ndarray, noise: float):
        unit = float(np.mean(np.diag(kernel)))
        relative = kernel / unit
        inner = relative[np.ix_(tried, tried)] + noise * np.eye(len(tried))
        factor = cho_factor(inner)
        ones = np.ones(len(tried))
        self.constant = float(scores @ cho_solve(factor, ones) / (ones @ cho_solve(factor, ones)))
        self.residuals = scores - self.constant
        scale = float(self.residuals @ cho_solve(factor, self.residuals)) / len(tried)
        self.scale = max(scale, 1e-12)
        self.tried, self.noise, self.relative = tried, noise, relative
        self.log_density = leave_one_out_log_density(self.residuals, unit * inner)

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation for each configuration, each of shape (n_configs,)."""
        mean, covariance = condition(
            np.full(len(self.relative), self.constant),
            self.scale * self.relative,
            self.tried,
            self.residuals + self.constant,
            self.scale * self.noise,
        )
        return mean, np.sqrt(np.maximum(np.diag(covariance), 0.0))


class TargetSurrogate:
    """Gaussian processes on the target alone, one for each kernel.

    Each counts by how well it predicts the scores: a past of no use may have taught a kernel of no
    use, so that one which no past has shaped may stand beside it.

    Parameters
    ----------
    kernels : sequence of ndarray of shape (n_configs, n_configs)
        Covariances of scores, all with the mean variance of the first.
    tried : ndarray of int, shape (n_tried,)
    scores : ndarray of shape (n_tried,)
    noise : float
        Variance of the noise relative to the mean diagonal of a kernel.

    Attributes
    ----------
    log_density : float
        Leave-one-out log density of the scores.
    """

    def __init__(
        self, kernels: Sequence[np.ndarray], tried: np.ndarray, scores: np.ndarray, noise: float
    ):
        self._processes = [TargetProcess(kernel, tried, scores, noise) for kernel in kernels]
        log_densities = [process.log_density for process in self._processes]
        self._weights = softmax(log_densities)
        self.log_density = float(logsumexp(log_densities) - np.log(len(log_densities)))

    def expected_improvement(self, best: float) -> np.ndarray:
        """Expected improvement of each configuration over the best score, shape (n_configs,)."""
        gains = [expected_improvement(*process.posterior(), best) for process in self._processes]
        return self._weights @ np.array(gains)


def transfer_weight(log_density: float, target_log_density: float, caution: float) -> float:
    """Probability that the past is of use, given how well it predicts.

    Parameters
    ----------
    log_density : float
        Leave-one-out log density of the scores under the transfer model.
    target_log_density : float
        The same under the surrogate that knows the target alone.
    caution : float
        Prior probability that the past is of no use.

    Returns
    -------
    weight : float
        Between 0 and 1.
    """
    if caution <= 0:
        return 1.0
    return float(expit(np.log((1 - caution) / caution) + log_density - target_log_density))


def guard(
    reduction: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    best: float,
    own: TargetSurrogate,
    trust: float,
) -> np.ndarray:
    """Expected reduction of regret when the past may be of no use.

    Parameters
    ----------
    reduction : ndarray of shape (n_configs,)
        What the past expects.
    rows : ndarray of shape (n_rows, n_configs)
        Plausible scores, whose ranges are the units of regret.
    weights : ndarray of shape (n_rows,)
    best : float
        Best score so far.
    own : TargetSurrogate
    trust : float
        Probability that the past is of use.

    Returns
    -------
    reduction : ndarray of shape (n_configs,)
    """
    own_reduction = own.expected_improvement(best) / (weights @ np.ptp(rows, axis=1))
    return trust * reduction + (1 - trust) * own_reduction

"""Guard against negative transfer: does the past predict this dataset better than nothing?"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, ndtr

from skmeta.model_selection._search._gaussian import condition

_SQRT_2PI = np.sqrt(2 * np.pi)
# Fewer scores cannot tell two surrogates apart.
MIN_EVIDENCE = 3


def leave_one_out_log_density(residuals: np.ndarray, covariance: np.ndarray) -> float:
    """Log density of each residual given all others, summed, at the scale that suits them best.

    Only whether configurations go together as expected counts, not how far scores spread: that
    differs between datasets and does not change which configuration is best.

    Parameters
    ----------
    residuals : ndarray of shape (n,)
        Values less their prior mean.
    covariance : ndarray of shape (n, n)
        Their prior covariance up to a scale, with noise.

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
    variance *= max(float(np.mean(error**2 / variance)), 1e-12)
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


class TargetSurrogate:
    """A Gaussian process on the target alone: constant mean, kernel over hyperparameters.

    Parameters
    ----------
    kernel : ndarray of shape (n_configs, n_configs)
        Covariance up to a scale, which is taken from the scores.
    tried : ndarray of int, shape (n_tried,)
    scores : ndarray of shape (n_tried,)
    noise : float
        Variance of the noise relative to the mean diagonal of the kernel.
    """

    def __init__(self, kernel: np.ndarray, tried: np.ndarray, scores: np.ndarray, noise: float):
        relative = kernel / np.mean(np.diag(kernel))
        inner = relative[np.ix_(tried, tried)] + noise * np.eye(len(tried))
        factor = cho_factor(inner)
        ones = np.ones(len(tried))
        self.constant = float(scores @ cho_solve(factor, ones) / (ones @ cho_solve(factor, ones)))
        self.residuals = scores - self.constant
        scale = float(self.residuals @ cho_solve(factor, self.residuals)) / len(tried)
        self.scale = max(scale, 1e-12)
        self.tried, self.noise, self.relative, self.inner = tried, noise, relative, inner

    def log_density(self) -> float:
        """Leave-one-out log density of the scores."""
        return leave_one_out_log_density(self.residuals, self.inner)

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
    own_reduction = expected_improvement(*own.posterior(), best) / (weights @ np.ptp(rows, axis=1))
    return trust * reduction + (1 - trust) * own_reduction

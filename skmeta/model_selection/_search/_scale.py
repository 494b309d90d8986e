"""Location and scale of a dataset's scores, inferred from the few that were seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import t as student

_DEGREES = 3
_GRID = np.linspace(-3, 3, 25)
# Natural logs by which datasets' spreads differ at the least: three datasets may look all alike.
_MIN_LOG_WIDTH = 0.1
# Standard deviations beyond which scores do not belong to the past ones.
_FAR = 8.0
# Standardised scores below this are all just bad: how bad tells nothing of what is good.
LOWEST = -4.0


@dataclass(frozen=True)
class ScaleModel:
    """How location and scale of scores differ between datasets.

    A dataset's scores are `location + scale * f`, where `f` is what datasets share. Where past
    scores have a common meaning (accuracies), location and scale of a new dataset are known well
    beforehand; where they have none, they are learned from the dataset's own scores.

    Parameters
    ----------
    location : float
        Mean of the locations of past datasets.
    location_spread : float
        Their standard deviation.
    log_scale : float
        Mean logarithm of the scales of past datasets.
    log_scale_spread : float
        Their standard deviation.
    """

    location: float
    location_spread: float
    log_scale: float
    log_scale_spread: float

    @classmethod
    def from_past(cls, locations: np.ndarray, scales: np.ndarray) -> ScaleModel:
        """Learn from the locations and scales of past datasets."""
        logs = np.log(scales)
        width = max(float(logs.std()), _MIN_LOG_WIDTH)
        center = float(logs.mean())
        spread = max(float(locations.std()), float(np.exp(center)))
        return cls(float(locations.mean()), spread, center, width)

    @classmethod
    def common(cls, scores: np.ndarray) -> ScaleModel:
        """For past scores that mean the same: a new dataset may still have others."""
        levels = np.nanmean(scores, axis=1)
        return cls(0.0, max(float(levels.std()), 1e-12), 0.0, _MIN_LOG_WIDTH)

    def is_plausible(self, scores: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> bool:
        """Whether scores may be on the scale of the past as they are.

        Their level must be within eight standard deviations, and what is left may not be more than
        eight times as wide as expected.
        """
        if not len(scores):
            return True
        residual = scores - mean
        variance = np.diag(covariance).mean()
        level = float(residual.mean())
        is_near = abs(level) <= _FAR * np.sqrt(variance + self.location_spread**2)
        return is_near and float(residual.std()) <= _FAR * np.sqrt(variance)

    def infer(
        self, scores: np.ndarray, mean: np.ndarray, covariance: np.ndarray
    ) -> tuple[float, float]:
        """Most probable location and scale, given scores.

        Parameters
        ----------
        scores : ndarray of shape (n,)
        mean : ndarray of shape (n,)
            Prior mean of `f` at the configurations that were tried.
        covariance : ndarray of shape (n, n)
            Prior covariance of `f` there, with noise.

        Returns
        -------
        location : float
        scale : float
        """
        if not len(scores):
            return self.location, float(np.exp(self.log_scale))
        # Scores of another meaning lie far from all that were seen; then they speak for themselves.
        away = scores - self.location
        variance = max(self.location_spread, 0.5 * abs(float(np.median(away)))) ** 2
        logs = self._grid(scores, mean, covariance)
        density, locations = _profile(away, mean, covariance, np.exp(logs), variance)
        prior = student.logpdf(logs, _DEGREES, self.log_scale, self.log_scale_spread)
        best = int(np.argmax(density + prior))
        return self.location + float(locations[best]), float(np.exp(logs[best]))

    def _grid(self, scores: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        around_prior = self.log_scale + self.log_scale_spread * _GRID
        if len(scores) < 2 or np.ptp(scores) == 0:
            return around_prior
        expected = np.trace(covariance) / len(scores) + np.var(mean)
        around_scores = np.log(np.std(scores) / np.sqrt(expected)) + 0.5 * _GRID
        return np.concatenate([around_prior, around_scores])


def _profile(
    away: np.ndarray,
    mean: np.ndarray,
    covariance: np.ndarray,
    scales: np.ndarray,
    variance: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Log density of scores under each scale, and the location that goes with it.

    Their covariance is `scale**2 * covariance + variance`. Scores and mean are split into a level
    (generalised least squares) and a rest that is orthogonal to it, so that a level that is large
    beside the scale costs no accuracy.
    """
    factor = cho_factor(covariance)
    solved = cho_solve(factor, np.column_stack([np.ones_like(away), away, mean]))
    precision = solved[:, 0].sum()
    away_level, mean_level = solved[:, 1:].sum(axis=0) / precision
    rest = np.column_stack([away - away_level, mean - mean_level])
    (a, b), (_, c) = rest.T @ cho_solve(factor, rest)
    squares = scales**2
    level = away_level - scales * mean_level
    quadratic = (a - 2 * scales * b + squares * c) / squares
    quadratic = quadratic + level**2 / (squares / precision + variance)
    log_determinant = len(away) * np.log(squares) + np.log1p(variance * precision / squares)
    return -0.5 * (quadratic + log_determinant), level * variance / (variance + squares / precision)

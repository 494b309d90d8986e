"""Plausible scores of a new dataset: past datasets, corrected by what was seen of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve


@dataclass(frozen=True)
class Ensemble:
    """Rows of scores that a new dataset may have, one score for each configuration.

    Before any evidence these are the rows of past datasets, and expected improvement over them
    picks the greedy portfolio. Evidence moves each row by Matheron's rule, as a Gaussian posterior
    sample is moved, and weighs it by how little it had to be moved. So the portfolio's use of whole
    past rows goes over into a Gaussian surrogate without a switch.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_configs)
    covariance : ndarray of shape (n_configs, n_configs)
        Covariance of scores over datasets.
    noise : float
        Variance of the noise on a score.
    sharpness : float
        Power of the likelihood in a row's weight: the inverse squared bandwidth of a kernel density
        over past datasets.
    prior_weights : ndarray of shape (n_rows,), default=None
        Weights of the rows before any evidence; by default all are equal.

    References
    ----------
    .. [1] Wilson et al., "Efficiently sampling functions from Gaussian process posteriors",
       ICML 2020, eq. 5 (Matheron's rule).
    """

    rows: np.ndarray
    covariance: np.ndarray
    noise: float
    sharpness: float
    prior_weights: np.ndarray | None = None

    def update(self, tried: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows given the scores of the tried configurations, and their weights.

        Parameters
        ----------
        tried : ndarray of int, shape (n_tried,)
        scores : ndarray of shape (n_tried,)

        Returns
        -------
        rows : ndarray of shape (n_rows, n_configs)
        weights : ndarray of shape (n_rows,)
            They sum to one.
        """
        weights = self.prior_weights
        if weights is None:
            weights = np.full(len(self.rows), 1.0 / len(self.rows))
        if not len(tried):
            return self.rows, weights
        cross = self.covariance[tried]
        factor = cho_factor(cross[:, tried] + self.noise * np.eye(len(tried)))
        surprise = scores - self.rows[:, tried]
        moved = cho_solve(factor, surprise.T).T
        log_weights = -0.5 * self.sharpness * (surprise * moved).sum(axis=1)
        weights = weights * np.exp(log_weights - log_weights.max())
        rows = self.rows + moved @ cross
        rows[:, tried] = scores
        return rows, weights / weights.sum()

    def moments(self, tried: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance, with noise, of the scores of some configurations before evidence."""
        covariance = self.covariance[np.ix_(tried, tried)] + self.noise * np.eye(len(tried))
        return self.rows[:, tried].mean(axis=0), covariance


def expected_regret_reduction(rows: np.ndarray, weights: np.ndarray, best: float) -> np.ndarray:
    """By how much each configuration is expected to lower the normalised regret.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_configs)
        Plausible scores.
    weights : ndarray of shape (n_rows,)
    best : float
        Best score so far; minus infinity if there is none, and then the gain is over the worst.

    Returns
    -------
    reduction : ndarray of shape (n_configs,)
    """
    worst = rows.min(axis=1)
    spread = np.maximum(rows.max(axis=1), best) - worst
    gain = np.maximum(rows - np.maximum(best, worst)[:, None], 0.0)
    return (weights / np.where(spread > 0, spread, 1.0)) @ gain


def draw_rows(
    scores: np.ndarray,
    mean: np.ndarray,
    covariance: np.ndarray,
    noise: float,
    n_rows: int,
    smoothing: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Rows that stand for the past datasets, `n_rows` at the least.

    A gap is filled with a draw from its posterior. Where there are fewer datasets than rows wanted,
    further rows are smoothed copies: part past dataset, part draw from the Gaussian prior.

    Parameters
    ----------
    scores : ndarray of shape (n_datasets, n_configs)
        NaN where a configuration was not tried.
    mean : ndarray of shape (n_configs,)
    covariance : ndarray of shape (n_configs, n_configs)
    noise : float
    n_rows : int
    smoothing : float
        Share of the prior draw in the variance of a copy, between 0 and 1.
    rng : Generator

    Returns
    -------
    rows : ndarray of shape (max(n_rows, n_datasets), n_configs)
    """
    n_copies = -(-n_rows // len(scores))
    rows = np.repeat(scores, n_copies, axis=0)
    draws = mean + rng.standard_normal((2, *rows.shape)) @ _root(covariance).T
    for start, row in enumerate(scores):
        seen = np.flatnonzero(np.isfinite(row))
        if len(seen) < len(row):
            copies = slice(start * n_copies, (start + 1) * n_copies)
            prior = Ensemble(draws[0, copies], covariance, noise, sharpness=0.0)
            rows[copies] = prior.update(seen, row[seen])[0]
    is_copy = np.arange(len(rows)) % n_copies > 0
    stray = np.sqrt(1 - smoothing) * (rows - mean) + np.sqrt(smoothing) * (draws[1] - mean)
    return np.where(is_copy[:, None], mean + stray, rows)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))

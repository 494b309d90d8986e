"""Linear tasks that several tests share."""

from __future__ import annotations

import numpy as np

MEAN = np.array([2.0, -1.0])
COVARIANCE = np.array([[1.0, 0.6], [0.6, 4.0]])
NOISE_VARIANCE = 0.25


def simulate(n_tasks, n_rows, seed=0):
    """Rows of tasks drawn from a known prior, with an intercept: (Z, y, offsets)."""
    rng = np.random.default_rng(seed)
    Z = np.column_stack([np.ones(n_tasks * n_rows), rng.normal(size=n_tasks * n_rows)])
    weights = rng.multivariate_normal(MEAN, COVARIANCE, size=n_tasks)
    y = (Z * np.repeat(weights, n_rows, axis=0)).sum(axis=1)
    y += rng.normal(scale=NOISE_VARIANCE**0.5, size=len(y))
    return Z, y, np.arange(n_tasks + 1) * n_rows


def ragged(n_features=3, seed=0):
    """Tasks of very different lengths, two of them empty: (Z, y, offsets)."""
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, 4, 0, 1, 70, 9, 2, 0, 5])
    return rng.normal(size=(offsets[-1], n_features)), rng.normal(size=offsets[-1]), offsets

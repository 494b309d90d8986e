"""Portfolios: fixed sequences of configurations that complement each other."""

from __future__ import annotations

import numpy as np


def normalised_regret(scores: np.ndarray) -> np.ndarray:
    """How far each configuration is from the best one of its dataset, in units of the range.

    Parameters
    ----------
    scores : ndarray of shape (n_datasets, n_configs)
        Higher is better.

    Returns
    -------
    regret : ndarray of shape (n_datasets, n_configs)
        0 for the best configuration of a dataset, 1 for the worst. A dataset on which all
        configurations are equal has no regret.
    """
    best = scores.max(axis=1, keepdims=True)
    spread = np.ptp(scores, axis=1)[:, None]
    return (best - scores) / np.where(spread > 0, spread, 1.0)


def greedy_portfolio(scores: np.ndarray, size: int) -> np.ndarray:
    """Configurations whose best member has the least mean regret over datasets.

    Each member is the one that helps most beside those before it; the first is the zero-shot
    default. Greedy choice is within 1 - 1/e of the best portfolio, because the gain is submodular.

    Parameters
    ----------
    scores : ndarray of shape (n_datasets, n_configs)
        Higher is better; no gaps.
    size : int
        Number of members, at most `n_configs`.

    Returns
    -------
    members : ndarray of shape (size,)
        Indices of configurations, in the order in which to try them.

    References
    ----------
    .. [1] Wistuba, Schilling and Schmidt-Thieme, "Sequential model-free hyperparameter tuning",
       ICDM 2015, eq. 5.
    """
    regret = normalised_regret(scores)
    covered = np.full(len(regret), np.inf)
    members: list[int] = []
    for _ in range(size):
        mean_regret = np.minimum(covered[:, None], regret).mean(axis=0)
        mean_regret[members] = np.inf
        members.append(int(mean_regret.argmin()))
        covered = np.minimum(covered, regret[:, members[-1]])
    return np.array(members, dtype=np.intp)

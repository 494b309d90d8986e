"""Standard deviation of a mixture of candidates, calibrated on tasks that none of them had seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from skmeta.ensemble._stacking_episodes import Episodes

Array = NDArray[np.floating]

# Central intervals that should hold this part of the rows.
_LEVELS = np.array([0.8, 0.95])


class Spread(NamedTuple):
    """What standard deviations need beside those of the candidates, at each number of shots."""

    #: Root mean squared error of each candidate, for those without deviations of their own, of
    #: shape (n_shots, n_candidates).
    rmse: Array
    #: Factor that makes the mixture's intervals hold as many rows as they should, (n_shots,).
    scale: Array


def learn_spread(episodes: list[Episodes], weights: Array) -> Spread:
    """Learn the errors of the candidates, and the scale of the mixture's deviation.

    Parameters
    ----------
    episodes : list of Episodes
        Those of regressors, one for each number of shots.
    weights : ndarray of shape (n_shots, n_candidates)

    Returns
    -------
    spread : Spread
    """
    rmse = np.array([np.sqrt(np.mean((e.said - e.y[:, None]) ** 2, axis=0)) for e in episodes])
    scale = np.ones(len(episodes))
    for i, e in enumerate(episodes):
        mean, std = mix(e.said, np.where(np.isnan(e.std), rmse[i], e.std), weights[i])
        if (std > 0).all():
            distance = np.quantile(np.abs(e.y - mean) / std, _LEVELS)
            scale[i] = np.mean(distance / norm.ppf((1 + _LEVELS) / 2))
    return Spread(rmse, scale)


def mix(mean: Array, std: Array, weights: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of a mixture.

    Parameters
    ----------
    mean, std : ndarray of shape (n_rows, n_candidates)
    weights : ndarray of shape (n_candidates,)

    Returns
    -------
    mean, std : ndarray of shape (n_rows,)
    """
    mixed = mean @ weights
    # Around the mixed mean: a difference of squares would lose the digits of small deviations.
    return mixed, np.sqrt((std**2 + (mean - mixed[:, None]) ** 2) @ weights)

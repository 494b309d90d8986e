"""Weights of candidates: the pool of least loss on episodes that they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from skmeta.ensemble._opinion_pools import PoolLoss

Array = NDArray[np.floating]

# Pull of a number of shots towards the weights of all of them, worth this many tasks of average
# loss; and of those towards equal weights, which settles what is left open.
_SHRINKAGE = 2.0
_TIE_BREAK = 1e-3
# Less is not worth the time that a candidate takes to adapt.
_NEGLIGIBLE = 0.02


def learn_weights(losses: Sequence[PoolLoss]) -> Array:
    """Weights at each number of shots, shrunken towards weights that all of them share.

    The shared weights w minimise the sum of the losses; those at one number of shots minimise its
    own loss plus a penalty on their distance to w. Both are convex problems. The penalty has the
    weight of a few tasks, so that few tasks share their weights over shots and many do not.

    Parameters
    ----------
    losses : sequence of PoolLoss
        One for each number of shots.

    Returns
    -------
    weights : ndarray of shape (n_shots, n_candidates)
        Not negative; for regressors each row has the sum one.

    References
    ----------
    .. [1] Wolpert (1992). Stacked generalization. Neural Networks 5, 241-259.
    .. [2] Breiman (1996). Stacked regressions. Machine Learning 24, 49-64.
    """
    n_candidates = losses[0].episodes.said.shape[1]
    equal = np.full(n_candidates, 1 / n_candidates)
    shared = _minimise(losses, equal, _TIE_BREAK)
    return np.array(
        [
            _minimise([loss], shared, _TIE_BREAK + _SHRINKAGE / loss.episodes.n_tasks)
            for loss in losses
        ]
    )


def _minimise(losses: Sequence[PoolLoss], centre: Array, penalty: float) -> Array:
    """Weights of least mean loss plus `penalty` times the squared distance to `centre`."""

    def objective(weights: Array) -> tuple[float, Array]:
        parts = [loss(weights) for loss in losses]
        away = weights - centre
        value = float(np.mean([part[0] for part in parts]) + penalty * away @ away)
        return value, np.mean([part[1] for part in parts], axis=0) + 2 * penalty * away

    if losses[0].sums_to_one:
        weights = _on_simplex(objective, centre)
    else:
        found = minimize(
            objective, centre, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(centre)
        )
        weights = found.x
    if (weights < _NEGLIGIBLE).all():  # nobody knows anything; someone has to say so
        return centre
    weights = np.where(weights < _NEGLIGIBLE, 0.0, weights)
    return weights / weights.sum() if losses[0].sums_to_one else weights


def _on_simplex(objective: Callable[[Array], tuple[float, Array]], start: Array) -> Array:
    """Minimise over weights that are not negative and have the sum one."""
    if len(start) == 1:
        return np.ones(1)
    found = minimize(
        objective,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(start),
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": lambda weights: np.ones_like(weights),
        },
        options={"ftol": 1e-9, "maxiter": 200},
    )
    return found.x

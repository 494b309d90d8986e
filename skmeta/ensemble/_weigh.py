"""Weights of candidates: the pool of least loss on episodes that they have not seen.

Boosting weighs its candidates otherwise (`_mixing.py`). Here they are any learners, good ones and
bad ones: most may get no weight; for classes weights are powers of probabilities, whose sum is
free; few tasks share their weights over the numbers of shots; and a guard (`_weigh_guard.py`)
trusts what was learned by degrees.
"""

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
# Standard errors over tasks by which a candidate may be worse than the reference and still be
# weighed. One that is far off on some tasks ruins a mixture there, however little it weighs.
_CLEARLY = 2.0


def learn_weights(losses: Sequence[PoolLoss], reference: int | None = None) -> Array:
    """Weights at each number of shots, shrunken towards weights that all of them share.

    The shared weights w minimise the sum of the losses; those at one number of shots minimise its
    own loss plus a penalty on their distance to w. Both are convex problems. The penalty has the
    weight of a few tasks, so that few tasks share their weights over shots and many do not.

    Parameters
    ----------
    losses : sequence of PoolLoss
        One for each number of shots.
    reference : int or None, default=None
        Which candidate ignores the support. Those that alone are clearly worse than it at a number
        of shots have no weight there. None weighs all.

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
    allowed = [_not_clearly_worse(loss, reference) for loss in losses]
    equal = np.full(n_candidates, 1 / n_candidates)
    shared = _minimise(losses, equal, _TIE_BREAK, np.any(allowed, axis=0))
    return np.array(
        [
            _minimise([loss], shared, _TIE_BREAK + _SHRINKAGE / loss.episodes.n_tasks, usable)
            for loss, usable in zip(losses, allowed, strict=True)
        ]
    )


def _not_clearly_worse(loss: PoolLoss, reference: int | None) -> NDArray[np.bool_]:
    """Which candidates are weighed."""
    n_candidates = loss.episodes.said.shape[1]
    if reference is None:
        return np.ones(n_candidates, dtype=bool)
    alone = np.column_stack([loss.of_tasks(weights) for weights in np.eye(n_candidates)])
    difference = alone - alone[:, [reference]]
    return difference.mean(axis=0) <= _CLEARLY * standard_error(difference)


def standard_error(values: Array) -> Array:
    """Of the mean over the first axis; infinite for a single value."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.inf)
    return values.std(axis=0, ddof=1) / np.sqrt(len(values))


def _minimise(
    losses: Sequence[PoolLoss], centre: Array, penalty: float, allowed: NDArray[np.bool_]
) -> Array:
    """Weights of least mean loss plus `penalty` times the squared distance to `centre`.

    What is not allowed has no weight, and none in the centre either.
    """
    weight = centre[allowed].sum()
    equal = allowed / allowed.sum()
    centre = np.where(allowed, centre, 0.0) * (centre.sum() / weight) if weight else equal

    def objective(weights: Array) -> tuple[float, Array]:
        parts = [loss(weights) for loss in losses]
        away = weights - centre
        value = float(np.mean([part[0] for part in parts]) + penalty * away @ away)
        return value, np.mean([part[1] for part in parts], axis=0) + 2 * penalty * away

    if losses[0].sums_to_one:
        weights = _on_simplex(objective, centre, allowed)
    else:
        found = minimize(
            objective,
            centre,
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, None if usable else 0.0) for usable in allowed],
        )
        weights = found.x
    if (weights < _NEGLIGIBLE).all():  # nobody knows anything; someone has to say so
        return centre
    weights = np.where(weights < _NEGLIGIBLE, 0.0, weights)
    return weights / weights.sum() if losses[0].sums_to_one else weights


def _on_simplex(
    objective: Callable[[Array], tuple[float, Array]], start: Array, allowed: NDArray[np.bool_]
) -> Array:
    """Minimise over weights that are not negative, zero where not allowed, and have the sum one."""
    if allowed.sum() == 1:
        return start
    found = minimize(
        objective,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, float(usable)) for usable in allowed],
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": lambda weights: np.ones_like(weights),
        },
        options={"ftol": 1e-9, "maxiter": 200},
    )
    return found.x

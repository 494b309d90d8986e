"""Weights of candidates: the mixture of least loss on episodes that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from skmeta.ensemble._stacking_episodes import Episodes

Array = NDArray[np.floating]

# Pull of a number of shots towards the weights of all of them, worth this many tasks of average
# loss; and of those towards equal weights, which settles what is left open.
_SHRINKAGE = 2.0
_TIE_BREAK = 1e-3
# Less is not worth the time that a candidate takes to adapt.
_NEGLIGIBLE = 0.02


class MixtureLoss:
    """Mean loss over tasks of a weighted mean of candidates, as a function of the weights.

    The squared error of the mixed prediction for regressors, minus the logarithm of the mixed
    probability for classifiers. Each task counts the same, however many query rows it has.

    Parameters
    ----------
    episodes : Episodes
    is_classifier : bool
    unit : float, default=1.0
        What losses are divided by.
    """

    def __init__(self, episodes: Episodes, is_classifier: bool, unit: float = 1.0) -> None:
        self.episodes, self.is_classifier, self.unit = episodes, is_classifier, unit
        self._tasks, self._position, n_rows = np.unique(
            episodes.task, return_inverse=True, return_counts=True
        )
        self._share = 1 / (n_rows[self._position] * len(n_rows))

    def __call__(self, weights: Array) -> tuple[float, Array]:
        """Mean loss, and its gradient."""
        said = self.episodes.said
        mixed = said @ weights
        by_mixed = -1 / mixed if self.is_classifier else 2 * (mixed - self.episodes.y)
        share = self._share / self.unit
        return float(share @ self._of_rows(mixed)), (share * by_mixed) @ said

    def of_tasks(self, weights: Array) -> Array:
        """Loss of each task, in the order of their positions, of shape (n_tasks,)."""
        of_rows = self._of_rows(self.episodes.said @ weights) * self._share * len(self._tasks)
        return np.bincount(self._position, of_rows) / self.unit

    def _of_rows(self, mixed: Array) -> Array:
        return -np.log(mixed) if self.is_classifier else (mixed - self.episodes.y) ** 2


def learn_weights(losses: Sequence[MixtureLoss]) -> Array:
    """Weights at each number of shots, shrunken towards weights that all of them share.

    The shared weights w minimise the sum of the losses; those at one number of shots minimise its
    own loss plus a penalty on their distance to w. Both are convex problems. The penalty has the
    weight of a few tasks, so that few tasks share their weights over shots and many do not.

    Parameters
    ----------
    losses : sequence of MixtureLoss
        One for each number of shots.

    Returns
    -------
    weights : ndarray of shape (n_shots, n_candidates)
        Not negative; each row has the sum one.

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


def _minimise(losses: Sequence[MixtureLoss], centre: Array, penalty: float) -> Array:
    """Weights of least mean loss plus `penalty` times the squared distance to `centre`."""

    def objective(weights: Array) -> tuple[float, Array]:
        parts = [loss(weights) for loss in losses]
        away = weights - centre
        value = float(np.mean([part[0] for part in parts]) + penalty * away @ away)
        return value, np.mean([part[1] for part in parts], axis=0) + 2 * penalty * away

    if len(centre) == 1:
        return np.ones(1)
    found = minimize(
        objective,
        centre,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(centre),
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": lambda weights: np.ones_like(weights),
        },
        options={"ftol": 1e-9, "maxiter": 200},
    )
    weights = np.clip(found.x, 0, None)
    weights[weights < _NEGLIGIBLE] = 0.0
    return weights / weights.sum()

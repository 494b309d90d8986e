"""Pools of opinions: what candidates say together, and the loss of that, given their weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from skmeta.ensemble._stacking_episodes import Episodes

Array = NDArray[np.floating]


def log_pool(log_proba: Array, weights: Array) -> Array:
    """Log probabilities of a logarithmic pool.

    Weighted log probabilities are added up, and made to sum to one again. Candidates that know
    different things make each other surer, which a mean of probabilities never does; a class that
    one of them rules out is ruled out.

    Parameters
    ----------
    log_proba : ndarray of shape (n_rows, n_candidates, n_classes)
    weights : ndarray of shape (n_candidates,)
        Not negative. Their sum is how sure the pool is: it is one where candidates agree because
        they know the same.

    Returns
    -------
    log_proba : ndarray of shape (n_rows, n_classes)

    References
    ----------
    .. [1] Genest & Zidek (1986). Combining probability distributions: a critique and an annotated
       bibliography. Statistical Science 1, 114-135.
    """
    return log_softmax(np.einsum("nmc,m->nc", log_proba, weights), axis=1)


class PoolLoss(ABC):
    """Mean loss over tasks of a pool of candidates, as a function of their weights.

    Each task counts the same, however many query rows it has. The loss is convex in the weights.

    Parameters
    ----------
    episodes : Episodes
    unit : float, default=1.0
        What losses are divided by.
    """

    #: Whether weights are to sum to one.
    sums_to_one: ClassVar[bool]

    def __init__(self, episodes: Episodes, unit: float = 1.0) -> None:
        self.episodes, self.unit = episodes, unit
        self._tasks, self._position, n_rows = np.unique(
            episodes.task, return_inverse=True, return_counts=True
        )
        self._share = 1 / (n_rows[self._position] * len(n_rows) * unit)

    def __call__(self, weights: Array) -> tuple[float, Array]:
        """Mean loss, and its gradient."""
        loss, slope = self._of_rows(weights)
        return float(self._share @ loss), self._share @ slope

    def of_tasks(self, weights: Array) -> Array:
        """Loss of each task, in the order of their positions, of shape (n_tasks,)."""
        of_rows = self._of_rows(weights)[0] * self._share * len(self._tasks)
        return np.bincount(self._position, of_rows).astype(np.float64, copy=False)

    def part(self, rows: NDArray[np.bool_]) -> Self:
        """The loss of some of the rows."""
        return type(self)(self.episodes.of(rows), self.unit)

    @abstractmethod
    def _of_rows(self, weights: Array) -> tuple[Array, Array]:
        """Loss of each row, (n_rows,), and its derivatives, (n_rows, n_candidates)."""


class SquaredLoss(PoolLoss):
    """Squared error of a linear pool: the weighted mean of what regressors say."""

    sums_to_one = True

    def _of_rows(self, weights: Array) -> tuple[Array, Array]:
        said = self.episodes.said
        error = said @ weights - self.episodes.y
        return error**2, 2 * error[:, None] * said


class LogLoss(PoolLoss):
    """Log-loss of a logarithmic pool of what classifiers say."""

    sums_to_one = False

    def _of_rows(self, weights: Array) -> tuple[Array, Array]:
        said, codes = self.episodes.said, self.episodes.y
        rows = np.arange(len(codes))
        pooled = log_pool(said, weights)
        expected = np.einsum("nmc,nc->nm", said, np.exp(pooled))
        return -pooled[rows, codes], expected - said[rows, :, codes]

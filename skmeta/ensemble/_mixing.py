"""Weights of candidates, by few-shot prediction of training tasks out of task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

Array = NDArray[np.floating]

# Episodes are drawn from this many tasks at most, with this many query rows.
_MAX_TASKS, _MAX_QUERY = 100, 30
# Weighs few episodes against equal weights: squared logits count as this share of the loss.
_PULL = 3e-3


class Episode(NamedTuple):
    """Row numbers of the support and the query of one training task."""

    support: NDArray[np.intp]
    query: NDArray[np.intp]


def episodes(
    row_lists: list[NDArray[np.intp]], n_support: int, strategy: str, rng: np.random.Generator
) -> Iterator[Episode]:
    """Draw supports from training tasks.

    Parameters
    ----------
    row_lists : list of ndarray of int
        Row numbers of each task, in the order in which they are stored.
    n_support : int
        Rows of a support; tasks that have not two rows more are left out.
    strategy : {"random", "first"}
        Whether rows are drawn at random, or the first ones.
    rng : Generator

    Yields
    ------
    episode : Episode
    """
    large = [rows for rows in row_lists if len(rows) >= n_support + 2]
    for t in np.sort(rng.permutation(len(large))[:_MAX_TASKS]):
        rows = rng.permutation(large[t]) if strategy == "random" else large[t]
        yield Episode(rows[:n_support], rng.permutation(rows[n_support:])[:_MAX_QUERY])


def mixing_weights(loss: Callable[[Array], float], n_candidates: int) -> Array:
    """Weights that sum to one, of least loss; equal where the loss does not tell.

    Parameters
    ----------
    loss : callable
        From weights to a loss of ordinary size one.
    n_candidates : int

    Returns
    -------
    weights : ndarray of shape (n_candidates,)
    """

    def objective(logits: Array) -> float:
        return loss(softmax(logits)) + _PULL * float(logits @ logits)

    if n_candidates == 1:
        return np.ones(1)
    return softmax(minimize(objective, np.zeros(n_candidates), method="BFGS").x)

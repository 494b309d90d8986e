"""Weights of the candidates inside boosting, by few-shot prediction of training tasks out of task.

Stacking weighs its candidates otherwise (`_weigh.py` and `_weigh_guard.py`). Here they are few and
always the same, processes and the pooled models that these correct: all get some weight, for
classes of a mean of probabilities, at each number of shots by itself; and the guard is all or
nothing, as what it falls back to is the same candidates without their processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

Array = NDArray[np.floating]

# Episodes are drawn from this many tasks at most. Of few tasks there are more query rows of each.
_MAX_TASKS, _LEAST_QUERY, _QUERY_IN_ALL = 100, 30, 3000
# Weighs few episodes against equal weights: squared logits count as this share of the loss.
_PULL = 5e-4
# Standard errors that a gain over pooled models must exceed. Later rows are unlike first ones in a
# way that differs by task, and weights and trees were chosen on the same few tasks.
CAUTION = {"random": 1.0, "first": 2.0}


class Episode(NamedTuple):
    """Row numbers of the support and the query of one training task."""

    support: NDArray[np.intp]
    query: NDArray[np.intp]


def episodes(
    row_lists: list[NDArray[np.intp]],
    n_support: int,
    strategy: str,
    rng: np.random.Generator,
    shots: Sequence[int] = (),
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
    shots : sequence of int, default=()
        With first rows the query comes after the largest of these supports that leaves two rows:
        rows far ahead are what first rows mislead about.

    Yields
    ------
    episode : Episode
    """
    large = [rows for rows in row_lists if len(rows) >= n_support + 2]
    chosen = np.sort(rng.permutation(len(large))[:_MAX_TASKS])
    n_query = max(_LEAST_QUERY, _QUERY_IN_ALL // max(len(chosen), 1))
    for t in chosen:
        rows, start = large[t], n_support
        if strategy == "random":
            rows = rng.permutation(rows)
        else:
            start = max([n_support, *(k for k in shots if k + 2 <= len(rows))])
        yield Episode(rows[:n_support], rng.permutation(rows[start:])[:n_query])


def mixing_weights(
    losses: Callable[[Array], Array], is_pooled: NDArray[np.bool_], caution: float = 1.0
) -> Array:
    """Weights that sum to one, of least mean loss; equal where the loss does not tell.

    A mixture that gains no more over pooled models than some standard errors of its gain is not
    trusted: then pooled models share the weight.

    Parameters
    ----------
    losses : callable
        From weights to the loss of each task, of ordinary size one.
    is_pooled : ndarray of bool of shape (n_candidates,)
        Which candidates are models without adaptation.
    caution : float, default=1.0
        How many standard errors over tasks a gain must exceed.

    Returns
    -------
    weights : ndarray of shape (n_candidates,)
    """
    weights = _least(losses, np.ones(len(is_pooled), dtype=bool))
    if is_pooled.any() and not is_pooled.all():
        safe = _least(losses, is_pooled)
        gains = losses(safe) - losses(weights)
        if gains.mean() <= caution * gains.std(ddof=1) / np.sqrt(len(gains)):
            return safe
    return weights


def _least(losses: Callable[[Array], Array], allowed: NDArray[np.bool_]) -> Array:
    """Weights of least loss, zero for what is not allowed."""

    def spread(logits: Array) -> Array:
        weights = np.zeros(len(allowed))
        weights[allowed] = softmax(logits)
        return weights

    def objective(logits: Array) -> float:
        return float(losses(spread(logits)).mean()) + _PULL * float(logits @ logits)

    return spread(minimize(objective, np.zeros(allowed.sum()), method="BFGS").x)

"""How far weights are trusted against a model that ignores the support."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.ensemble._opinion_pools import PoolLoss
from skmeta.ensemble._weigh import learn_weights, standard_error

Array = NDArray[np.floating]

_N_GROUPS = 5
_AMOUNTS = np.linspace(0, 1, 11)


class Guarded(NamedTuple):
    """Result of :func:`guard`."""

    #: Weights of the candidates at each number of shots, of shape (n_shots, n_candidates).
    weights: Array
    #: Part of the mixture that was trusted at each number of shots, of shape (n_shots,).
    trust: Array
    #: Mean loss of the guarded mixture on tasks that its weights have not seen, (n_shots,).
    loss: Array
    #: Standard error over tasks of that loss, (n_shots,).
    error: Array


def guard(losses: list[PoolLoss], reference: int | None, caution: float = 1.0) -> Guarded:
    """Learn weights, and shrink them towards the reference as far as they do not beat it.

    Weights are learned on groups of tasks in turn, and mixed with the reference by an amount; the
    loss of that on the tasks left out, minus the loss of the reference alone, is a paired
    difference for each task. Its mean plus some standard errors over tasks bounds what is lost. If
    the bound is below zero for the mixture as it is, the mixture is trusted; otherwise the amount
    is the one of the least bound, which is zero for the amount zero: no more is lost than noise.

    Parameters
    ----------
    losses : list of PoolLoss
        One for each number of shots.
    reference : int or None
        Which candidate ignores the support; None trusts the weights as they are.
    caution : float, default=1.0
        How many standard errors.

    Returns
    -------
    guarded : Guarded
    """
    weights = learn_weights(losses, reference)
    tables = _cross_fitted(losses, reference)
    n_shots = len(losses)
    trust, loss, error = np.ones(n_shots), np.empty(n_shots), np.empty(n_shots)
    for i, table in enumerate(tables):
        if reference is not None:
            difference = table - table[:, :1]
            bound = difference.mean(axis=0) + caution * standard_error(difference)
            chosen = len(_AMOUNTS) - 1 if bound[-1] < 0 else int(np.argmin(bound))
            trust[i] = _AMOUNTS[chosen]
        else:
            chosen = len(_AMOUNTS) - 1
        loss[i], error[i] = table[:, chosen].mean(), standard_error(table)[chosen]
    if reference is not None:
        weights = _towards(weights, reference, trust[:, None])
    return Guarded(weights, trust, loss, error)


def _cross_fitted(losses: list[PoolLoss], reference: int | None) -> list[Array]:
    """Loss of each task at each amount, of shape (n_tasks, n_amounts), for each number of shots."""
    n_tasks = 1 + max(int(loss.episodes.task.max()) for loss in losses)
    group = np.arange(n_tasks) % _N_GROUPS
    tables: list[list[Array]] = [[] for _ in losses]
    for g in range(min(_N_GROUPS, n_tasks)):
        seen = [loss.part(group[loss.episodes.task] != g) for loss in losses]
        held = [loss.part(group[loss.episodes.task] == g) for loss in losses]
        if any(len(part.episodes.y) == 0 for part in seen):
            continue
        for table, weights, loss in zip(tables, learn_weights(seen, reference), held, strict=True):
            if len(loss.episodes.y):
                mixed = [_towards(weights, reference, amount) for amount in _AMOUNTS]
                table.append(np.column_stack([loss.of_tasks(w) for w in mixed]))
    return [np.concatenate(table) for table in tables]


def _towards(weights: Array, reference: int | None, amount: Array | float) -> Array:
    """Move weights from the reference, at amount zero, to themselves, at amount one."""
    if reference is None:
        return weights
    alone = np.zeros(weights.shape[-1])
    alone[reference] = 1.0
    return (1 - amount) * alone + amount * weights

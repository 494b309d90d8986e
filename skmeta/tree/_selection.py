"""Choosing how deep trees go and how small their leaves are, by the evidence of training tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.tree._episodes import Episodes, make_episodes
from skmeta.tree._growing import Committee, Settings, Table
from skmeta.tree._learning import Learned, learn_gaussian

Array = NDArray[np.floating]


class Choice(NamedTuple):
    """Settings, and what was learned with them from trees that had not seen the task."""

    settings: Settings
    committee: Committee
    episodes: Episodes
    learned: Learned


def select(
    table: Table,
    grow_with: Callable[[Settings], Committee],
    candidates: Sequence[Settings],
    depths: Sequence[int],
    smoothings: Sequence[float],
) -> Choice:
    """Choose the settings under which unseen training tasks have the most evidence.

    Classes are treated as numbers, 0 and 1, here: what is compared are structures, and the normal
    evidence of a structure costs a tenth of that of classes.

    Parameters
    ----------
    table : Table
    grow_with : callable
        Grows the trees to judge.
    candidates : sequence of Settings
        `max_depth` is the largest of `depths`.
    depths : sequence of int
        Depths to cut the trees at, increasing. A tree that is cut is the tree that would have
        been grown with that `max_depth`.
    smoothings : sequence of float
        Those to choose from, by the error of trees that have not seen the task; empty if the
        candidates say it.

    Returns
    -------
    choice : Choice
    """
    best: Choice | None = None
    for settings in candidates:
        committee = grow_with(settings)
        if smoothings:
            settings = settings._replace(smoothing=_best_smoothing(table, committee, smoothings))
            committee = committee.smoothed(table, settings.smoothing)
        grown = max(len(nodes.levels) for nodes in committee.nodes) - 1
        episodes = make_episodes(table, committee, grown + 1)
        learned: Learned | None = None
        for depth in sorted({min(depth, grown) for depth in depths}):
            cut, residual = episodes.up_to(depth), unseen_residual(table, committee, depth)
            learned = learn_gaussian(cut, residual, start=learned, max_iter=15)
            if best is None or learned.log_evidence > best.learned.log_evidence:
                best = Choice(settings._replace(max_depth=depth), committee, cut, learned)
    assert best is not None
    return best


def unseen_residual(table: Table, committee: Committee, depth: int) -> Array:
    """Targets less what trees say that have not seen the task; one column for two classes."""
    residual = table.targets - committee.unseen_values(table, depth)
    return residual[:, 1:] if residual.shape[1] == 2 else residual


def _best_smoothing(table: Table, committee: Committee, smoothings: Sequence[float]) -> float:
    errors = [
        _error(table, committee.smoothed(table, smoothing).unseen_values(table))
        for smoothing in smoothings
    ]
    return smoothings[int(np.argmin(errors))]


def _error(table: Table, values: Array) -> float:
    """Mean squared error of numbers, mean log loss of classes."""
    if not table.is_classes:
        return float(np.nanmean((table.targets - values) ** 2))
    return float(-np.nanmean(np.log(np.clip(values[table.targets > 0], 1e-9, 1))))

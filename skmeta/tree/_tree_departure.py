"""How a task departs from what tasks share, in one tree: the values of its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from skmeta.tree._messages import NodePosterior, pass_messages, pass_messages_of_classes
from skmeta.tree._prior import Supports, TreePrior
from skmeta.tree._splitting import Split, below, best_split, without

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# Working arrays hold about this many floats.
_BLOCK = 2**21


class TreeDeparture(NamedTuple):
    """Posterior of the sum of effects down to each node of a tree."""

    mean: Array  # (n_nodes, n_outputs)
    variance: Array  # (n_nodes, n_outputs)
    counts: Array  # (n_nodes,), support rows below each node
    splits: dict[int, Split]  # of leaves

    def __call__(self, prior: TreePrior, leaves: Index, X: Array) -> tuple[Array, Array]:
        """Mean and variance at rows, each of shape (n_rows, n_outputs)."""
        mean, variance = self.mean[leaves[0]], self.variance[leaves[0]]
        for leaf, split in self.splits.items():
            assert prior.splitting is not None
            rows = np.flatnonzero(leaves[0] == leaf)
            is_right = X[rows, split.feature] > split.threshold
            for side, here in zip(split.sides, (rows[~is_right], rows[is_right]), strict=True):
                mean[here], variance[here] = below(
                    side, mean[here], variance[here], prior.splitting.variance
                )
        return mean, variance


class _Evidence(NamedTuple):
    """What each support row says of its leaf's departure, a normal density."""

    precision: Array  # (n_rows, n_outputs)
    weighted: Array  # (n_rows, n_outputs), precision times mean


def depart_in_tree(prior: TreePrior, supports: Supports) -> Iterator[TreeDeparture]:
    """Departure of each task: all rows at once, then sums by task and node."""
    nodes, n_outputs = prior.nodes[0], supports.targets.shape[1]
    n_tasks = len(supports.offsets) - 1
    step = max(1, _BLOCK // (len(nodes) * n_outputs))
    for start in range(0, n_tasks, step):
        offsets = supports.offsets[start : start + step + 1]
        rows = slice(offsets[0], offsets[-1])
        part = Supports(
            supports.leaves[:, rows],
            supports.X[rows],
            supports.targets[rows],
            supports.prior[rows],
            offsets - offsets[0],
        )
        yield from _depart(prior, part)


def _depart(prior: TreePrior, supports: Supports) -> Iterator[TreeDeparture]:
    nodes, offsets = prior.nodes[0], supports.offsets
    task = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    cell = task * len(nodes) + supports.leaves[0]
    counts = _sums(cell, None, len(offsets) - 1, len(nodes))
    outputs = range(supports.targets.shape[1])
    found = [_one_output(prior, supports, output, cell, counts) for output in outputs]
    evidence = _evidence(prior, supports, found, task)
    for level in nodes.levels[:0:-1]:
        np.add.at(counts.T, nodes.parent[level], counts[:, level].T)
    for i, (start, stop) in enumerate(pairwise(offsets)):
        departure = TreeDeparture(
            np.stack([part.mean[i] for part in found], axis=1),
            np.stack([part.variance[i] for part in found], axis=1),
            counts[i].copy(),
            {},
        )
        if prior.splitting is not None and prior.splitting.probability > 0:
            rows = slice(start, stop)
            mine = _Evidence(evidence.precision[rows], evidence.weighted[rows])
            departure = _split(prior, departure, supports.leaves[0, rows], supports.X[rows], mine)
        yield departure


def _one_output(
    prior: TreePrior, supports: Supports, output: int, cell: Index, counts: Array
) -> NodePosterior:
    nodes, y = prior.nodes[0], supports.targets[:, output]
    if prior.noise_variance is not None:
        residual = _sums(cell, y - supports.prior[:, output], *counts.shape)
        noise = prior.noise_variance
        return pass_messages(nodes, counts / noise, residual / noise, prior.variances)
    odds = prior.log_odds(np.arange(len(nodes))[None])[None, :, output]
    positives = _sums(cell, y, *counts.shape)
    return pass_messages_of_classes(nodes, counts, positives, odds, prior.variances)


def _sums(cell: Index, weights: Array | None, n_tasks: int, n_nodes: int) -> Array:
    sums = np.bincount(cell, weights, n_tasks * n_nodes).reshape(n_tasks, n_nodes)
    return sums.astype(np.float64)


def _evidence(
    prior: TreePrior, supports: Supports, found: list[NodePosterior], task: Index
) -> _Evidence:
    """For classes, the normal density that touches the likelihood at the mode."""
    y, shared = supports.targets, supports.prior
    if prior.noise_variance is not None:
        precision = np.full_like(y, 1 / prior.noise_variance)
        return _Evidence(precision, precision * (y - shared))
    mean = np.stack([part.mean[task, supports.leaves[0]] for part in found], axis=1)
    proba = expit(shared + mean)
    curvature = proba * (1 - proba)
    return _Evidence(curvature, y - proba + curvature * mean)


def _split(
    prior: TreePrior, departure: TreeDeparture, leaf: Index, X: Array, rows: _Evidence
) -> TreeDeparture:
    """Split the leaves that the task's rows ask to be split, and pass messages once more."""
    nodes, splitting = prior.nodes[0], prior.splitting
    assert splitting is not None
    precision, weighted = np.zeros_like(departure.mean), np.zeros_like(departure.mean)
    np.add.at(precision, leaf, rows.precision)
    np.add.at(weighted, leaf, rows.weighted)
    splits = {}
    for node in np.unique(leaf):
        if not departure.variance[node].all():
            continue  # the prior is trusted without end
        inside = leaf == node
        rest = without(
            precision[node], weighted[node], departure.mean[node], departure.variance[node]
        )
        split = best_split(
            X[inside], rows.precision[inside], rows.weighted[inside], *rest, splitting
        )
        if split is not None:
            left, right = (side.through(splitting.variance) for side in split.sides)
            precision[node] = left.precision + right.precision
            weighted[node] = left.weighted + right.weighted
            splits[int(node)] = split
    if not splits:
        return departure
    again = pass_messages(nodes, precision.T, weighted.T, prior.variances)
    return departure._replace(mean=again.mean.T, variance=again.variance.T, splits=splits)

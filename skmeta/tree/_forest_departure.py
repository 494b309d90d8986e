"""How a task departs from what tasks share, in a forest: by a system of the size of its support."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.tree._likelihood import Bernoulli, Gaussian
from skmeta.tree._prior import Supports, TreePrior
from skmeta.tree._process import Rows, posterior

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# Working arrays hold about this many numbers.
_BLOCK = 2**21


class ForestDeparture(NamedTuple):
    """Posterior of a Gaussian process whose kernel is the share of trees' nodes that rows share."""

    leaves: Index  # (n_trees, n_support)
    weights: Array  # (n_outputs, n_support)
    precision: Array  # (n_outputs, n_support, n_support)

    def __call__(self, prior: TreePrior, leaves: Index, X: Array) -> tuple[Array, Array]:
        """Mean and variance at rows, each of shape (n_rows, n_outputs)."""
        n_rows, n_support = leaves.shape[1], self.leaves.shape[1]
        mean = np.zeros((n_rows, len(self.weights)))
        variance = np.repeat(prior.spread(leaves)[:, None], len(self.weights), axis=1)
        step = _block(prior, n_support)
        for start in range(0, n_rows if n_support else 0, step):
            rows = slice(start, start + step)
            cross = shared_variance(prior, leaves[:, rows], self.leaves)
            mean[rows] = cross @ self.weights.T
            for output, precision in enumerate(self.precision):
                variance[rows, output] -= np.einsum("ij,ij->i", cross @ precision, cross)
        return mean, np.maximum(variance, 0.0)


def shared_variance(prior: TreePrior, first: Index, second: Index) -> Array:
    """Prior covariance of rows: the variance of the effects of the nodes that both pass.

    Parameters
    ----------
    prior : TreePrior
    first : ndarray of int of shape (n_trees, ..., n_first)
        Leaves of rows.
    second : ndarray of int of shape (n_trees, ..., n_second)

    Returns
    -------
    covariance : ndarray of shape (..., n_first, n_second)
    """
    # Two paths have no node in common after the first that differs, so counting them will do.
    of_first, of_second = _paths(prior, first, -1), _paths(prior, second, -2)
    n_shared = np.zeros((*first.shape, second.shape[-1]), dtype=np.uint8)
    for a, b in zip(of_first, of_second, strict=True):
        n_shared += a[..., :, None] == b[..., None, :]
    upto = np.append(0.0, np.cumsum(prior.variances))
    return upto[n_shared].mean(axis=0)


def _paths(prior: TreePrior, leaves: Index, nowhere: int) -> NDArray[np.int32]:
    """The node of each level that rows pass; `nowhere` below their leaf.

    Levels come first, so that arrays are compared level by level, in long runs.
    """
    paths = np.full((len(prior.variances), *leaves.shape), nowhere, dtype=np.int32)
    for tree, (nodes, leaf) in enumerate(zip(prior.nodes, leaves, strict=True)):
        path = np.moveaxis(nodes.ancestors[leaf], -1, 0)
        paths[: len(path), tree] = np.where(path < 0, nowhere, path)
    return paths


def _block(prior: TreePrior, n_others: int) -> int:
    """Rows to take at once where each is compared with so many others."""
    return max(1, _BLOCK // max(1, n_others * len(prior.nodes)))


def depart_in_forest(prior: TreePrior, supports: Supports) -> Iterator[ForestDeparture]:
    """Departure of each task in a forest, by a linear system of the size of its support.

    Tasks with as many rows are adapted to together.
    """
    sizes = np.diff(supports.offsets)
    departures: dict[int, ForestDeparture] = {}
    for size in np.unique(sizes):
        tasks = np.flatnonzero(sizes == size)
        step = max(1, _block(prior, size) // max(1, size))
        for start in range(0, len(tasks), step):
            some = tasks[start : start + step]
            rows = supports.offsets[some, None] + np.arange(size)
            departures.update(zip(some.tolist(), _depart(prior, supports, rows), strict=True))
    return (departures[task] for task in range(len(sizes)))


def _depart(prior: TreePrior, supports: Supports, rows: Index) -> Iterator[ForestDeparture]:
    """Departures of tasks of equal size, `rows` of shape (n_tasks, n_rows)."""
    likelihood = Bernoulli() if prior.noise_variance is None else Gaussian(prior.noise_variance)
    leaves = supports.leaves[:, rows]
    kernel = shared_variance(prior, leaves, leaves)
    found = [
        posterior(kernel, Rows(y, shared, np.ones_like(y)), likelihood)
        for y, shared in zip(
            np.moveaxis(supports.targets[rows], -1, 0),
            np.moveaxis(supports.prior[rows], -1, 0),
            strict=True,
        )
    ]
    for task in range(len(rows)):
        yield ForestDeparture(
            leaves[:, task].copy(),
            np.stack([output.weights[task] for output in found]),
            np.stack([output.precision[task] for output in found]),
        )

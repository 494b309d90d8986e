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

# Working arrays hold about this many floats.
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
        step = max(1, _BLOCK // max(1, n_support * len(prior.variances)))
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
    first : ndarray of int of shape (n_trees, n_first)
        Leaves of rows.
    second : ndarray of int of shape (n_trees, n_second)

    Returns
    -------
    covariance : ndarray of shape (n_first, n_second)
    """
    total = np.zeros((first.shape[1], second.shape[1]))
    for nodes, a, b in zip(prior.nodes, first, second, strict=True):
        for of_a, of_b, variance in zip(
            nodes.ancestors[a].T, nodes.ancestors[b].T, prior.variances, strict=False
        ):
            if variance > 0:
                # -1 stands below a leaf, where there is no node to share.
                total += variance * (of_a[:, None] == np.where(of_b < 0, -2, of_b))
    return total / len(prior.nodes)


def depart_in_forest(prior: TreePrior, supports: Supports) -> Iterator[ForestDeparture]:
    """Departure of each task in a forest, by a linear system of the size of its support."""
    noise = prior.noise_variance
    likelihood = Bernoulli() if noise is None else Gaussian(noise)
    n_outputs = supports.targets.shape[1]
    for start, stop in zip(supports.offsets[:-1], supports.offsets[1:], strict=True):
        rows = slice(start, stop)
        leaves = supports.leaves[:, rows].copy()
        kernel = shared_variance(prior, leaves, leaves)
        kernels = np.broadcast_to(kernel, (n_outputs, *kernel.shape))
        y = supports.targets[rows].T
        found = posterior(kernels, Rows(y, supports.prior[rows].T, np.ones_like(y)), likelihood)
        yield ForestDeparture(leaves, found.weights, found.precision)

"""What tasks share: trees with a value at each leaf, and how far tasks depart from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from skmeta.tree._nodes import Nodes
from skmeta.tree._splitting import SplitPrior

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# No frequency is a certainty.
_LEAST = 1e-9
# A logistic curve that is averaged over log odds of variance v is flatter by sqrt(1 + v pi / 8).
MACKAY = np.pi / 8


class TreePrior(NamedTuple):
    """One or several trees, whose values are averaged."""

    nodes: list[Nodes]
    variances: Array  # (n_levels,), of the effects of each level's nodes
    noise_variance: float | None  # None for classes
    splitting: SplitPrior | None = None  # whether tasks may split leaves further

    def apply(self, X: Array) -> Index:
        """The leaf of each row, of shape (n_trees, n_rows)."""
        return np.array([nodes.apply(X) for nodes in self.nodes])

    def values(self, leaves: Index) -> Array:
        """Mean over trees of the values of nodes, of shape (n_rows, n_outputs)."""
        parts = (nodes.values[leaf] for nodes, leaf in zip(self.nodes, leaves, strict=True))
        return sum(parts) / len(self.nodes)

    def spread(self, leaves: Index) -> Array:
        """Prior variance of a task's departure at nodes, of shape (n_rows,)."""
        total = np.cumsum(self.variances)
        parts = (total[nodes.depth[leaf]] for nodes, leaf in zip(self.nodes, leaves, strict=True))
        return sum(parts) / len(self.nodes)

    def log_odds(self, leaves: Index) -> Array:
        """Log odds of classes for a task like any other, of shape (n_rows, n_classes) or (., 1)."""
        return of_task(one_sided_log_odds(self.values(leaves)), self.spread(leaves))


def one_sided_log_odds(frequencies: Array) -> Array:
    """Log odds of each class against the rest; of the second alone if there are two."""
    odds = logit(np.clip(frequencies, _LEAST, 1 - _LEAST))
    return odds[:, 1:] if odds.shape[1] == 2 else odds


def of_task(log_odds: Array, spread: Array) -> Array:
    """Log odds in a typical task, from those over all tasks.

    Tasks spread around the typical one, which brings the frequencies over all tasks nearer to one
    half. This undoes it, so that :func:`over_tasks` of the result are the frequencies again.
    """
    return log_odds * np.sqrt(1 + MACKAY * spread)[:, None]


def over_tasks(log_odds: Array, spread: Array) -> Array:
    """Log odds averaged over a normal distribution of them, by MacKay's approximation [1]_.

    References
    ----------
    .. [1] MacKay (1992). The evidence framework applied to classification networks. Neural
       Computation 4, 720-736.
    """
    return log_odds / np.sqrt(1 + MACKAY * spread)


class Supports(NamedTuple):
    """Support rows of several tasks, one task after the other."""

    leaves: Index  # (n_trees, n_rows)
    X: Array  # (n_rows, n_columns)
    targets: Array  # (n_rows, n_outputs): numbers, or an indicator of each class
    prior: Array  # (n_rows, n_outputs), what tasks share
    offsets: Index  # (n_tasks + 1,)

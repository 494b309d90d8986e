r"""Growing a task's own splits below the leaves that tasks share, where its rows support it.

A split gives the two halves of a leaf effects of their own, normal with a learned variance. Its
Bayes factor, the evidence of the task's rows with the split over that without, is known exactly;
the rows in other leaves count through what they say of the leaf. All splits of a leaf are equally
probable a priori, so the odds of *some* split are the prior odds times the *mean* of the Bayes
factors: the more splits there are to choose from, the stronger the best one has to be [1]_.

References
----------
.. [1] Chipman, George & McCulloch (1998). Bayesian CART model search. J. Am. Stat. Assoc. 93,
   935-948.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# Neither half may have fewer rows than that.
_MIN_ROWS = 2


class SplitPrior(NamedTuple):
    """How probable it is that a task splits a leaf, and how far the halves then move apart."""

    probability: float
    variance: float


class Message(NamedTuple):
    """What some rows say of a value: a normal density, up to a factor.

    Each is an array that broadcasts with the others.
    """

    precision: Array
    weighted: Array  # precision times mean
    log_factor: Array

    def through(self, variance: float) -> Message:
        """The message about a value that differs from this one by a normal effect."""
        loss = 1 + variance * self.precision
        gain = variance * self.weighted**2 / loss
        factor = self.log_factor + 0.5 * (gain - np.log(loss))
        return Message(self.precision / loss, self.weighted / loss, factor)

    def __add__(self, other: Message) -> Message:  # type: ignore[override]
        return Message(*(mine + its for mine, its in zip(self, other, strict=True)))

    def log_evidence(self, mean: Array, variance: Array) -> Array:
        """Log probability of the rows if the value is normal a priori."""
        loss = 1 + variance * self.precision
        rise = variance * self.weighted**2 + 2 * mean * self.weighted - mean**2 * self.precision
        return self.log_factor + 0.5 * (rise / loss - np.log(loss))


class Split(NamedTuple):
    """A split of a leaf: which rows go left, and what the rows of either side say."""

    feature: int
    threshold: float
    sides: tuple[Message, Message]  # each of shape (n_outputs,)


def best_split(
    X: Array, precision: Array, weighted: Array, mean: Array, variance: Array, prior: SplitPrior
) -> Split | None:
    """The most probable split of a leaf, if a split is more probable than none.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Rows of the task in the leaf.
    precision, weighted : ndarray of shape (n_rows, n_outputs)
        What each row says of the leaf's departure: its precision, and that times its residual.
    mean, variance : ndarray of shape (n_outputs,)
        What all other rows of the task say of it.
    prior : SplitPrior

    Returns
    -------
    split : Split or None
    """
    n_rows = len(X)
    if n_rows < 2 * _MIN_ROWS:
        return None
    order = np.argsort(X, axis=0, kind="stable")
    values = np.take_along_axis(X, order, axis=0)
    upto = slice(_MIN_ROWS - 1, n_rows - _MIN_ROWS)
    is_cut = values[upto] < values[_MIN_ROWS : n_rows - _MIN_ROWS + 1]  # (n_cuts, n_columns)
    if not is_cut.any():
        return None
    nothing = np.zeros(mean.shape)
    whole = Message(precision.sum(axis=0), weighted.sum(axis=0), nothing)
    left = Message(
        np.cumsum(precision[order], axis=0)[upto], np.cumsum(weighted[order], axis=0)[upto], nothing
    )
    right = Message(whole.precision - left.precision, whole.weighted - left.weighted, nothing)
    together = left.through(prior.variance) + right.through(prior.variance)
    factor = together.log_evidence(mean, variance) - whole.log_evidence(mean, variance)
    factor = np.where(is_cut, factor.sum(axis=2), -np.inf)
    top = factor.max()
    log_odds = top + np.log(np.exp(factor - top).sum() / is_cut.sum())
    if log_odds + np.log(prior.probability) - np.log1p(-prior.probability) <= 0:
        return None
    cut, feature = np.unravel_index(factor.argmax(), factor.shape)
    below, above = values[cut + _MIN_ROWS - 1, feature], values[cut + _MIN_ROWS, feature]
    low, high = (
        Message(side.precision[cut, feature], side.weighted[cut, feature], nothing)
        for side in (left, right)
    )
    return Split(int(feature), float((below + above) / 2), (low, high))


def without(precision: Array, weighted: Array, mean: Array, variance: Array) -> tuple[Array, Array]:
    """Mean and variance of a value once the message of some rows is taken out of its posterior."""
    rest = np.maximum(1 / variance - precision, 1e-12 / variance)  # against rounding
    return (mean / variance - weighted) / rest, 1 / rest


def below(
    side: Message, mean: Array, variance: Array, split_variance: float
) -> tuple[Array, Array]:
    """Posterior of one half's value, given that of the leaf."""
    shrink = 1 / (1 + split_variance * side.precision)
    return (
        shrink * (mean + split_variance * side.weighted),
        shrink * split_variance + shrink**2 * variance,
    )

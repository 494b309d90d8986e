"""Shapes of the covariance of weights, and the choice between them by evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeVar

import numpy as np

Structure = Literal["full", "low_rank", "diagonal"]
Learned = TypeVar("Learned")


class Shape(NamedTuple):
    """Form of a covariance: "full", "diagonal", or "low_rank" with `rank` common directions.

    A low-rank covariance is ``W @ W.T`` plus a diagonal one, as in factor analysis.
    """

    structure: Structure
    rank: int = 0

    def reduced(self, n_weights: int) -> Shape:
        """The same, or "full" where there are so few weights that the rank restricts nothing."""
        if self.structure == "low_rank" and self.rank >= n_weights:
            return Shape("full")
        return self

    def n_parameters(self, n_weights: int, n_scales: int) -> int:
        """Free numbers of the covariance, of which `n_scales` are variances if it is diagonal."""
        if self.structure == "full":
            return n_weights * (n_weights + 1) // 2
        # Rotating the common directions changes nothing.
        return n_scales + self.rank * n_weights - self.rank * (self.rank - 1) // 2


FULL = Shape("full")


class Size(NamedTuple):
    """What the complexity of a covariance is measured by."""

    n_tasks: int
    n_weights: int
    #: Variances of a diagonal covariance: fewer than weights where some weights share one.
    n_scales: int

    @property
    def has_many_tasks(self) -> bool:
        """Whether the tasks could tell a full covariance."""
        return self.n_tasks >= self.n_weights


def learn_best(
    covariance: Structure | Literal["auto", "evidence"],
    rank: int | Literal["auto"],
    size: Size,
    learn: Callable[[Shape], Learned],
    log_evidence: Callable[[Learned], float],
) -> tuple[Shape, Learned]:
    """Learn a prior of the shape that is asked for, or of the one that Schwarz's criterion picks.

    Parameters
    ----------
    covariance : {"auto", "evidence", "full", "low_rank", "diagonal"}
        "auto" is "full" where there are at least as many tasks as weights, otherwise "diagonal".
        "evidence" tries all, but for "full" where there are fewer tasks than weights.
    rank : int or "auto"
        "auto" takes one more common direction as long as the criterion grows.
    size : Size
    learn : callable
        Learns the prior of a given shape.
    log_evidence : callable
        Log evidence of the tasks under a learned prior.

    Returns
    -------
    shape : Shape
    learned : object
        What `learn` has returned for it.
    """
    if covariance == "auto":
        covariance = "full" if size.has_many_tasks else "diagonal"
    if covariance in ("full", "diagonal"):
        return Shape(covariance), learn(Shape(covariance))
    found: dict[Shape, tuple[float, Learned]] = {}

    def criterion(shape: Shape) -> float:
        learned = learn(shape)
        n_parameters = shape.n_parameters(size.n_weights, size.n_scales)
        value = log_evidence(learned) - 0.5 * n_parameters * float(np.log(size.n_tasks))
        found[shape] = (value, learned)
        return value

    best = -np.inf
    if covariance == "evidence":
        best = criterion(Shape("diagonal"))
        if size.has_many_tasks:
            criterion(Shape("full"))
    ranks = range(1, max(2, size.n_weights)) if rank == "auto" else (rank,)
    for n_directions in ranks:
        value = criterion(Shape("low_rank", n_directions).reduced(size.n_weights))
        if value <= best:
            break
        best = value
    shape = max(found, key=lambda shape: found[shape][0])
    return shape, found[shape][1]

"""Quadratic programmes with a box and one equation: the duals of small support vector machines."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Array = NDArray[np.floating]

_MAX_ITER = 100
_TOL = 1e-12


class BoxSolution(NamedTuple):
    """Result of :func:`solve_box_qp`."""

    x: Array  # (n,)
    multiplier: float  # of the equation


def solve_box_qp(Q: Array, p: Array, a: Array, C: float) -> BoxSolution:
    """Minimise ``x @ Q @ x / 2 - p @ x`` over ``0 <= x <= C`` with ``a @ x == 0``.

    Mehrotra's predictor-corrector interior-point method [1]_. It takes some fifteen steps whatever
    the kernel, where the decomposition of libsvm needs millions for a linear kernel and large C;
    the price is a cost that grows with the cube of the rows.

    Parameters
    ----------
    Q : ndarray of shape (n, n)
        Positive semi-definite.
    p : ndarray of shape (n,)
    a : ndarray of shape (n,)
        Holds numbers of both signs.
    C : float

    Returns
    -------
    solution : BoxSolution

    References
    ----------
    .. [1] Ferris & Munson (2002). Interior-point methods for massive support vector machines. SIAM
       J. Optim. 13, 783-804.

    Examples
    --------
    >>> import numpy as np
    >>> x, _ = solve_box_qp(np.eye(2), np.array([3.0, 1.0]), np.array([1.0, -1.0]), C=5.0)
    >>> x.round(6)
    array([2., 2.])
    """
    # In units of C the box is the unit cube, and all scales are those of p.
    Q, size = C * Q, 1 + np.abs(p).max()
    rounding = 1e-13 * Q.diagonal().max()  # may have made Q indefinite
    x, multiplier = np.full(len(p), 0.5), 0.0
    room = 1 - x  # kept apart: the difference would lose its digits near the upper bound
    lower, upper = np.full(len(p), size), np.full(len(p), size)
    for _ in range(_MAX_ITER):
        slope = p - Q @ x - multiplier * a + lower - upper
        gap = (lower @ x + upper @ room) / (2 * len(p))
        if gap < _TOL * size:
            break
        weight = lower / x + upper / room
        factor = cho_factor(Q + np.diag(weight + rounding))
        system = _System(factor, cho_solve(factor, a), a, x, room, lower, upper, slope)
        push = system.step(-lower * x, -upper * room)
        ahead = system.gap(push, system.longest(push))
        target = gap * (ahead / gap) ** 3
        push = system.step(
            target - lower * x - push[0] * push[2],
            target - upper * room + push[0] * push[3],
        )
        length = 0.995 * system.longest(push)
        x, room = x + length * push[0], room - length * push[0]
        multiplier += length * push[1]
        lower, upper = lower + length * push[2], upper + length * push[3]
    return BoxSolution(C * x, float(multiplier))


class _System(NamedTuple):
    """Newton's equations at a point."""

    factor: tuple
    solved: Array
    a: Array
    x: Array
    room: Array
    lower: Array
    upper: Array
    slope: Array

    def step(self, at_lower: Array, at_upper: Array) -> tuple[Array, float, Array, Array]:
        """Step of (x, multiplier, lower, upper) that changes the products with the slacks so."""
        force = cho_solve(self.factor, self.slope + at_lower / self.x - at_upper / self.room)
        multiplier = (self.a @ force + self.a @ self.x) / (self.a @ self.solved)
        move = force - multiplier * self.solved
        lower = (at_lower - self.lower * move) / self.x
        upper = (at_upper + self.upper * move) / self.room
        return move, float(multiplier), lower, upper

    def longest(self, push: tuple[Array, float, Array, Array]) -> float:
        """Length of the step at which the first slack or multiplier vanishes; one at most."""
        values = np.concatenate([self.x, self.room, self.lower, self.upper])
        changes = np.concatenate([push[0], -push[0], push[2], push[3]])
        falls = changes < 0
        return float(min(1.0, np.min(-values[falls] / changes[falls], initial=1.0)))

    def gap(self, push: tuple[Array, float, Array, Array], length: float) -> float:
        """Mean product of slacks and multipliers after a step."""
        x, room = self.x + length * push[0], self.room - length * push[0]
        lower, upper = self.lower + length * push[2], self.upper + length * push[3]
        return float((lower @ x + upper @ room) / (2 * len(x)))

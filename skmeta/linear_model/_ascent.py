"""Climbing by a fixed-point iteration, extrapolated where that pays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
# One iteration: from a point to the objective there and the next point.
Step = Callable[[Array], tuple[float, Array]]


def ascend(step: Step, start: Array, max_iter: int, tol: float) -> tuple[Array, list[float], bool]:
    """Iterate ``step`` uphill: extrapolated where that raises the value, plain where it does not.

    Returns the last point, the values on the way, and whether two gains running fell below ``tol``.
    """
    point, (value, image) = start, step(start)
    values, calm, reach = [value], 0, 128.0
    history: deque[tuple[Array, Array]] = deque(maxlen=5)
    for _ in range(max_iter):
        candidate, found, reach = image, None, min(2 * reach, 1e4)
        if history:
            candidate = _extrapolate(point, image, history, reach)
            found = _evaluate(step, candidate)
        if found is None or not found[0] >= value:
            candidate, found, reach = image, step(image), max(reach / 8, 1.0)
        if not found[0] >= value:  # EM climbs: what is left is rounding
            return point, values, True
        history.append((candidate - point, (found[1] - candidate) - (image - point)))
        calm = calm + 1 if found[0] - value < tol else 0
        point, (value, image) = candidate, found
        values.append(value)
        if calm == 2:
            return point, values, True
    return point, values, False


def _extrapolate(
    point: Array, image: Array, history: deque[tuple[Array, Array]], reach: float
) -> Array:
    """Anderson's extrapolation of a fixed-point iteration, from its last few steps.

    It goes beyond the plain step by at most ``reach`` times that step's length, and changes no
    variance by more than a factor of about 50.
    """
    step = image - point
    moves, changes = (np.column_stack(columns) for columns in zip(*history, strict=True))
    # Changes shrink as the iteration converges: only their directions are compared.
    size = np.linalg.norm(changes, axis=0)
    size = np.where(size > 0, size, 1.0)
    gram = (changes / size).T @ (changes / size) + 1e-8 * np.eye(len(size))
    share = np.linalg.solve(gram, (changes / size).T @ step) / size
    beyond = -(moves + changes) @ share
    if beyond @ step < 0:  # heads back to a saddle point, which EM is about to leave
        beyond = reach * step
    length, limit = np.linalg.norm(beyond), min(reach * float(np.linalg.norm(step)), 4.0)
    return image + beyond * (limit / length if length > limit else 1.0)


def _evaluate(step: Step, candidate: Array) -> tuple[float, Array] | None:
    """``step`` at an extrapolated point, or None where it cannot be computed."""
    if np.abs(candidate).max() > 50.0:  # a log variance beyond any data, and near overflow
        return None
    try:
        return step(candidate)
    except np.linalg.LinAlgError:
        return None

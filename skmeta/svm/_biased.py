"""Support vector machines that correct a given decision function.

Instead of a whole function, the machine seeks the smallest correction g of a prior one, f0 [1]_::

    minimise  |g|^2 / 2 + C * sum(xi)    subject to    y (f0(x) + g(x) + b) >= 1 - xi,  xi >= 0

The dual differs from that of an ordinary machine in its linear term alone: the margin that a row
must gain is d = 1 - y f0(x) rather than 1.

References
----------
.. [1] Yang, Yan & Hauptmann (2007). Cross-domain video concept detection using adaptive SVMs. ACM
   Multimedia, 188-197.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.svm._box_qp import solve_box_qp

Array = NDArray[np.floating]

# A coefficient within this of a bound, in units of C, is at the bound.
_AT_BOUND = 1e-6


class Correction(NamedTuple):
    """The function ``kernel(x, rows) @ dual + intercept``."""

    dual: Array  # (n_rows,)
    intercept: float


def fit_margin(gram: Array, sign: Array, prior: Array, C: float) -> Correction:
    """Correct a decision function on some rows, as a soft-margin classifier.

    Parameters
    ----------
    gram : ndarray of shape (n_rows, n_rows)
        Kernel between the rows.
    sign : ndarray of shape (n_rows,)
        Classes, -1 or 1.
    prior : ndarray of shape (n_rows,)
        Decision function to correct.
    C : float
        Weight of a row that misses its margin.

    Returns
    -------
    correction : Correction
        With rows of one class, the intercept alone that gives each its margin.

    Examples
    --------
    A prior that is right by a margin needs no correction:

    >>> import numpy as np
    >>> sign = np.array([-1.0, 1.0])
    >>> np.abs(fit_margin(np.eye(2), sign, 1.5 * sign, C=1.0).dual)
    array([0., 0.])
    """
    deficit = 1 - sign * prior
    if np.all(sign == sign[0]):
        shift = max(0.0, float(deficit.max()))
        return Correction(np.zeros(len(sign)), float(sign[0]) * shift)
    return _solve(gram, sign, deficit, C)


def fit_tube(gram: Array, y: Array, prior: Array, C: float, epsilon: float) -> Correction:
    """Correct a regression function on some rows: a machine for the residuals.

    Parameters
    ----------
    gram : ndarray of shape (n_rows, n_rows)
        Kernel between the rows.
    y : ndarray of shape (n_rows,)
        Targets.
    prior : ndarray of shape (n_rows,)
        Function to correct.
    C : float
        Weight of a row that leaves the tube.
    epsilon : float
        Half the width of the tube.

    Returns
    -------
    correction : Correction
    """
    # Each row has a coefficient for either side of the tube.
    residual, ones = y - prior, np.ones(len(y))
    both = _solve(
        np.tile(gram, (2, 2)),
        np.append(ones, -ones),
        np.append(residual - epsilon, -residual - epsilon),
        C,
    )
    return Correction(both.dual[: len(y)] + both.dual[len(y) :], both.intercept)


def _solve(gram: Array, sign: Array, deficit: Array, C: float) -> Correction:
    """Gain a deficit on each row, in the direction of its sign."""
    solution = solve_box_qp(gram * np.outer(sign, sign), deficit, sign, C)
    alpha = np.clip(solution.x, 0, C)
    alpha[alpha < _AT_BOUND * C] = 0.0
    alpha[alpha > (1 - _AT_BOUND) * C] = C
    dual = sign * alpha
    if np.any((alpha > 0) & (alpha < C)):
        return Correction(dual, solution.multiplier)
    # No row lies on its margin, so that the intercept is free within bounds: libsvm's choice.
    exact = sign * deficit - gram @ dual
    from_below = (alpha == 0) == (sign > 0)
    return Correction(dual, float((exact[from_below].max() + exact[~from_below].min()) / 2))

"""Climbing to the most probable parameters of a process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.floating]

# No parameter goes further from its prior mean than this, in units of the prior's spread.
_LIMIT = 5.0


def maximise(
    evidence: Callable[[Array], tuple[float, Array]],
    start: Array,
    centre: Array,
    spread: Array,
    n_rows: int,
    max_iter: int,
) -> Array:
    """Maximise a log evidence and the log of a normal prior of the parameters.

    Parameters
    ----------
    evidence : callable
        From parameters to log evidence and its derivatives.
    start, centre, spread : ndarray of shape (n_parameters,)
        Where to begin, and mean and standard deviation of the prior.
    n_rows : int
        Rows that the evidence is of: the search ends when it gains nothing for each of them.
    max_iter : int
        Iterations at most.

    Returns
    -------
    theta : ndarray of shape (n_parameters,)
    """

    def objective(position: Array) -> tuple[float, Array]:
        value, gradient = evidence(centre + spread * position)
        loss = 0.5 * float(position @ position) - value
        return loss / n_rows, (position - spread * gradient) / n_rows

    found = minimize(
        objective,
        (start - centre) / spread,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_LIMIT, _LIMIT)] * len(centre),
        options={"maxiter": max_iter},
    )
    return centre + spread * found.x

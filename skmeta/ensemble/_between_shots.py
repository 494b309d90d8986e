"""Weights at numbers of shots that were not tried: between them, and beyond the largest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def interpolate(n_rows: int, shots: NDArray[np.intp], values: Array) -> Array:
    """Values at a number of rows, linear in its logarithm between the numbers of `shots`.

    Parameters
    ----------
    n_rows : int
    shots : ndarray of int of shape (n_shots,)
        Increasing.
    values : ndarray of shape (n_shots, n_values)

    Returns
    -------
    values : ndarray of shape (n_values,)
        Those of the nearest number of shots outside of their range.
    """
    at, knots = np.log1p(n_rows), np.log1p(shots)
    return np.array([np.interp(at, knots, column) for column in values.T])


def extrapolate(weights: Array, ignores_support: NDArray[np.bool_], growth: float) -> Array:
    r"""Weights at more shots than were tried.

    What ignores the support is worth a number m of support rows: with k of them its share of the
    weight is :math:`m / (m + k)`, as that of the prior mean is in a posterior mean. The share at
    the largest k that was tried gives m.

    Parameters
    ----------
    weights : ndarray of shape (n_candidates,)
        Weights at the largest number of shots that was tried.
    ignores_support : ndarray of bool of shape (n_candidates,)
    growth : float
        How many times as many shots there are now; at least one.

    Returns
    -------
    weights : ndarray of shape (n_candidates,)
        With the same sum. All stays as it is where only one of the two groups has a weight.
    """
    total, ignoring = weights.sum(), weights[ignores_support].sum()
    if not 0 < ignoring < total:
        return weights
    less = total / (ignoring + growth * (total - ignoring))
    return weights * np.where(ignores_support, less, growth * less)

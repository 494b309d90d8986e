"""Quantiles that a user asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array


def check_quantiles(quantiles: Any) -> np.ndarray:
    """Quantiles as an array of shape (n_quantiles,).

    Raises
    ------
    ValueError
        If one is not between 0 and 1.
    """
    quantiles = check_array(np.atleast_1d(quantiles), ensure_2d=False, input_name="quantiles")
    if quantiles.ndim != 1 or not ((quantiles > 0) & (quantiles < 1)).all():
        raise ValueError(f"quantiles must lie between 0 and 1, got {quantiles.tolist()}.")
    return quantiles

"""Covariance of scores from the likeness of configurations alone."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from scipy.spatial.distance import cdist

# Long: configurations of one algorithm; short: neighbours within it.
_LENGTH_SCALES = (1.0, 0.3)
# Part of the variance that is each configuration's own at the least: keeps matrices invertible.
_MIN_OWN = 1e-2
# Squared distance below which two vectors are the same configuration.
_SAME = 1e-18


def base_kernels(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Kernels that a configuration kernel is mixed from.

    Parameters
    ----------
    left : ndarray of shape (n_left, n_columns)
        Encoded configurations.
    right : ndarray of shape (n_right, n_columns)

    Returns
    -------
    kernels : ndarray of shape (4, n_left, n_right)
        What all configurations share, two Gaussian kernels, and what is each one's own.
    """
    distance = cdist(left, right, "sqeuclidean")
    smooth = [np.exp(-0.5 * distance / scale**2) for scale in _LENGTH_SCALES]
    return np.stack([np.ones_like(distance), *smooth, (distance < _SAME).astype(np.float64)])


def mixed_kernel(left: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum of the base kernels, without holding each of them.

    Parameters
    ----------
    left : ndarray of shape (n_left, n_columns)
        Encoded configurations.
    right : ndarray of shape (n_right, n_columns)
    weights : ndarray of shape (4,)

    Returns
    -------
    kernel : ndarray of shape (n_left, n_right)
    """
    shared, *smooth, own = weights
    distance = cdist(left, right, "sqeuclidean")
    kernel = np.full_like(distance, shared)
    for weight, scale in zip(smooth, _LENGTH_SCALES, strict=True):
        if weight > 0:
            part = distance * (-0.5 / scale**2)
            kernel += weight * np.exp(part, out=part)
    kernel[distance < _SAME] += own
    return kernel


def fit_kernel_weights(kernels: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Mix base kernels so that they match the products of residuals over datasets.

    Parameters
    ----------
    kernels : ndarray of shape (n_kernels, n_configs, n_configs)
    residuals : ndarray of shape (n_datasets, n_configs)
        Scores less their mean over datasets; NaN where a configuration was not tried.

    Returns
    -------
    weights : ndarray of shape (n_kernels,)
        Not negative; least squares over all pairs of configurations seen together (method of
        moments), each pair weighted by how often it was.
    """
    seen = np.isfinite(residuals).astype(np.float64)
    filled = np.nan_to_num(residuals)
    counts = seen.T @ seen
    root = np.sqrt(counts).ravel()
    moments = np.divide(filled.T @ filled, counts, out=np.zeros_like(counts), where=counts > 0)
    design = kernels.reshape(len(kernels), -1).T * root[:, None]
    weights = nnls(design.T @ design, design.T @ (moments.ravel() * root))[0]
    total = weights.sum()
    if not total > 0:  # no spread at all, or none that the kernels can express
        weights[-1] = total = max(float(np.nanmean(residuals**2)), 1e-12)
    weights[-1] = max(weights[-1], _MIN_OWN * total)
    return weights

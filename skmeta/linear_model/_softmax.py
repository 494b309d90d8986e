"""Softmax of linear logits without a redundant class, and its mean over normal logits."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert
from scipy.special import expit, softmax
from scipy.stats import norm
from scipy.stats.qmc import Sobol

Array = NDArray[np.floating]

# Points over which the softmax of more than two classes is averaged.
N_POINTS = 256


def contrasts(n_classes: int) -> Array:
    """Directions of the logits that probabilities depend on.

    The logits of a row are ``contrasts @ free`` with one free number fewer than classes. Two
    classes have the logit of the second against the first, as is usual; with more, contrasts are
    orthonormal, so that an isotropic distribution of the free numbers favours no class.

    Parameters
    ----------
    n_classes : int
        At least two.

    Returns
    -------
    contrasts : ndarray of shape (n_classes, n_classes - 1)
    """
    return np.array([[0.0], [1.0]]) if n_classes == 2 else helmert(n_classes).T


def softmax_of_normal(mean: Array, covariance: Array) -> Array:
    r"""Mean of the softmax of normal logits along contrasts, approximately.

    For two classes this is MacKay's probit approximation of the logistic integral [1]_,
    :math:`\sigma(\mu / \sqrt{1 + \pi v / 8})`. For more it is the mean over a fixed set of
    quasi-random points and their mirror images [2]_, whose error is about 0.002.

    Parameters
    ----------
    mean : ndarray of shape (n_rows, n_classes - 1)
    covariance : ndarray of shape (n_rows, n_classes - 1, n_classes - 1)

    Returns
    -------
    proba : ndarray of shape (n_rows, n_classes)

    References
    ----------
    .. [1] MacKay (1992). The evidence framework applied to classification networks. Neural
       Computation 4, 720-736.
    .. [2] Owen (2013). Monte Carlo theory, methods and examples. Chapters 8 and 15.

    Examples
    --------
    Uncertain logits give less certain classes:

    >>> import numpy as np
    >>> mean = np.array([[2.0]])
    >>> softmax_of_normal(mean, np.zeros((1, 1, 1))).round(2)
    array([[0.12, 0.88]])
    >>> softmax_of_normal(mean, np.full((1, 1, 1), 8.0)).round(2)
    array([[0.27, 0.73]])
    """
    n_free = mean.shape[1]
    if n_free == 1:
        proba = expit(mean / np.sqrt(1 + np.pi / 8 * covariance[:, :, 0]))
        return np.column_stack([1 - proba, proba])
    # Rounding may have made a singular covariance indefinite.
    jitter = 1e-10 * (1 + np.trace(covariance, axis1=1, axis2=2))
    root = np.linalg.cholesky(covariance + jitter[:, None, None] * np.eye(n_free))
    points = mean[:, None] + _normal_points(n_free) @ root.transpose(0, 2, 1)
    return softmax(points @ contrasts(n_free + 1).T, axis=2).mean(axis=1)


@cache
def _normal_points(n_free: int) -> Array:
    """Points that represent the standard normal distribution, of shape (N_POINTS, n_free)."""
    half = norm.ppf(Sobol(n_free, rng=0).random(N_POINTS // 2))
    return np.concatenate([half, -half])

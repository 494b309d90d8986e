"""Gaussian processes behind the classes of a task, by Laplace's approximation.

The logits of a row along the contrasts of the classes are an offset plus one Gaussian process for
each contrast: their covariance is the Kronecker product of a kernel of the rows and a covariance of
the contrasts. The posterior of a task's logits is taken as normal around its mode [1]_.

References
----------
.. [1] Rasmussen & Williams (2006). Gaussian processes for machine learning. Sections 3.4, 3.5 and
   5.5.1: equations 3.32, 3.39 and 5.22 to 5.24.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from skmeta.linear_model._softmax import contrasts, softmax_of_normal

Array = NDArray[np.floating]

_MAX_NEWTON = 50
# Newton's method stops when no task has this much to gain: far below what evidence resolves.
_GAIN = 1e-10


class Labels(NamedTuple):
    """Classes of the rows of some tasks, and what their logits are before any process."""

    codes: NDArray[np.intp]  # (n_tasks, n_rows)
    inside: NDArray[np.bool_]  # (n_tasks, n_rows), False in the padding
    free: Array  # (n_tasks, n_rows, n_classes - 1)


class Mode(NamedTuple):
    """Laplace's approximation: the most probable logits of each task, and their curvature."""

    dual: Array  # (n_tasks, n_latent): logits = offset + covariance @ dual
    proba: Array  # (n_tasks, n_rows, n_classes), at the mode
    shrink: Array  # (n_tasks, n_latent, n_latent): inverse of 1 + information @ covariance
    precision: Array  # (n_tasks, n_latent, n_latent): (covariance + 1 / information)^-1
    log_evidence: Array  # (n_tasks,)


def latent_covariance(kernel: Array, of_contrasts: Array) -> Array:
    """Kronecker product for each task, of shape (n_tasks, n_rows * n_free, n_columns * n_free)."""
    n_tasks, n, m = kernel.shape
    k = len(of_contrasts)
    product = kernel[:, :, None, :, None] * of_contrasts[:, None, :]
    return product.reshape(n_tasks, n * k, m * k)


def find_mode(covariance: Array, labels: Labels, start: Array | None = None) -> Mode:
    """Find the most probable logits of some tasks at once, by Newton's method.

    Parameters
    ----------
    covariance : ndarray of shape (n_tasks, n_latent, n_latent)
        Prior covariance of the logits along contrasts; contrasts of a row are neighbours.
    labels : Labels
    start : ndarray of shape (n_tasks, n_latent), optional
        Dual coefficients to begin with; the result does not depend on them.

    Returns
    -------
    mode : Mode
    """
    directions = contrasts(labels.free.shape[2] + 1)
    n_tasks, n_latent, _ = covariance.shape
    dual = np.zeros((n_tasks, n_latent)) if start is None else start
    identity = np.eye(n_latent)

    def evaluate(dual: Array) -> tuple[Array, Array, Array]:
        process = _apply(covariance, dual)
        logits = (labels.free + process.reshape(labels.free.shape)) @ directions.T
        log_proba = log_softmax(logits, axis=2)
        chosen = np.take_along_axis(log_proba, labels.codes[:, :, None], axis=2)[:, :, 0]
        likelihood = np.where(labels.inside, chosen, 0.0).sum(axis=1)
        joint = likelihood - 0.5 * np.sum(dual * process, axis=1)
        return joint, process, np.exp(log_proba)

    value, process, proba = evaluate(dual)
    for _ in range(_MAX_NEWTON):
        information = _information(proba, labels.inside, directions)
        score = _score(proba, labels, directions)
        matrix = identity + _by_rows(information, covariance)
        target = _by_rows(information, process[:, :, None])[:, :, 0] + score
        step = np.linalg.solve(matrix, target[:, :, None])[:, :, 0] - dual
        length = np.ones(n_tasks)
        for _ in range(30):
            trial = dual + length[:, None] * step
            found = evaluate(trial)
            falls = ~(found[0] >= value - 1e-10 * (1 + np.abs(value)))
            if not falls.any():
                break
            length[falls] /= 2
        gain = float(np.max(found[0] - value, initial=0.0))
        dual, (value, process, proba) = trial, found
        if gain < _GAIN:
            break
    information = _information(proba, labels.inside, directions)
    matrix = identity + _by_rows(information, covariance)
    shrink = np.linalg.inv(matrix)
    log_determinant = np.linalg.slogdet(matrix)[1]
    precision = _by_rows(information, shrink.transpose(0, 2, 1))
    precision = 0.5 * (precision + precision.transpose(0, 2, 1))
    return Mode(dual, proba, shrink, precision, value - 0.5 * log_determinant)


class Gradient(NamedTuple):
    """Derivatives of the sum of log evidences."""

    by_covariance: Array  # (n_tasks, n_latent, n_latent), symmetric
    by_free: Array  # (n_tasks, n_rows, n_free)


def evidence_gradient(covariance: Array, labels: Labels, mode: Mode) -> Gradient:
    """Derivatives of the log evidence by prior covariance and offset of the logits.

    The mode moves with both, which changes the curvature: that is the second term here.
    """
    directions = contrasts(labels.free.shape[2] + 1)
    n_tasks, n_rows, n_free = labels.free.shape
    spread = covariance - covariance @ mode.precision @ covariance
    index = np.arange(n_rows)
    blocks = spread.reshape(n_tasks, n_rows, n_free, n_rows, n_free)[:, index, :, index, :]
    logits = np.einsum("cf,ntfg,dg->tncd", directions, blocks, directions, optimize=True)
    p = mode.proba
    bend = np.einsum("tncc->tnc", logits) - 2 * np.einsum("tncd,tnd->tnc", logits, p)
    pull = p * (bend - np.sum(p * bend, axis=2, keepdims=True))
    by_mode = -0.5 * np.where(labels.inside[:, :, None], pull, 0.0) @ directions
    moved = _apply(mode.shrink, by_mode.reshape(n_tasks, -1))
    outer = (0.5 * mode.dual + moved)[:, :, None] * mode.dual[:, None, :]
    by_covariance = 0.5 * (outer + outer.transpose(0, 2, 1) - mode.precision)
    return Gradient(by_covariance, (mode.dual + moved).reshape(labels.free.shape))


def predict_proba(
    mode: Mode, cross: Array, variance: Array, of_contrasts: Array, free: Array
) -> Array:
    """Probabilities of the query rows of one task, averaged over the posterior of its logits.

    Parameters
    ----------
    mode : Mode
        Of the support of a single task.
    cross : ndarray of shape (n_query, n_support)
        Kernel between query and support.
    variance : ndarray of shape (n_query,)
        Kernel of each query row with itself.
    of_contrasts : ndarray of shape (n_free, n_free)
    free : ndarray of shape (n_query, n_free)
        Offset of the query's logits.

    Returns
    -------
    proba : ndarray of shape (n_query, n_classes)
    """
    k = len(of_contrasts)
    wide = latent_covariance(cross[None], of_contrasts)[0]
    mean = free + (wide @ mode.dual[0]).reshape(-1, k)
    rows = wide.reshape(len(cross), k, -1)
    explained = (rows @ mode.precision[0]) @ rows.transpose(0, 2, 1)
    covariance = variance[:, None, None] * of_contrasts - explained
    return softmax_of_normal(mean, covariance)


def _apply(matrices: Array, vectors: Array) -> Array:
    return (matrices @ vectors[:, :, None])[:, :, 0]


def _score(proba: Array, labels: Labels, directions: Array) -> Array:
    """Derivatives of the log likelihood by the logits, of shape (n_tasks, n_latent)."""
    residual = np.eye(len(directions))[labels.codes] - proba
    score = np.where(labels.inside[:, :, None], residual, 0.0) @ directions
    return score.reshape(len(proba), -1)


def _information(proba: Array, inside: NDArray[np.bool_], directions: Array) -> Array:
    """Minus the second derivatives by a row's logits, of shape (n_tasks, n_rows, n_free, n_free).

    Those by the logits of two rows are zero.
    """
    n_tasks, n_rows, n_classes = proba.shape
    k = directions.shape[1]
    products = (directions[:, :, None] * directions[:, None, :]).reshape(n_classes, k * k)
    mean = proba @ directions
    blocks = (proba @ products).reshape(n_tasks, n_rows, k, k)
    blocks = blocks - mean[..., :, None] * mean[..., None, :]
    return np.where(inside[:, :, None, None], blocks, 0.0)


def _by_rows(blocks: Array, matrices: Array) -> Array:
    """Product of block-diagonal matrices, one block for each row, and full ones."""
    n_tasks, n_rows, k, _ = blocks.shape
    return (blocks @ matrices.reshape(n_tasks, n_rows, k, -1)).reshape(matrices.shape)

"""Gaussian processes behind the classes of a task, by Laplace's approximation.

Each class of a row has a logit: an offset and a process of its own. The processes have the kernel
of the rows in common and a variance each, and know of each other through the softmax alone. What
costs the cube of a task's rows is thus done for each class, and once for what they share, instead
of for all logits of a task together [1]_. Two classes have a single logit, of the second against
the first.

References
----------
.. [1] Rasmussen & Williams (2006). Gaussian processes for machine learning. Sections 3.4, 3.5 and
   5.5.1: equations 3.32, 3.39 and 5.22 to 5.24, algorithm 3.3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

Array = NDArray[np.floating]

_MAX_NEWTON = 50
# Newton's method stops when no task gained this much: what is left is about the square of it.
_GAIN = 1e-7


class Labels(NamedTuple):
    """Classes of the rows of some tasks, and what their logits are before any process."""

    codes: NDArray[np.intp]  # (n_tasks, n_rows)
    inside: NDArray[np.bool_]  # (n_tasks, n_rows), False in the padding
    offset: Array  # (n_tasks, n_logits, n_rows)


class Prior(NamedTuple):
    """Distribution of the processes of some tasks."""

    kernel: Array  # (n_tasks, n_rows, n_rows), zero in the padding
    variances: Array  # (n_logits,): the processes' covariances are these times the kernel

    def apply(self, dual: Array) -> Array:
        """Covariance times vectors of shape (n_tasks, n_logits, n_rows)."""
        return self.variances[:, None] * (dual @ self.kernel)


class Precision(NamedTuple):
    """(covariance + 1 / information)^-1, in parts: own - own @ shared @ shared.T @ own."""

    own: Array  # (n_tasks, n_logits, n_rows, n_rows), of each logit if the others were known
    shared: Array | None  # (n_tasks, n_rows, n_rows); None for a single logit

    def apply(self, vectors: Array) -> Array:
        """Product with vectors of shape (n_tasks, n_logits, n_rows)."""
        found = _apply(self.own, vectors)
        if self.shared is None:
            return found
        common = found.sum(axis=1, keepdims=True) @ self.shared
        back = common @ self.shared.transpose(0, 2, 1)
        return found - _apply(self.own, np.broadcast_to(back, found.shape))

    def of_logits(self) -> Array:
        """Blocks of each logit with itself, of the shape of `own`."""
        if self.shared is None:
            return self.own
        root = self.own @ self.shared[:, None]
        return self.own - root @ root.transpose(0, 1, 3, 2)


class Mode(NamedTuple):
    """Laplace's approximation: the most probable logits of each task, and their curvature."""

    dual: Array  # (n_tasks, n_logits, n_rows): logits = offset + covariance @ dual
    proba: Array  # (n_tasks, n_logits, n_rows), at the mode
    precision: Precision
    log_evidence: Array  # (n_tasks,)


class Gradient(NamedTuple):
    """Derivatives of the sum of log evidences."""

    by_kernel: Array  # (n_tasks, n_rows, n_rows), symmetric
    by_variances: Array  # (n_logits,)
    by_offset: Array  # (n_tasks, n_logits, n_rows)


def find_mode(prior: Prior, labels: Labels, start: Array | None = None) -> Mode:
    """Find the most probable logits of some tasks at once, by Newton's method.

    Parameters
    ----------
    prior : Prior
    labels : Labels
    start : ndarray of shape (n_tasks, n_logits, n_rows), optional
        Dual coefficients to begin with; the result does not depend on them.

    Returns
    -------
    mode : Mode
    """
    dual = np.zeros_like(labels.offset) if start is None else start
    value, process, proba = _joint(prior, labels, dual)
    for _ in range(_MAX_NEWTON):
        precision, _ = _curvature(prior, proba)
        weighed = proba * process
        target = weighed - proba * weighed.sum(axis=1, keepdims=True) + _score(proba, labels)
        step = target - precision.apply(prior.apply(target)) - dual
        length = np.ones((len(dual), 1, 1))
        for _ in range(30):
            trial = dual + length * step
            found = _joint(prior, labels, trial)
            falls = ~(found[0] >= value - 1e-10 * (1 + np.abs(value)))
            if not falls.any():
                break
            length[falls] /= 2
        gain = float(np.max(found[0] - value, initial=0.0))
        dual, (value, process, proba) = trial, found
        if gain < _GAIN:
            break
    precision, factors = _curvature(prior, proba)
    log_determinant = sum(np.linalg.slogdet(each)[1].sum(axis=1) for each in factors)
    return Mode(dual, proba, precision, value - 0.5 * log_determinant)


def evidence_gradient(prior: Prior, labels: Labels, mode: Mode) -> Gradient:
    """Derivatives of the log evidence by kernel, variances and offset.

    The mode moves with each, which changes the curvature: that is `moved` here.
    """
    variances, dual, p = prior.variances, mode.dual, mode.proba
    wide = variances[:, None, None] * prior.kernel[:, None]
    spread = _posterior(mode.precision, wide, np.einsum("tlnn->tln", wide))
    own = np.einsum("tnll->tln", spread)
    bend = own - 2 * np.einsum("tnlm,tmn->tln", spread, p)
    pull = p * (bend - np.sum(p * bend, axis=1, keepdims=True))
    by_mode = np.where(labels.inside[:, None], -0.5 * pull, 0.0)
    moved = by_mode - mode.precision.apply(prior.apply(by_mode))
    left = 0.5 * dual + moved
    outer = left[..., :, None] * dual[..., None, :]
    by_covariance = 0.5 * (outer + outer.transpose(0, 1, 3, 2) - mode.precision.of_logits())
    pairs = labels.inside[:, :, None] & labels.inside[:, None, :]
    return Gradient(
        np.where(pairs, np.einsum("l,tlnm->tnm", variances, by_covariance), 0.0),
        np.einsum("tlnm,tnm->l", by_covariance, prior.kernel),
        dual + moved,
    )


def posterior(mode: Mode, prior: Prior, variance: Array) -> tuple[Array, Array]:
    """Posterior of the processes of the query rows of one task.

    Parameters
    ----------
    mode : Mode
        Of the support of a single task.
    prior : Prior
        With the kernel between query and support, of shape (1, n_query, n_support).
    variance : ndarray of shape (n_query,)
        Kernel of each query row with itself.

    Returns
    -------
    mean : ndarray of shape (n_query, n_logits)
    covariance : ndarray of shape (n_query, n_logits, n_logits)
    """
    wide = prior.variances[:, None, None] * prior.kernel[:, None]
    mean = _apply(wide, mode.dual)[0].T
    covariance = _posterior(mode.precision, wide, prior.variances[:, None] * variance)
    return mean, covariance[0]


def _posterior(precision: Precision, cross: Array, variance: Array) -> Array:
    """Posterior covariances of the logits of each row, of shape (n_tasks, n, n_logits, n_logits).

    Parameters
    ----------
    precision : Precision
    cross : ndarray of shape (n_tasks, n_logits, n, n_rows)
        Prior covariance between the logits of these rows and of those that were seen.
    variance : ndarray of shape (n_tasks, n_logits, n)
        Prior variances.
    """
    explained = cross @ precision.own
    own = variance - np.sum(explained * cross, axis=3)
    if precision.shared is None:
        return own.transpose(0, 2, 1)[..., None]
    root = (explained @ precision.shared[:, None]).transpose(0, 2, 1, 3)
    covariance = root @ root.transpose(0, 1, 3, 2)
    index = np.arange(own.shape[1])
    covariance[..., index, index] += own.transpose(0, 2, 1)
    return covariance


def _joint(prior: Prior, labels: Labels, dual: Array) -> tuple[Array, Array, Array]:
    """Log density of classes and processes of each task; the processes; the probabilities."""
    process = prior.apply(dual)
    logits = labels.offset + process
    is_single = logits.shape[1] == 1
    if is_single:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    log_proba = log_softmax(logits, axis=1)
    chosen = np.take_along_axis(log_proba, labels.codes[:, None], axis=1)[:, 0]
    likelihood = np.where(labels.inside, chosen, 0.0).sum(axis=1)
    value = likelihood - 0.5 * np.sum(dual * process, axis=(1, 2))
    return value, process, np.exp(log_proba[:, 1:] if is_single else log_proba)


def _score(proba: Array, labels: Labels) -> Array:
    """Derivatives of the log likelihood by the logits."""
    n_logits = proba.shape[1]
    first = 1 if n_logits == 1 else 0
    is_class = labels.codes[:, None] == np.arange(first, first + n_logits)[:, None]
    return np.where(labels.inside[:, None], is_class - proba, 0.0)


def _curvature(prior: Prior, proba: Array) -> tuple[Precision, list[Array]]:
    """Precision, and matrices whose determinants make up det(1 + information @ covariance)."""
    n_logits, n_rows = proba.shape[1:]
    root = np.sqrt(proba * (1 - proba) if n_logits == 1 else proba)
    pairs = root[..., :, None] * root[..., None, :]
    matrix = pairs * (prior.variances[:, None, None] * prior.kernel[:, None])
    matrix[..., np.arange(n_rows), np.arange(n_rows)] += 1.0
    own = pairs * np.linalg.inv(matrix)
    if n_logits == 1:
        return Precision(own, None), [matrix]
    total = own.sum(axis=1, keepdims=True)
    triangle = np.linalg.cholesky(total[:, 0])
    shared = np.linalg.inv(triangle).transpose(0, 2, 1)
    return Precision(own, shared), [matrix, total]


def _apply(matrices: Array, vectors: Array) -> Array:
    return (matrices @ vectors[..., None])[..., 0]

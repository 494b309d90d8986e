"""Logistic regression of many tasks at once, under a normal prior of their weights.

The weights of a task have a posterior that is nearly normal. Laplace's approximation takes its mode
and its curvature there [1]_; Lindley's expansion corrects the mean [2]_. Modes of all tasks are
found together, by Newton's method in the coordinates of a root of the prior covariance, which may
be singular.

The weights of a task are a flat vector: for each column of the design matrix, one weight for each
contrast of the classes (see :func:`~skmeta.linear_model._softmax.contrasts`).

References
----------
.. [1] Spiegelhalter & Lauritzen (1990). Sequential updating of conditional probabilities on
   directed graphical structures. Networks 20, 579-605.
.. [2] Lindley (1980). Approximate Bayesian methods. Trabajos de Estadistica 31, 223-245.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from skmeta.linear_model._blocks import padded_rows
from skmeta.linear_model._softmax import contrasts
from skmeta.linear_model._weight_prior import square_root, whiten

Array = NDArray[np.floating]

# Newton's method stops when the squared length of a step, measured by the curvature, is below
# this: the error of the mode is then far below what anything here is sensitive to.
_DECREMENT = 1e-16
_MAX_NEWTON = 100
# The curvature costs most. It serves for further steps while each takes the squared length down to
# this part of the last one's; near the mode it hardly changes.
_FALL = 0.03
# From so many weights on, tasks whose rows have less than half as many logits are taken one by one,
# each among the weights that its rows say something of. Smaller ones are quicker in batches.
_MANY_WEIGHTS = 64


@dataclass(frozen=True, eq=False)
class LogisticTasks:
    """Rows of classification tasks, which lie one after the other.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_columns)
        Design matrix; a model with an intercept has a column of ones.
    codes : ndarray of int of shape (n_rows,)
        Classes 0, ..., n_classes - 1.
    offsets : ndarray of int of shape (n_tasks + 1,)
        Task ``t`` is the rows ``offsets[t]:offsets[t + 1]``. A task may be empty.
    n_classes : int
        At least two.
    """

    Z: Array
    codes: NDArray[np.intp]
    offsets: NDArray[np.intp]
    n_classes: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __add__(self, other: LogisticTasks) -> LogisticTasks:
        """Append the tasks of ``other``."""
        return LogisticTasks(
            np.concatenate([self.Z, other.Z]),
            np.concatenate([self.codes, other.codes]),
            np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]]),
            self.n_classes,
        )

    @property
    def n_weights(self) -> int:
        """Number of weights of a task."""
        return self.Z.shape[1] * (self.n_classes - 1)

    def columns(self, keep: NDArray[np.bool_]) -> LogisticTasks:
        """The same tasks with some columns only."""
        return LogisticTasks(self.Z[:, keep], self.codes, self.offsets, self.n_classes)

    def pooled(self) -> LogisticTasks:
        """All rows as one task."""
        return LogisticTasks(self.Z, self.codes, np.array([0, len(self.Z)]), self.n_classes)

    def blocks(self) -> Iterator[tuple[NDArray[np.intp], SoftmaxBlock]]:
        """Yield blocks of non-empty tasks: their numbers and their padded rows."""
        width = max(self.Z.shape[1], 1) * self.n_classes**2
        for tasks, rows, inside in padded_rows(self.offsets, width):
            Z = np.where(inside[:, :, None], self.Z[rows], 0.0)
            yield tasks, SoftmaxBlock(Z, self.codes[rows], inside, contrasts(self.n_classes))


class SoftmaxBlock:
    """Likelihood of the rows of some tasks, as a function of the tasks' weights.

    Parameters
    ----------
    Z : ndarray of shape (n_tasks, length, n_columns)
        Rows, zero in the padding.
    codes : ndarray of int of shape (n_tasks, length)
        Classes.
    inside : ndarray of bool of shape (n_tasks, length)
        False in the padding.
    contrasts : ndarray of shape (n_classes, n_classes - 1)
    offset : ndarray of shape (n_tasks, length, n_classes), optional
        What is added to the logits whatever the weights.
    """

    def __init__(
        self,
        Z: Array,
        codes: NDArray[np.intp],
        inside: NDArray[np.bool_],
        contrasts: Array,
        offset: Array | float = 0.0,
    ) -> None:
        self.Z, self.codes, self.inside, self.contrasts = Z, codes, inside, contrasts
        self.offset = offset
        self.n_tasks, self.length, self.n_columns = Z.shape
        self.n_free = contrasts.shape[1]

    def one(self, task: int) -> SoftmaxBlock:
        """The rows of one task, if all have the same offset."""
        own = slice(task, task + 1)
        return SoftmaxBlock(
            self.Z[own], self.codes[own], self.inside[own], self.contrasts, self.offset
        )

    def logits(self, weights: Array) -> Array:
        """Logits of the rows, of shape (n_tasks, length, n_classes)."""
        return self.linear(weights) + self.offset

    def linear(self, weights: Array) -> Array:
        """What weights add to the logits; one row of weights for each task, or one for all."""
        per_column = weights.reshape(*weights.shape[:-1], self.n_columns, self.n_free)
        return self.Z @ per_column @ self.contrasts.T

    def log_likelihood(self, weights: Array) -> Array:
        """Log probability of the classes of each task, of shape (n_tasks,)."""
        logits = self.logits(weights)
        chosen = np.take_along_axis(logits, self.codes[:, :, None], axis=2)[:, :, 0]
        return np.where(self.inside, chosen - logsumexp(logits, axis=2), 0.0).sum(axis=1)

    def proba(self, weights: Array) -> Array:
        """Probabilities of the classes, of shape (n_tasks, length, n_classes)."""
        logits = self.logits(weights)
        return np.exp(logits - logsumexp(logits, axis=2, keepdims=True))

    def residual(self, proba: Array) -> Array:
        """Gradient of the log likelihood by the logits, of shape (n_tasks, length, n_classes)."""
        residual = -proba
        np.put_along_axis(
            residual,
            self.codes[:, :, None],
            1 - np.take_along_axis(proba, self.codes[:, :, None], axis=2),
            axis=2,
        )
        return residual

    def score(self, proba: Array) -> Array:
        """Gradient of the log likelihood, of shape (n_tasks, n_weights)."""
        return self.gather(self.residual(proba))

    def information(self, proba: Array) -> Array:
        """Negative second derivatives of the log likelihood, (n_tasks, n_weights, n_weights)."""
        d, k = self.n_columns, self.n_free
        # Symmetric in the contrasts: half of them will do.
        one, other = np.triu_indices(k)
        per_row = self._spread(proba)[:, :, None, one, other]
        weighted = (self.Z[:, :, :, None] * per_row).reshape(self.n_tasks, self.length, -1)
        products = (self.Z.transpose(0, 2, 1) @ weighted).reshape(self.n_tasks, d, d, len(one))
        full = np.empty((self.n_tasks, d, k, d, k))
        for pair, (c, e) in enumerate(zip(one, other, strict=True)):
            full[:, :, c, :, e] = full[:, :, e, :, c] = products[..., pair]
        return full.reshape(self.n_tasks, d * k, d * k)

    def slope_of_information(self, proba: Array, covariance: Array) -> Array:
        """Gradient of ``trace(covariance @ information)`` by the logits."""
        if not self.n_columns:
            return np.zeros_like(proba)
        variance = self.contrasts @ row_covariances(self.Z, covariance) @ self.contrasts.T
        own = np.diagonal(variance, axis1=2, axis2=3)
        change = own - 2 * np.einsum("tncd,tnd->tnc", variance, proba)
        return centred(proba, change)

    def _spread(self, proba: Array) -> Array:
        """Covariance of the one-hot classes along the contrasts, (n_tasks, length, k, k)."""
        mean = proba @ self.contrasts
        square = self.contrasts.T @ (proba[:, :, :, None] * self.contrasts)
        return square - mean[:, :, :, None] * mean[:, :, None, :]

    def gather(self, by_class: Array) -> Array:
        """Gradient by the weights from one by the logits."""
        gradient = self.Z.transpose(0, 2, 1) @ (by_class @ self.contrasts)
        return gradient.reshape(self.n_tasks, -1)


def centred(proba: Array, logits: Array) -> Array:
    """How probabilities move with logits: ``(diag(p) - p p') @ logits`` for each row."""
    return proba * (logits - np.sum(proba * logits, axis=2, keepdims=True))


class Mode(NamedTuple):
    """Posterior of the weights of a block of tasks, in coordinates where their prior is N(0, I)."""

    position: Array  # (n_tasks, n_weights)
    proba: Array  # (n_tasks, length, n_classes), there
    information: Array  # (n_tasks, n_weights, n_weights), in the weights' own coordinates
    shrinkage: Array  # (n_tasks, n_weights, n_weights), posterior covariance
    log_evidence: Array  # (n_tasks,)


def find_mode(block: SoftmaxBlock, mean: Array, root: Array, start: Array | None = None) -> Mode:
    """Laplace's approximation for weights ``mean + root @ N(0, I)``.

    Parameters
    ----------
    block : SoftmaxBlock
    mean : ndarray of shape (n_weights,)
    root : ndarray of shape (n_weights, n_positions)
    start : ndarray of shape (n_tasks, n_weights), optional
        Where Newton's method begins; the result does not depend on it.

    Returns
    -------
    mode : Mode
    """

    def log_joint(position: Array) -> Array:
        weights = mean + position @ root.T
        return block.log_likelihood(weights) - 0.5 * np.sum(position**2, axis=1)

    position = np.zeros((block.n_tasks, root.shape[1])) if start is None else start
    value, last = log_joint(position), np.inf
    proba = block.proba(mean + position @ root.T)
    curvature, is_here = Curvature.at(block, proba, root), True
    for _ in range(_MAX_NEWTON):
        gradient = block.score(proba) @ root - position
        step, decrement = curvature.newton(gradient)
        if decrement > _FALL * last:
            curvature, is_here = Curvature.at(block, proba, root), True
            step, decrement = curvature.newton(gradient)
        if decrement < _DECREMENT:
            break
        position, value = _move(log_joint, position, value, step)
        proba = block.proba(mean + position @ root.T)
        last, is_here = decrement, False
    if not is_here:
        curvature = Curvature.at(block, proba, root)
    shrinkage = curvature.whitener.transpose(0, 2, 1) @ curvature.whitener
    log_evidence = value - 0.5 * curvature.log_determinant
    return Mode(position, proba, curvature.information, shrinkage, log_evidence)


class Curvature(NamedTuple):
    """Second derivatives of the log joint of each task at some position."""

    information: Array  # (n_tasks, n_weights, n_weights), in the weights' own coordinates
    whitener: Array  # W with W.T @ W the inverse curvature, where the prior is N(0, I)
    log_determinant: Array  # (n_tasks,), of the curvature

    @classmethod
    def at(cls, block: SoftmaxBlock, proba: Array, root: Array) -> Curvature:
        """Where the classes have these probabilities."""
        information = block.information(proba)
        return cls(information, *whiten(congruent(information, root.T)))

    def newton(self, gradient: Array) -> tuple[Array, float]:
        """Newton's step, and the largest squared length of one, measured by the curvature."""
        whitened = np.einsum("tij,tj->ti", self.whitener, gradient)
        step = np.einsum("tji,tj->ti", self.whitener, whitened)
        return step, float(np.max(np.sum(whitened**2, axis=1), initial=0.0))


def _move(
    log_joint: Callable[[Array], Array], position: Array, value: Array, step: Array
) -> tuple[Array, Array]:
    """Newton's step, halved for each task until it climbs."""
    length = np.ones(len(position))
    least = value - 1e-12 * (1 + np.abs(value))  # rounding must not stop a step
    for _ in range(40):
        found = log_joint(position + length[:, None] * step)
        falls = ~(found >= least)
        if not falls.any():
            break
        length[falls] /= 2
    return position + length[:, None] * step, found


@dataclass(frozen=True, eq=False)
class LogisticPrior:
    """Normal distribution of the weights of a task."""

    mean: Array  # (n_weights,)
    covariance: Array  # (n_weights, n_weights)

    @cached_property
    def root(self) -> Array:
        """A matrix R with ``R @ R.T`` the covariance."""
        return square_root(self.covariance)

    def posterior_many(self, tasks: LogisticTasks) -> LaplacePosteriors:
        """Laplace's approximation to the weights of each task.

        Parameters
        ----------
        tasks : LogisticTasks

        Returns
        -------
        posteriors : LaplacePosteriors
            Equal to the prior, exactly, for a task without rows.
        """
        modes = np.tile(self.mean, (len(tasks), 1))
        means, covariances = modes.copy(), np.tile(self.covariance, (len(tasks), 1, 1))
        for numbers, block, root in _with_roots(tasks, self.root):
            mode = find_mode(block, self.mean, root)
            covariance = congruent(mode.shrinkage, root)
            if root is not self.root:  # what the rows say nothing of stays as it was
                covariance = covariance + self.covariance - root @ root.T
            slope = block.gather(block.slope_of_information(mode.proba, covariance))
            modes[numbers] = self.mean + mode.position @ root.T
            means[numbers] = modes[numbers] - 0.5 * np.einsum("tij,tj->ti", covariance, slope)
            covariances[numbers] = covariance
        return LaplacePosteriors(modes, means, covariances)


def _with_roots(
    tasks: LogisticTasks, root: Array
) -> Iterator[tuple[NDArray[np.intp], SoftmaxBlock, Array]]:
    """Blocks of tasks, and roots of the part of the prior covariance that they see."""
    for numbers, block in tasks.blocks():
        n_logits = block.length * block.n_free
        if root.shape[1] < max(_MANY_WEIGHTS, 2 * n_logits):
            yield numbers, block, root
        else:
            for i in range(len(numbers)):
                one = block.one(i)
                yield numbers[i : i + 1], one, root @ _span(one, root)


def _span(block: SoftmaxBlock, root: Array) -> Array:
    """Orthonormal directions of N(0, I) that move the logits of one task's rows."""
    by_column = root.reshape(block.n_columns, -1)
    moved = (block.Z[0] @ by_column).reshape(-1, root.shape[1])
    return np.linalg.qr(moved.T)[0]


class LaplacePosteriors(NamedTuple):
    """Nearly normal posteriors of the weights of some tasks."""

    mode: Array  # (n_tasks, n_weights)
    #: (n_tasks, n_weights): beyond the mode by what the third derivatives there say (Lindley's
    #: expansion). Posteriors lean away from the decision boundary, the more the fewer the rows;
    #: averages around the mode itself would be too close to it.
    mean: Array
    covariance: Array  # (n_tasks, n_weights, n_weights)


def congruent(matrices: Array, root: Array) -> Array:
    """``root @ matrices @ root.T``, at little cost where the root is diagonal."""
    diagonal = root.diagonal()
    if root.shape[0] == root.shape[1] and not np.any(root - np.diag(diagonal)):
        return matrices * np.outer(diagonal, diagonal)
    return root @ matrices @ root.T


def row_covariances(Z: Array, covariance: Array) -> Array:
    """Covariance of the free logits of rows, for weights with a covariance.

    Parameters
    ----------
    Z : ndarray of shape (..., n_rows, n_columns)
    covariance : ndarray of shape (..., n_weights, n_weights)

    Returns
    -------
    covariances : ndarray of shape (..., n_rows, n_free, n_free)
    """
    d = Z.shape[-1]
    k = covariance.shape[-1] // d if d else 0
    *batch, n_rows, _ = Z.shape
    half = Z @ covariance.reshape(*batch, d, k * d * k)
    half = np.swapaxes(half.reshape(*batch, n_rows, k, d, k), -3, -2)
    return np.einsum("...nd,...ndkl->...nkl", Z, half)

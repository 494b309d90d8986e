"""The weights of a task in a hierarchical linear model: prior, posterior and evidence.

The rows of task ``t`` follow ``y = Z @ w_t + noise`` with weights ``w_t ~ N(mean, covariance)``
drawn afresh for each task [1]_. What the tasks share (mean, covariance, noise variance) is a
:class:`WeightPrior`; the weights of a new task then have a closed-form posterior.

References
----------
.. [1] Laird & Ware (1982). Random-effects models for longitudinal data. Biometrics 38, 963-974.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.lapack import dtrtri

from skmeta.linear_model._blocks import blocks
from skmeta.linear_model._statistics import LinearStatistics, check_rows

Array = NDArray[np.floating]

# Weights from which on matrices are inverted one by one, by the routine for triangles.
_LARGE = 16


@dataclass(frozen=True, eq=False)
class WeightPrior:
    """Normal distribution of a task's weights, and the variance of the noise on its targets.

    Parameters
    ----------
    mean : array-like of shape (n_features,)
        Prior mean of the weights.
    covariance : array-like of shape (n_features, n_features)
        Prior covariance of the weights; it may be singular.
    noise_variance : float
        Variance of the noise, positive.

    Raises
    ------
    ValueError
        If the shapes disagree, a value is not finite, or the noise variance is not positive.

    References
    ----------
    .. [1] Lindley & Smith (1972). Bayes estimates for the linear model. J. R. Stat. Soc. B 34,
       1-41.

    Examples
    --------
    One observation, as certain as the prior, moves the weight half of the way:

    >>> import numpy as np
    >>> prior = WeightPrior(mean=np.zeros(1), covariance=np.eye(1), noise_variance=1.0)
    >>> mean, covariance = prior.posterior(np.ones((1, 1)), np.array([3.0]))
    >>> float(mean[0].round(6)), float(covariance[0, 0].round(6))
    (1.5, 0.5)
    """

    mean: Array
    covariance: Array
    noise_variance: float

    def __post_init__(self) -> None:
        mean = np.asarray(self.mean, dtype=np.float64)
        covariance = np.asarray(self.covariance, dtype=np.float64)
        if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
            raise ValueError(
                "covariance must be square with the size of mean: got shapes "
                f"{covariance.shape} and {mean.shape}."
            )
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise ValueError("mean and covariance must be finite.")
        if not 0.0 < self.noise_variance < np.inf:
            raise ValueError(f"noise_variance must be positive: got {self.noise_variance!r}.")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "covariance", covariance)
        object.__setattr__(self, "noise_variance", float(self.noise_variance))

    def posterior(self, Z: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Mean and covariance of the weights of one task, given its rows.

        The posterior is the least-squares solution of the rows stacked on the prior, found by a QR
        factorisation in the coordinates of a root of the prior covariance: no covariance is
        inverted, so singular ones are as good as any.

        Parameters
        ----------
        Z : array-like of shape (n_rows, n_features)
            Design matrix.
        y : array-like of shape (n_rows,)
            Targets.

        Returns
        -------
        mean : ndarray of shape (n_features,)
        covariance : ndarray of shape (n_features, n_features)
            Equal to the prior's, exactly, where there are no rows.

        Raises
        ------
        ValueError
            If the shapes disagree.
        """
        Z, y = np.asarray(Z, dtype=np.float64), np.asarray(y, dtype=np.float64)
        check_rows(Z, y)
        if Z.shape[1] != self.mean.size:
            raise ValueError(f"Z has {Z.shape[1]} features, the prior has {self.mean.size}.")
        if len(y) == 0:
            return self.mean.copy(), self.covariance.copy()
        root, noise = square_root(self.covariance), np.sqrt(self.noise_variance)
        stacked = np.vstack([Z @ root / noise, np.eye(root.shape[1])])
        orthogonal, triangular = np.linalg.qr(stacked)
        spread = np.linalg.solve(triangular.T, root.T).T
        pull = orthogonal[: len(y)].T @ ((y - Z @ self.mean) / noise)
        return self.mean + spread @ pull, spread @ spread.T

    def posterior_many(self, statistics: LinearStatistics) -> tuple[Array, Array]:
        """Posterior of the weights of many tasks at once.

        Gram matrices hold half of the rows' digits: prefer :meth:`posterior` where the noise
        variance is below about 1e-12 of the targets' prior variance.

        Parameters
        ----------
        statistics : LinearStatistics
            Statistics of the tasks' rows.

        Returns
        -------
        means : ndarray of shape (n_tasks, n_features)
        covariances : ndarray of shape (n_tasks, n_features, n_features)

        Raises
        ------
        ValueError
            If the number of features differs from the prior's.
        """
        root = checked_root(self, statistics)
        means, covariances = np.empty(statistics.moment.shape), np.empty(statistics.gram.shape)
        for block in blocks(len(statistics), statistics.n_features**2):
            update = absorb(statistics[block], self.mean, root, self.noise_variance)
            means[block] = self.mean + update.pull @ root.T
            covariances[block] = root @ update.shrinkage @ root.T
        # The root reproduces the covariance to rounding only.
        covariances[statistics.n_rows == 0] = self.covariance
        return means, covariances


def log_evidence(prior: WeightPrior, statistics: LinearStatistics) -> Array:
    """Log density of each task's targets with its weights integrated out.

    Parameters
    ----------
    prior : WeightPrior
        Distribution of the weights.
    statistics : LinearStatistics
        Statistics of the tasks' rows.

    Returns
    -------
    log_evidence : ndarray of shape (n_tasks,)
        The log marginal likelihood, ``log N(y; Z @ mean, Z @ covariance @ Z.T + noise)``.

    Raises
    ------
    ValueError
        If the number of features differs from the prior's.

    Examples
    --------
    >>> import numpy as np
    >>> prior = WeightPrior(mean=np.zeros(1), covariance=np.eye(1), noise_variance=1.0)
    >>> statistics = LinearStatistics.from_rows(np.ones((1, 1)), np.array([2.0]), [0, 1])
    >>> log_evidence(prior, statistics).round(6)  # the density of N(0, 2) at 2
    array([-2.265512])
    """
    root = checked_root(prior, statistics)
    values = np.empty(len(statistics))
    for block in blocks(len(statistics), statistics.n_features**2):
        update = absorb(statistics[block], prior.mean, root, prior.noise_variance)
        values[block] = update.log_evidence
    return values


class TaskUpdate(NamedTuple):
    """What a block of tasks says of its weights, in coordinates where their prior is N(0, I)."""

    shrinkage: Array  # (n_tasks, d, d), posterior covariances
    pull: Array  # (n_tasks, d), posterior means
    misfit: Array  # (n_tasks,), squared Mahalanobis distance of y from its prior mean
    log_evidence: Array  # (n_tasks,)


def absorb(
    statistics: LinearStatistics, mean: Array, root: Array, noise_variance: float
) -> TaskUpdate:
    """Posterior and evidence of each task, for weights ``mean + root @ N(0, I)``."""
    fitted = statistics.gram @ mean
    whitener, log_determinant = whiten(root.T @ statistics.gram @ root / noise_variance)
    score = (statistics.moment - fitted) @ root / noise_variance
    whitened = np.einsum("tij,tj->ti", whitener, score)
    residual = statistics.energy - 2 * statistics.moment @ mean + fitted @ mean
    misfit = np.maximum(residual / noise_variance - np.sum(whitened**2, axis=1), 0)
    log_determinant += statistics.n_rows * np.log(2 * np.pi * noise_variance)
    return TaskUpdate(
        shrinkage=whitener.transpose(0, 2, 1) @ whitener,
        pull=np.einsum("tji,tj->ti", whitener, whitened),
        misfit=misfit,
        log_evidence=-0.5 * (log_determinant + misfit),
    )


def whiten(information: Array) -> tuple[Array, Array]:
    """W with ``W.T @ W == inv(I + information)``, and the log determinant of I + information.

    Quadratic forms taken through W lose half as many digits as through the inverse itself.
    """
    try:
        factor = np.linalg.cholesky(information + np.eye(information.shape[-1]))
    except np.linalg.LinAlgError:  # rounding of the information outweighs the identity
        values, vectors = np.linalg.eigh(information)
        values = 1 + np.maximum(values, 0)
        scaled = vectors / np.sqrt(values)[:, None, :]
        return scaled.transpose(0, 2, 1), np.log(values).sum(axis=1)
    diagonal = np.diagonal(factor, axis1=1, axis2=2)
    return _inverse_of_triangles(factor), 2 * np.log(diagonal).sum(axis=1)


def _inverse_of_triangles(lower: Array) -> Array:
    """Inverses of lower triangular matrices.

    numpy inverts them as if they were full, in two to three times the time where they are not tiny.
    """
    if lower.shape[-1] < _LARGE:
        return np.linalg.inv(lower)
    inverse = np.empty_like(lower)
    for one, found in zip(lower, inverse, strict=True):
        found[:] = dtrtri(one.T)[0].T  # LAPACK stores columns: this one is upper triangular
    return inverse


def square_root(covariance: Array) -> Array:
    """A matrix R with ``R @ R.T`` equal to a covariance that may be singular."""
    scale = np.sqrt(np.maximum(covariance.diagonal(), 0))
    # Correlations: otherwise the eigenvalues of weights in small units drown in rounding.
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(safe, safe))
    return scale[:, None] * vectors * np.sqrt(np.maximum(values, 0))


def checked_root(prior: WeightPrior, statistics: LinearStatistics) -> Array:
    if statistics.n_features != prior.mean.size:
        raise ValueError(
            f"statistics have {statistics.n_features} features, the prior has {prior.mean.size}."
        )
    return square_root(prior.covariance)

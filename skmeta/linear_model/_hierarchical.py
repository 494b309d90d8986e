"""Hierarchical linear model: the numerical core of empirical-Bayes ridge regression over tasks.

The rows of task ``t`` follow ``y = Z @ w_t + noise`` with weights ``w_t ~ N(mean, covariance)``
drawn afresh for each task [1]_. What the tasks share (mean, covariance, noise variance) is learned
by :func:`learn_prior`; the weights of a new task then have a closed-form posterior,
:meth:`WeightPrior.posterior`. A task enters the learning only through its
:class:`LinearStatistics`, whose size does not depend on its number of rows.

References
----------
.. [1] Laird & Ware (1982). Random-effects models for longitudinal data. Biometrics 38, 963-974.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]
Structure = Literal["full", "diagonal"]
# One iteration: from a point to the objective there and the next point.
Step = Callable[[Array], tuple[float, Array]]

# Working arrays hold about this many floats (32 MiB), whatever the number of tasks.
_BLOCK = 2**22
# The smallest noise variance, relative to the mean square of the targets: below it the posterior
# precisions lose their digits.
_MIN_NOISE = 1e-8
# The hyperprior is worth one task, whose weights carry a tenth of the targets' mean square.
_PSEUDO_TASKS = 1.0
_PSEUDO_SIGNAL = 0.1


@dataclass(frozen=True, eq=False)
class LinearStatistics:
    """Sufficient statistics of linear-Gaussian tasks.

    Squares of the targets are summed, which costs digits when their mean is far larger than their
    spread: centre the targets over all tasks first.

    Parameters
    ----------
    gram : ndarray of shape (n_tasks, n_features, n_features)
        ``Z.T @ Z`` of each task.
    moment : ndarray of shape (n_tasks, n_features)
        ``Z.T @ y`` of each task.
    energy : ndarray of shape (n_tasks,)
        ``y @ y`` of each task.
    n_rows : ndarray of int of shape (n_tasks,)
        Number of rows of each task.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.array([[1.0, 0.0], [1.0, 2.0], [1.0, 1.0]])
    >>> statistics = LinearStatistics.from_rows(Z, np.array([1.0, 3.0, 5.0]), [0, 2, 3])
    >>> statistics.moment
    array([[4., 6.],
           [5., 5.]])
    >>> len(statistics + statistics)
    4
    """

    gram: Array
    moment: Array
    energy: Array
    n_rows: NDArray[np.intp]

    @classmethod
    def from_rows(cls, Z: ArrayLike, y: ArrayLike, offsets: ArrayLike) -> LinearStatistics:
        """Sum up the rows of tasks that lie one after the other.

        Parameters
        ----------
        Z : array-like of shape (n_rows, n_features)
            Design matrix; a model with an intercept has a column of ones.
        y : array-like of shape (n_rows,)
            Targets.
        offsets : array-like of int of shape (n_tasks + 1,)
            Task ``t`` is the rows ``offsets[t]:offsets[t + 1]``. A task may be empty.

        Returns
        -------
        statistics : LinearStatistics

        Raises
        ------
        ValueError
            If the shapes disagree, or the offsets do not run from 0 to the number of rows.
        """
        Z, y = np.asarray(Z, dtype=np.float64), np.asarray(y, dtype=np.float64)
        offsets = np.asarray(offsets, dtype=np.intp)
        _check_rows(Z, y)
        if offsets.ndim != 1 or offsets.size == 0 or offsets[0] != 0 or offsets[-1] != len(y):
            raise ValueError(f"offsets must run from 0 to the number of rows, {len(y)}.")
        n_rows = np.diff(offsets)
        if np.any(n_rows < 0):
            raise ValueError("offsets must not decrease.")
        products = np.zeros((len(n_rows), Z.shape[1] + 1, Z.shape[1] + 1))
        for tasks, rows in _padded_tasks(Z, y, offsets):
            products[tasks] = rows.transpose(0, 2, 1) @ rows
        return cls(products[:, :-1, :-1], products[:, :-1, -1], products[:, -1, -1], n_rows)

    @property
    def n_features(self) -> int:
        """Number of columns of the design matrix."""
        return int(self.moment.shape[1])

    def __len__(self) -> int:
        return len(self.n_rows)

    def __getitem__(self, tasks: slice | NDArray[np.bool_] | NDArray[np.intp]) -> LinearStatistics:
        return LinearStatistics(
            self.gram[tasks], self.moment[tasks], self.energy[tasks], self.n_rows[tasks]
        )

    def __add__(self, other: LinearStatistics) -> LinearStatistics:
        """Append the tasks of ``other``."""
        if not isinstance(other, LinearStatistics):
            return NotImplemented
        if other.n_features != self.n_features:
            raise ValueError(
                f"Both must have the same number of features: got {self.n_features} and "
                f"{other.n_features}."
            )
        return LinearStatistics(
            np.concatenate([self.gram, other.gram]),
            np.concatenate([self.moment, other.moment]),
            np.concatenate([self.energy, other.energy]),
            np.concatenate([self.n_rows, other.n_rows]),
        )


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
        _check_rows(Z, y)
        if Z.shape[1] != self.mean.size:
            raise ValueError(f"Z has {Z.shape[1]} features, the prior has {self.mean.size}.")
        if len(y) == 0:
            return self.mean.copy(), self.covariance.copy()
        root, noise = _square_root(self.covariance), np.sqrt(self.noise_variance)
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
        root = _checked_root(self, statistics)
        means, covariances = np.empty(statistics.moment.shape), np.empty(statistics.gram.shape)
        for block in _blocks(statistics):
            update = _absorb(statistics[block], self.mean, root, self.noise_variance)
            means[block] = self.mean + update.pull @ root.T
            covariances[block] = root @ update.shrinkage @ root.T
        # The root reproduces the covariance to rounding only.
        covariances[statistics.n_rows == 0] = self.covariance
        return means, covariances


class LearnedPrior(NamedTuple):
    """Result of :func:`learn_prior`."""

    prior: WeightPrior
    #: Penalised log evidence after each iteration; it never decreases.
    objectives: list[float]
    #: Whether learning stopped because the gains had become small.
    converged: bool


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
    root = _checked_root(prior, statistics)
    values = np.empty(len(statistics))
    for block in _blocks(statistics):
        update = _absorb(statistics[block], prior.mean, root, prior.noise_variance)
        values[block] = update.log_evidence
    return values


def learn_prior(
    statistics: LinearStatistics,
    covariance: Structure = "full",
    *,
    max_iter: int = 300,
    tol: float = 1e-6,
    init: WeightPrior | None = None,
) -> LearnedPrior:
    """Learn the distribution of the weights over tasks by maximum evidence.

    Covariance and noise variance maximise the evidence with the weights and their mean integrated
    out (restricted maximum likelihood, unbiased with few tasks [2]_), by an EM algorithm [1]_ with
    safeguarded Anderson acceleration [3]_. Two weak hyperpriors keep the problem well posed with
    few tasks: an inverse-Wishart on the covariance, worth one task, and a normal of learned scale
    on the mean. Both take their scale from the targets and the features, so that rescaling either
    rescales the result.

    Parameters
    ----------
    statistics : LinearStatistics
        Statistics of the training tasks. Targets should be centred over all tasks.
    covariance : {"full", "diagonal"}, default="full"
        Whether the weights may be correlated over tasks.
    max_iter : int, default=300
        Largest number of iterations.
    tol : float, default=1e-6
        Learning stops when the gain in log evidence per row is smaller. (Per row rather than
        relative: the log evidence has no scale of its own, it shifts with the targets' unit.)
    init : WeightPrior, optional
        Where to start, such as the prior learned before further tasks came in.

    Returns
    -------
    learned : LearnedPrior
        The prior's covariance is that of a new task's weights: it holds both how weights vary over
        tasks and how uncertain their mean is. A feature that is zero in every row has zero mean
        and variance.

    Raises
    ------
    ValueError
        If there are no rows, a statistic is not finite, or an argument is out of range.

    References
    ----------
    .. [1] Dempster, Laird & Rubin (1977). Maximum likelihood from incomplete data via the EM
       algorithm. J. R. Stat. Soc. B 39, 1-38.
    .. [2] Harville (1974). Bayesian inference for variance components using only error contrasts.
       Biometrika 61, 383-385.
    .. [3] Henderson & Varadhan (2019). Damped Anderson acceleration with restarts and
       monotonicity control for accelerating EM. J. Comput. Graph. Stat. 28, 834-846.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Z = np.column_stack([np.ones(5000), rng.normal(size=5000)])
    >>> weights = np.repeat(rng.normal([1.0, -1.0], [0.5, 2.0], size=(500, 2)), 10, axis=0)
    >>> y = (Z * weights).sum(axis=1) + rng.normal(scale=0.3, size=5000)
    >>> statistics = LinearStatistics.from_rows(Z, y, np.arange(0, 5001, 10))
    >>> prior = learn_prior(statistics).prior
    >>> np.round(prior.mean), np.round(2 * np.sqrt(prior.covariance.diagonal())) / 2
    (array([ 1., -1.]), array([0.5, 2. ]))
    >>> round(prior.noise_variance**0.5, 2)
    0.3
    """
    _check_learning(statistics, covariance, max_iter, tol, init)
    # An empty task says nothing, and would only slow EM down.
    statistics = statistics if statistics.n_rows.all() else statistics[statistics.n_rows > 0]
    n_features = statistics.n_features
    varies = np.einsum("tii->i", statistics.gram) > 0
    if not varies.all():
        statistics = _select_features(statistics, varies)
        init = None if init is None else _restrict(init, varies)
    objective = _PenalisedEvidence(statistics, covariance)
    point, values, converged = _ascend(
        objective, objective.start(init), max_iter, tol * statistics.n_rows.sum()
    )
    prior = _embed(objective.prior(point), np.flatnonzero(varies), n_features)
    return LearnedPrior(prior, values, converged)


class _Update(NamedTuple):
    """What a block of tasks says of its weights, in coordinates where their prior is N(0, I)."""

    shrinkage: Array  # (n_tasks, d, d), posterior covariances
    pull: Array  # (n_tasks, d), posterior means
    misfit: Array  # (n_tasks,), squared Mahalanobis distance of y from its prior mean
    log_evidence: Array  # (n_tasks,)


def _absorb(
    statistics: LinearStatistics, mean: Array, root: Array, noise_variance: float
) -> _Update:
    """Posterior and evidence of each task, for weights ``mean + root @ N(0, I)``."""
    fitted = statistics.gram @ mean
    whitener, log_determinant = _whiten(root.T @ statistics.gram @ root / noise_variance)
    score = (statistics.moment - fitted) @ root / noise_variance
    whitened = np.einsum("tij,tj->ti", whitener, score)
    residual = statistics.energy - 2 * statistics.moment @ mean + fitted @ mean
    misfit = np.maximum(residual / noise_variance - np.sum(whitened**2, axis=1), 0)
    log_determinant += statistics.n_rows * np.log(2 * np.pi * noise_variance)
    return _Update(
        shrinkage=whitener.transpose(0, 2, 1) @ whitener,
        pull=np.einsum("tji,tj->ti", whitener, whitened),
        misfit=misfit,
        log_evidence=-0.5 * (log_determinant + misfit),
    )


def _whiten(information: Array) -> tuple[Array, Array]:
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
    return np.linalg.inv(factor), 2 * np.log(diagonal).sum(axis=1)


class _MeanStep(NamedTuple):
    """Posterior of the common mean in root coordinates, and the sums over tasks it came from."""

    mean: Array  # (d,)
    covariance: Array  # (d, d)
    shrinkage: Array  # (d, d), summed over tasks
    misfit: float  # summed over tasks, of a zero mean
    log_evidence: float  # with the mean integrated out, but for constants


class _PenalisedEvidence:
    """Log evidence of (covariance, noise variance, scale of the mean) plus weak hyperpriors.

    Weights and targets are measured in units taken from the data, in which the hyperpriors have
    fixed values. The common mean is integrated out. Calling the object at a point gives the value
    there and the point of the next EM iteration. A point is a flat vector: the lower triangle (or
    the diagonal) of the matrix logarithm of the covariance, the log noise variance and the log
    variance of the mean's elements. Every vector is a valid point, so it can be extrapolated.
    """

    def __init__(self, statistics: LinearStatistics, structure: Structure) -> None:
        self.statistics = statistics
        self.n_tasks, self.n_features = statistics.moment.shape
        self.n_rows = int(statistics.n_rows.sum())
        # Targets that are all zero have no scale: any tiny one will do.
        power = statistics.energy.sum() / self.n_rows
        self.power = float(power) if power > 0 else float(np.finfo(np.float64).eps ** 2)
        scale = np.sqrt(np.einsum("tii->i", statistics.gram) / self.n_rows)
        self.units = np.sqrt(self.power) / scale
        self.diagonal = structure == "diagonal"
        indices = np.diag_indices if self.diagonal else np.tril_indices
        self.free = indices(self.n_features)
        # An element below the diagonal stands for two: its square counts twice in the norm.
        self.weight = np.where(self.free[0] == self.free[1], 1.0, np.sqrt(2.0))
        self.pseudo_variance = _PSEUDO_SIGNAL / max(self.n_features, 1)

    def start(self, init: WeightPrior | None) -> Array:
        """Give the point of a prior, or of weights that explain half of the targets' power."""
        if init is None:
            return self._pack(5 * self.pseudo_variance * np.eye(self.n_features), 0.5, 1.0)
        covariance = init.covariance / np.outer(self.units, self.units)
        # Away from the boundary, which EM would be slow to leave.
        least = 1e-3 * self.pseudo_variance + 1e-10 * np.trace(covariance)
        covariance = covariance + least * np.eye(self.n_features)
        mean, noise = init.mean / self.units, min(init.noise_variance / self.power, 1.0)
        return self._pack(covariance, noise, (mean @ mean + 1) / (self.n_features + 1))

    def prior(self, point: Array) -> WeightPrior:
        """Return the distribution of a new task's weights at a point."""
        factor, noise, mean_variance = self._unpack(point)
        step, _ = self._mean_step(factor, noise, mean_variance)
        covariance = factor @ (np.eye(self.n_features) + step.covariance) @ factor.T
        covariance = (covariance + covariance.T) / 2 * np.outer(self.units, self.units)
        return WeightPrior(self.units * (factor @ step.mean), covariance, noise * self.power)

    def __call__(self, point: Array) -> tuple[float, Array]:
        factor, noise, mean_variance = self._unpack(point)
        step, updates = self._mean_step(factor, noise, mean_variance)
        value = step.log_evidence + self._log_hyperprior(factor, mean_variance)
        second_moment, residual = self._weight_moments(step, updates)
        covariance = factor @ second_moment @ factor.T
        covariance[np.diag_indices(self.n_features)] += _PSEUDO_TASKS * self.pseudo_variance
        covariance /= self.n_tasks + _PSEUDO_TASKS
        mean_square = np.sum((factor @ step.mean) ** 2)
        mean_square += np.trace(factor @ step.covariance @ factor.T)
        noise *= residual / self.n_rows
        return value, self._pack(covariance, noise, (mean_square + 1) / (self.n_features + 1))

    def _mean_step(
        self, factor: Array, noise: float, mean_variance: float
    ) -> tuple[_MeanStep, list[_Update]]:
        """Generalised least squares for the mean, from tasks whose weights are integrated out."""
        root, zero = self.units[:, None] * factor, np.zeros(self.n_features)
        updates = [
            _absorb(self.statistics[block], zero, root, noise * self.power)
            for block in _blocks(self.statistics)
        ]
        shrinkage = np.sum([u.shrinkage.sum(axis=0) for u in updates], axis=0)
        score = np.sum([u.pull.sum(axis=0) for u in updates], axis=0)
        information = self.n_tasks * np.eye(self.n_features) - shrinkage
        information += factor.T @ factor / mean_variance
        covariance = np.linalg.inv(information)
        covariance = (covariance + covariance.T) / 2
        mean = covariance @ score
        log_evidence = sum(float(u.log_evidence.sum()) for u in updates) + 0.5 * score @ mean
        log_evidence += np.log(factor.diagonal()).sum() - 0.5 * np.linalg.slogdet(information)[1]
        log_evidence -= 0.5 * self.n_features * np.log(mean_variance)
        misfit = sum(float(u.misfit.sum()) for u in updates)
        return _MeanStep(mean, covariance, shrinkage, misfit, float(log_evidence)), updates

    def _weight_moments(self, step: _MeanStep, updates: list[_Update]) -> tuple[Array, float]:
        """Posterior second moment of the weights about their mean, and expected squared residual.

        Both are sums over tasks; the former in root coordinates, the latter in units of the noise
        variance. Both include what the uncertainty of the common mean adds.
        """
        half = np.linalg.cholesky(step.covariance)
        moment = step.shrinkage + self.n_tasks * step.covariance
        moment -= step.covariance @ step.shrinkage + step.shrinkage @ step.covariance
        square, size = np.zeros_like(moment), 0.0
        for update in updates:
            weights = update.pull + update.shrinkage @ step.mean
            size += float(np.sum(weights**2))
            moment += (weights - step.mean).T @ (weights - step.mean)
            spread = _side_by_side(update.shrinkage @ half)
            square += spread @ spread.T
        residual = step.misfit + step.mean @ step.shrinkage @ step.mean - size
        residual += self.n_tasks * self.n_features - np.trace(step.shrinkage)
        residual += np.sum(step.covariance * step.shrinkage) - np.trace(square)
        return moment + square, float(residual)

    def _log_hyperprior(self, factor: Array, mean_variance: float) -> float:
        """Inverse-Wishart on the covariance, inverse-gamma on the variance of the mean."""
        inverse = np.linalg.inv(factor)
        log_determinant = 2 * np.log(factor.diagonal()).sum()
        covariance = log_determinant + self.pseudo_variance * np.sum(inverse**2)
        return float(
            -0.5 * _PSEUDO_TASKS * covariance - 0.5 * (np.log(mean_variance) + 1 / mean_variance)
        )

    def _pack(self, covariance: Array, noise: float, mean_variance: float) -> Array:
        if self.diagonal:
            logarithm = np.diag(np.log(covariance.diagonal()))
        else:
            values, vectors = np.linalg.eigh(covariance)
            # Eigenvalues any further apart are rounding, and may be negative.
            values = np.maximum(values, 1e-12 * values.max(initial=0))
            logarithm = vectors * np.log(values) @ vectors.T
        variances = np.log([max(noise, _MIN_NOISE), mean_variance])
        return np.append(logarithm[self.free] * self.weight, variances)

    def _unpack(self, point: Array) -> tuple[Array, float, float]:
        """Cholesky factor of the covariance, noise variance and variance of the mean."""
        logarithm = np.zeros((self.n_features, self.n_features))
        logarithm[self.free] = point[:-2] / self.weight
        if self.diagonal:
            factor = np.diag(np.exp(0.5 * logarithm.diagonal()))
        else:
            values, vectors = np.linalg.eigh(logarithm)  # reads the lower triangle
            factor = np.linalg.cholesky(vectors * np.exp(values) @ vectors.T)
        noise, mean_variance = np.exp(point[-2:])
        return factor, max(float(noise), _MIN_NOISE), float(mean_variance)


def _ascend(step: Step, start: Array, max_iter: int, tol: float) -> tuple[Array, list[float], bool]:
    """Iterate ``step`` uphill: extrapolated where that raises the value, plain where it does not.

    Returns the last point, the values on the way, and whether two gains running fell below ``tol``.
    """
    point, (value, image) = start, step(start)
    values, calm, reach = [value], 0, 128.0
    history: deque[tuple[Array, Array]] = deque(maxlen=5)
    for _ in range(max_iter):
        candidate, found, reach = image, None, min(2 * reach, 1e4)
        if history:
            candidate = _extrapolate(point, image, history, reach)
            found = _evaluate(step, candidate)
        if found is None or not found[0] >= value:
            candidate, found, reach = image, step(image), max(reach / 8, 1.0)
        if not found[0] >= value:  # EM climbs: what is left is rounding
            return point, values, True
        history.append((candidate - point, (found[1] - candidate) - (image - point)))
        calm = calm + 1 if found[0] - value < tol else 0
        point, (value, image) = candidate, found
        values.append(value)
        if calm == 2:
            return point, values, True
    return point, values, False


def _extrapolate(
    point: Array, image: Array, history: deque[tuple[Array, Array]], reach: float
) -> Array:
    """Anderson's extrapolation of a fixed-point iteration, from its last few steps.

    It goes beyond the plain step by at most ``reach`` times that step's length, and changes no
    variance by more than a factor of about 50.
    """
    step = image - point
    moves, changes = (np.column_stack(columns) for columns in zip(*history, strict=True))
    # Changes shrink as the iteration converges: only their directions are compared.
    size = np.linalg.norm(changes, axis=0)
    size = np.where(size > 0, size, 1.0)
    gram = (changes / size).T @ (changes / size) + 1e-8 * np.eye(len(size))
    share = np.linalg.solve(gram, (changes / size).T @ step) / size
    beyond = -(moves + changes) @ share
    if beyond @ step < 0:  # heads back to a saddle point, which EM is about to leave
        beyond = reach * step
    length, limit = np.linalg.norm(beyond), min(reach * float(np.linalg.norm(step)), 4.0)
    return image + beyond * (limit / length if length > limit else 1.0)


def _evaluate(step: Step, candidate: Array) -> tuple[float, Array] | None:
    """``step`` at an extrapolated point, or None where it cannot be computed."""
    if np.abs(candidate).max() > 50.0:  # a log variance beyond any data, and near overflow
        return None
    try:
        return step(candidate)
    except np.linalg.LinAlgError:
        return None


def _padded_tasks(
    Z: Array, y: Array, offsets: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], Array]]:
    """Blocks of tasks of similar length, as (task numbers, rows [Z, y] padded with zeros)."""
    n_rows, width = np.diff(offsets), Z.shape[1] + 1
    octave = np.frexp(n_rows)[1]
    for power in np.unique(octave[n_rows > 0]):
        similar = np.flatnonzero(octave == power)
        length = n_rows[similar].max()
        per_block = max(1, _BLOCK // (length * width))
        for start in range(0, len(similar), per_block):
            tasks = similar[start : start + per_block]
            inside = np.arange(length) < n_rows[tasks, None]
            rows = np.where(inside, offsets[tasks, None] + np.arange(length), 0)
            padded = np.empty((len(tasks), length, width))
            padded[:, :, :-1], padded[:, :, -1] = Z[rows], y[rows]
            padded[~inside] = 0
            yield tasks, padded


def _blocks(statistics: LinearStatistics) -> Iterator[slice]:
    """Slices of tasks whose Gram matrices fit a block."""
    per_block = max(1, _BLOCK // max(1, statistics.n_features**2))
    for start in range(0, len(statistics), per_block):
        yield slice(start, start + per_block)


def _side_by_side(matrices: Array) -> Array:
    """(n, d, k) -> (d, n * k)."""
    n, d, k = matrices.shape
    return matrices.transpose(1, 0, 2).reshape(d, n * k)


def _square_root(covariance: Array) -> Array:
    """A matrix R with ``R @ R.T`` equal to a covariance that may be singular."""
    scale = np.sqrt(np.maximum(covariance.diagonal(), 0))
    # Correlations: otherwise the eigenvalues of weights in small units drown in rounding.
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(safe, safe))
    return scale[:, None] * vectors * np.sqrt(np.maximum(values, 0))


def _checked_root(prior: WeightPrior, statistics: LinearStatistics) -> Array:
    if statistics.n_features != prior.mean.size:
        raise ValueError(
            f"statistics have {statistics.n_features} features, the prior has {prior.mean.size}."
        )
    return _square_root(prior.covariance)


def _select_features(statistics: LinearStatistics, keep: NDArray[np.bool_]) -> LinearStatistics:
    gram = statistics.gram[:, keep][:, :, keep]
    return LinearStatistics(gram, statistics.moment[:, keep], statistics.energy, statistics.n_rows)


def _restrict(prior: WeightPrior, keep: NDArray[np.bool_]) -> WeightPrior:
    covariance = prior.covariance[np.ix_(keep, keep)]
    return WeightPrior(prior.mean[keep], covariance, prior.noise_variance)


def _embed(prior: WeightPrior, features: NDArray[np.intp], n_features: int) -> WeightPrior:
    """The prior over more features, the weights of the others being zero for certain."""
    mean, covariance = np.zeros(n_features), np.zeros((n_features, n_features))
    mean[features] = prior.mean
    covariance[np.ix_(features, features)] = prior.covariance
    return WeightPrior(mean, covariance, prior.noise_variance)


def _check_rows(Z: Array, y: Array) -> None:
    if Z.ndim != 2 or y.shape != Z.shape[:1]:
        raise ValueError(
            f"Z must be 2-D and y have one value per row of Z: got shapes {Z.shape} and {y.shape}."
        )


def _check_learning(
    statistics: LinearStatistics,
    covariance: str,
    max_iter: int,
    tol: float,
    init: WeightPrior | None,
) -> None:
    if covariance not in ("full", "diagonal"):
        raise ValueError(f'covariance must be "full" or "diagonal": got {covariance!r}.')
    if max_iter < 1:
        raise ValueError(f"max_iter must be at least 1: got {max_iter!r}.")
    if tol < 0:
        raise ValueError(f"tol must not be negative: got {tol!r}.")
    if not statistics.n_rows.any():
        raise ValueError("At least one task must have rows: got none.")
    if not (np.isfinite(statistics.gram).all() and np.isfinite(statistics.energy).all()):
        raise ValueError("Features and targets must be finite, and so must their squares.")
    if init is not None:
        _checked_root(init, statistics)

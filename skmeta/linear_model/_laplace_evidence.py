"""Learning the prior of logistic weights over tasks, by maximum Laplace evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from skmeta.linear_model._laplace import (
    LogisticPrior,
    LogisticTasks,
    Mode,
    SoftmaxBlock,
    congruent,
    find_mode,
)
from skmeta.linear_model._penalised_evidence import Structure

Array = NDArray[np.floating]

# The hyperprior is worth one task, whose weights carry a tenth of the variance of logistic noise.
_PSEUDO_TASKS = 1.0
_PSEUDO_SIGNAL = 0.1 * np.pi**2 / 3
# Scales of the hyperpriors on the mean (Cauchy) and on the standard deviations (half-normal) of the
# weights, in units of logits: larger ones are rare.
_MEAN_SCALE = 1.0
_LARGE_SCALE = 2.5
# Logarithms of standard deviations, in units of logits: far beyond any data, far from overflow.
_LOG_SCALES = (-12.0, 6.0)


class LearnedLogisticPrior(NamedTuple):
    """Result of :func:`learn_logistic_prior`."""

    prior: LogisticPrior
    #: Penalised log evidence of the tasks under the prior.
    objective: float
    #: Number of iterations.
    n_iter: int
    #: Whether learning stopped because the gains had become small.
    converged: bool


def learn_logistic_prior(
    tasks: LogisticTasks,
    covariance: Structure = "full",
    *,
    max_iter: int = 300,
    tol: float = 1e-6,
    init: LogisticPrior | None = None,
) -> LearnedLogisticPrior:
    """Learn the distribution of logistic weights over tasks.

    Mean and covariance maximise the evidence, in which Laplace's approximation integrates out the
    weights of each task [1]_, by a quasi-Newton method with exact gradients: the dependence of the
    modes on the prior is differentiated too. (An EM algorithm with Laplace's approximation as its
    E-step is simpler, but its fixed point is that of penalised quasi-likelihood, which
    underestimates variances where tasks have few rows [2]_.) Weak hyperpriors keep the problem well
    posed with few or separable tasks: a Cauchy distribution on the mean [3]_, an inverse-Wishart
    worth one task and half-normal scales on the covariance, and a distribution of the correlations
    around zero [4]_ that is worth as many tasks as there are weights.

    Parameters
    ----------
    tasks : LogisticTasks
        Training tasks.
    covariance : {"full", "diagonal"}, default="full"
        Whether weights may be correlated over tasks. If not, those of a column share one variance
        over the contrasts of the classes.
    max_iter : int, default=300
        Largest number of iterations.
    tol : float, default=1e-6
        Learning stops when the gain in log evidence per row is smaller.
    init : LogisticPrior, optional
        Where to start, such as the prior learned before further tasks came in.

    Returns
    -------
    learned : LearnedLogisticPrior
        The prior's covariance is that of a new task's weights: it holds both how weights vary over
        tasks and how uncertain their mean is. A column that is zero in every row has zero mean and
        variance.

    References
    ----------
    .. [1] Pinheiro & Chao (2006). Efficient Laplacian and adaptive Gaussian quadrature algorithms
       for multilevel generalized linear mixed models. J. Comput. Graph. Stat. 15, 58-81.
    .. [2] Breslow & Lin (1995). Bias correction in generalised linear mixed models with a single
       component of dispersion. Biometrika 82, 81-91.
    .. [3] Gelman, Jakulin, Pittau & Su (2008). A weakly informative default prior distribution for
       logistic and other regression models. Ann. Appl. Stat. 2, 1360-1383.
    .. [4] Lewandowski, Kurowicka & Joe (2009). Generating random correlation matrices based on
       vines and extended onion method. J. Multivar. Anal. 100, 1989-2001.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Z = np.column_stack([np.ones(20000), rng.normal(size=20000)])
    >>> weights = np.repeat(rng.normal([1.0, -1.0], [0.5, 2.0], size=(1000, 2)), 20, axis=0)
    >>> logits = (Z * weights).sum(axis=1)
    >>> codes = (rng.logistic(size=20000) < logits).astype(int)
    >>> tasks = LogisticTasks(Z, codes, np.arange(0, 20001, 20), n_classes=2)
    >>> prior = learn_logistic_prior(tasks).prior
    >>> np.round(prior.mean), np.round(2 * np.sqrt(prior.covariance.diagonal())) / 2
    (array([ 1., -1.]), array([0.5, 2. ]))
    """
    varies = np.any(tasks.Z != 0, axis=0)
    if not varies.any():
        return LearnedLogisticPrior(_nothing(tasks.n_weights), 0.0, 0, True)
    objective = LaplaceEvidence(tasks.columns(varies), covariance)
    weights = np.repeat(varies, tasks.n_classes - 1)
    point = objective.start(None if init is None else _restrict(init, weights))
    scale = max(len(tasks.Z), 1)

    def loss(point: Array) -> tuple[float, Array]:
        value, gradient = objective(point)
        return -value / scale, -gradient / scale

    found = minimize(
        loss,
        point,
        method="L-BFGS-B",
        jac=True,
        bounds=objective.bounds,
        options={"maxiter": max_iter, "maxfun": 3 * max_iter, "ftol": tol, "gtol": 1e-9},
    )
    prior = _embed(objective.prior(found.x), weights)
    return LearnedLogisticPrior(prior, -found.fun * scale, found.nit, found.status != 1)


class LaplaceEvidence:
    """Laplace's log evidence of (mean, covariance) plus weak hyperpriors, and its gradient.

    Weights are measured by what they contribute to the logits, in units that the columns' mean
    squares give. A point is a flat vector: the mean, the logarithms of the diagonal of a Cholesky
    factor of the covariance, and the elements below that diagonal.
    """

    def __init__(self, tasks: LogisticTasks, structure: Structure) -> None:
        self.blocks = [block for _, block in tasks.blocks()]
        self.n_free = tasks.n_classes - 1
        self.n_columns, self.n_weights = tasks.Z.shape[1], tasks.n_weights
        self.units = np.repeat(1 / np.sqrt(np.mean(tasks.Z**2, axis=0)), self.n_free)
        vague = LogisticPrior(np.zeros(self.n_weights), np.diag(self.units**2))
        self.pooled = vague.posterior_many(tasks.pooled()).mode[0]
        self.diagonal = structure == "diagonal"
        self.below = np.tril_indices(0 if self.diagonal else self.n_weights, k=-1)
        self.n_scales = self.n_columns if self.diagonal else self.n_weights
        self.pseudo_variance = _PSEUDO_SIGNAL / max(self.n_columns, 1)
        self._positions: list[Array | None] = [None] * len(self.blocks)

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the elements of a point."""
        free = (-np.inf, np.inf)
        others = [free] * len(self.below[0])
        return [free] * self.n_weights + [_LOG_SCALES] * self.n_scales + others

    def start(self, init: LogisticPrior | None) -> Array:
        """Give the point of a prior, or of small variances around a pooled fit."""
        if init is None:
            mean, covariance = self.pooled / self.units, np.zeros((self.n_weights, self.n_weights))
            least = 5 * self.pseudo_variance
        else:
            mean = init.mean / self.units
            covariance = init.covariance / np.outer(self.units, self.units)
            least = 1e-3 * self.pseudo_variance + 1e-10 * np.trace(covariance)
        covariance = covariance + least * np.eye(self.n_weights)
        if self.diagonal:
            log_scales = 0.5 * np.log(covariance.diagonal()).reshape(-1, self.n_free).mean(axis=1)
            return np.concatenate([mean, log_scales])
        factor = np.linalg.cholesky(covariance)
        return np.concatenate([mean, np.log(factor.diagonal()), factor[self.below]])

    def prior(self, point: Array) -> LogisticPrior:
        """Return the distribution of a new task's weights at a point."""
        mean, factor = self._unpack(point)
        root = self.units[:, None] * factor
        # The mean, too, is known up to its curvature only.
        curvature = np.diag(self._cauchy_precision(mean) / self.units**2)
        for _, mode in self._modes(self.units * mean, root):
            informed = mode.information @ root
            lost = informed @ mode.shrinkage @ informed.transpose(0, 2, 1)
            curvature += (mode.information - lost).sum(axis=0)
        covariance = root @ root.T + np.linalg.pinv(curvature, hermitian=True)
        return LogisticPrior(self.units * mean, (covariance + covariance.T) / 2)

    def __call__(self, point: Array) -> tuple[float, Array]:
        mean, factor = self._unpack(point)
        root = self.units[:, None] * factor
        value, by_mean, by_factor = self._log_hyperprior(mean, factor)
        for block, mode in self._modes(self.units * mean, root):
            value += float(mode.log_evidence.sum())
            gradients = _evidence_gradient(block, mode, root)
            by_mean += self.units * gradients[0]
            by_factor += self.units[:, None] * gradients[1]
        return value, self._pack_gradient(by_mean, by_factor, factor)

    def _modes(self, mean: Array, root: Array) -> Iterator[tuple[SoftmaxBlock, Mode]]:
        for i, block in enumerate(self.blocks):
            mode = find_mode(block, mean, root, self._positions[i])
            self._positions[i] = mode.position  # the next search starts from here
            yield block, mode

    def _log_hyperprior(self, mean: Array, factor: Array) -> tuple[float, Array, Array]:
        """Logarithm of the hyperpriors, and its gradients by mean and factor."""
        value, by_mean = self._log_cauchy(mean)
        by_factor = np.zeros_like(factor)
        for part in (self._log_inverse_wishart, self._log_half_normal, self._log_correlation):
            gain, gradient = part(factor)
            value, by_factor = value + gain, by_factor + gradient
        return value, by_mean, by_factor

    def _log_cauchy(self, mean: Array) -> tuple[float, Array]:
        """Keep the mean of a column's weights finite where classes are separable."""
        precision = self._cauchy_precision(mean)
        value = 0.5 * (1 + self.n_free) * np.log(precision).sum() / self.n_free
        return float(value), -precision * mean

    def _cauchy_precision(self, mean: Array) -> Array:
        """Of the normal distribution that has the same slope at the mean."""
        size = np.sum(mean.reshape(-1, self.n_free) ** 2, axis=1)
        return np.repeat((1 + self.n_free) / (_MEAN_SCALE**2 + size), self.n_free)

    def _log_inverse_wishart(self, factor: Array) -> tuple[float, Array]:
        """Keep the covariance away from zero."""
        inverse = np.linalg.inv(factor)
        value = -2 * np.log(factor.diagonal()).sum() - self.pseudo_variance * np.sum(inverse**2)
        gradient = self.pseudo_variance * inverse.T @ inverse @ inverse.T
        gradient -= np.diag(1 / factor.diagonal())
        return 0.5 * _PSEUDO_TASKS * value, _PSEUDO_TASKS * gradient

    def _log_half_normal(self, factor: Array) -> tuple[float, Array]:
        """Keep standard deviations from what no logit has."""
        return -0.5 * float(np.sum(factor**2)) / _LARGE_SCALE**2, -factor / _LARGE_SCALE**2

    def _log_correlation(self, factor: Array) -> tuple[float, Array]:
        """Pull correlations of the weights towards zero, their variances being free."""
        if self.diagonal:
            return 0.0, np.zeros_like(factor)
        variance = np.sum(factor**2, axis=1).reshape(-1, self.n_free).mean(axis=1)
        variance = np.repeat(variance, self.n_free)
        value = 2 * np.log(factor.diagonal()).sum() - np.log(variance).sum()
        gradient = np.diag(1 / factor.diagonal()) - factor / variance[:, None]
        return 0.5 * self.n_weights * value, self.n_weights * gradient

    def _unpack(self, point: Array) -> tuple[Array, Array]:
        mean, scales, others = np.split(point, [self.n_weights, self.n_weights + self.n_scales])
        scales = np.repeat(np.exp(scales), self.n_weights // max(self.n_scales, 1))
        factor = np.diag(scales)
        factor[self.below] = others
        return mean, factor

    def _pack_gradient(self, by_mean: Array, by_factor: Array, factor: Array) -> Array:
        by_scale = by_factor.diagonal() * factor.diagonal()
        if self.diagonal:
            by_scale = by_scale.reshape(-1, self.n_free).sum(axis=1)
        return np.concatenate([by_mean, by_scale, by_factor[self.below]])


def _evidence_gradient(block: SoftmaxBlock, mode: Mode, root: Array) -> tuple[Array, Array]:
    """Gradient of the Laplace evidence by mean and root, summed over the tasks of a block.

    With position u, score g and information J at the mode, H = I + R' J R for the root R, and
    V = R H^-1 R', the evidence is log p(y) - |u|^2 / 2 - log|H| / 2. The last term moves with the
    mode as well: where c is the gradient of trace(V J), the implicit function theorem turns it into
    c - J V c for a change of mean + R u at fixed u, and adds g (H^-1 R' c)' for a change of R.
    """
    score = block.score(mode.proba)
    covariance = congruent(mode.shrinkage, root)
    slope = block.slope_of_information(mode.proba, covariance)
    pull = np.einsum("tij,tj->ti", mode.shrinkage, slope @ root)
    moved = slope - np.einsum("tij,tj->ti", mode.information, pull @ root.T)
    along = score - 0.5 * moved
    by_root = along.T @ mode.position - 0.5 * score.T @ pull
    # The derivative of log|H| / 2 proper is J R H^-1, which is R'^-1 (I - H^-1).
    lost = len(score) * np.eye(len(root)) - mode.shrinkage.sum(axis=0)
    by_root -= solve_triangular(root, lost, trans=1, lower=True)
    return along.sum(axis=0), by_root


def _restrict(prior: LogisticPrior, keep: NDArray[np.bool_]) -> LogisticPrior:
    return LogisticPrior(prior.mean[keep], prior.covariance[np.ix_(keep, keep)])


def _nothing(n_weights: int) -> LogisticPrior:
    return LogisticPrior(np.zeros(n_weights), np.zeros((n_weights, n_weights)))


def _embed(prior: LogisticPrior, keep: NDArray[np.bool_]) -> LogisticPrior:
    """The prior over more weights, the others being zero for certain."""
    wide = _nothing(len(keep))
    wide.mean[keep] = prior.mean
    wide.covariance[np.ix_(keep, keep)] = prior.covariance
    return wide

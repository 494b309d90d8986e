"""Learning the prior of logistic weights over tasks, by maximum Laplace evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from skmeta.linear_model._factor_shapes import (
    Diagonal,
    LowRank,
    gradient_by_covariance,
    make_factor_shape,
)
from skmeta.linear_model._laplace import (
    LogisticPrior,
    LogisticTasks,
    Mode,
    SoftmaxBlock,
    centred,
    congruent,
    find_mode,
)
from skmeta.linear_model._shape import FULL, Shape

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
    #: How uncertain the weights are that do not vary over tasks: a covariance, zero for the others.
    fixed_covariance: Array
    #: Penalised log evidence of the tasks under the prior.
    objective: float
    #: Number of iterations.
    n_iter: int
    #: Whether learning stopped because the gains had become small.
    converged: bool


def learn_logistic_prior(
    tasks: LogisticTasks,
    shape: Shape = FULL,
    *,
    varying: NDArray[np.bool_] | None = None,
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
    shape : Shape, default=Shape("full")
        Whether, and how, weights may be correlated over tasks. The weights of a column share one
        variance over the contrasts of the classes where it is not full.
    varying : ndarray of bool of shape (n_columns,), optional
        Columns whose weights vary over tasks; all by default. The others are fixed effects.
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
        tasks and how uncertain their mean is; it is zero for fixed effects. A column that is zero
        in every row has zero mean and variance.

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
    counts = np.any(tasks.Z != 0, axis=0)
    if not counts.any():
        nothing = np.zeros((tasks.n_weights, tasks.n_weights))
        prior = LogisticPrior(np.zeros(tasks.n_weights), nothing)
        return LearnedLogisticPrior(prior, nothing, 0.0, 0, True)
    varying = counts if varying is None else varying
    objective = LaplaceEvidence(tasks.columns(counts), shape, varying[counts])
    weights = np.repeat(counts, tasks.n_classes - 1)
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
    prior, fixed = objective.prior(found.x)
    mean = np.zeros(len(weights))
    mean[weights] = prior.mean
    prior = LogisticPrior(mean, _embed(prior.covariance, weights))
    converged = found.status != 1
    return LearnedLogisticPrior(
        prior, _embed(fixed, weights), -found.fun * scale, found.nit, converged
    )


class LaplaceEvidence:
    """Laplace's log evidence of (mean, covariance) plus weak hyperpriors, and its gradient.

    Weights are measured by what they contribute to the logits, in units that the columns' mean
    squares give. A point is a flat vector: the mean, which is all there is of fixed effects, and
    the parameters of the covariance of the weights that vary (see
    :class:`~skmeta.linear_model._factor_shapes.FactorShape`).
    """

    def __init__(
        self, tasks: LogisticTasks, shape: Shape, varying: NDArray[np.bool_] | None = None
    ) -> None:
        self.n_free, self.n_weights = tasks.n_classes - 1, tasks.n_weights
        columns = np.ones(tasks.Z.shape[1], bool) if varying is None else varying
        self.varying = np.repeat(columns, self.n_free)
        self.blocks = [_SplitBlock(block, columns) for _, block in tasks.blocks()]
        self.units = np.repeat(1 / np.sqrt(np.mean(tasks.Z**2, axis=0)), self.n_free)
        vague = LogisticPrior(np.zeros(self.n_weights), np.diag(self.units**2))
        self.pooled = vague.posterior_many(tasks.pooled()).mode[0]
        self.n_varying = int(self.varying.sum())
        self.shape = make_factor_shape(shape, self.n_varying, self.n_free)
        self.pseudo_variance = _PSEUDO_SIGNAL / max(int(columns.sum()), 1)
        self._positions: list[Array | None] = [None] * len(self.blocks)

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the elements of a point."""
        free, n_scales = (-np.inf, np.inf), self.shape.n_scales
        others = [free] * (self.shape.n_free - n_scales)
        return [free] * self.n_weights + [_LOG_SCALES] * n_scales + others

    def start(self, init: LogisticPrior | None) -> Array:
        """Give the point of a prior, or of small variances around a pooled fit."""
        identity = np.eye(self.n_varying)
        if init is None:
            mean, covariance = self.pooled / self.units, 5 * self.pseudo_variance * identity
            if isinstance(self.shape, LowRank):
                covariance = covariance + self._uphill(mean, covariance)
        else:
            units = self.units[self.varying]
            mean = init.mean / self.units
            covariance = init.covariance[np.ix_(self.varying, self.varying)] / np.outer(
                units, units
            )
            least = 1e-3 * self.pseudo_variance + 1e-10 * np.trace(covariance)
            covariance = covariance + least * identity
        return np.append(mean, self.shape.fit(covariance))

    def _uphill(self, mean: Array, covariance: Array) -> Array:
        """A change of a covariance, as large as it, that the evidence rises along.

        Where all directions are alike, none of them would ever become a common one.
        """
        factor = np.linalg.cholesky(covariance)
        change = gradient_by_covariance(factor, self._evaluate(mean, factor)[2])
        size = np.linalg.norm(change, 2)
        return change * (np.linalg.norm(covariance, 2) / size if size > 0 else 0.0)

    def prior(self, point: Array) -> tuple[LogisticPrior, Array]:
        """Return the distribution of a new task's weights at a point.

        Its covariance is zero for fixed effects; how uncertain those are comes second.
        """
        mean, factor = self._unpack(point)
        root = self.units[self.varying, None] * factor
        # The mean, too, is known up to its curvature only.
        units = np.outer(self.units, self.units)
        curvature = np.diag(self._cauchy_precision(mean))  # by units: others drown in rounding
        for block, _, mode in self._modes(self.units * mean, root):
            information = block.information(mode.proba)
            informed = information[:, :, self.varying] @ root
            lost = informed @ mode.shrinkage @ informed.transpose(0, 2, 1)
            curvature += units * (information - lost).sum(axis=0)
        of_mean = units * np.linalg.pinv(curvature, hermitian=True)
        of_mean = (of_mean + of_mean.T) / 2
        covariance, fixed = np.zeros((2, *of_mean.shape))
        varies = np.ix_(self.varying, self.varying)
        covariance[varies] = root @ root.T + of_mean[varies]
        fixes = np.ix_(~self.varying, ~self.varying)
        fixed[fixes] = of_mean[fixes]
        return LogisticPrior(self.units * mean, covariance), fixed

    def __call__(self, point: Array) -> tuple[float, Array]:
        mean, factor = self._unpack(point)
        value, by_mean, by_factor = self._evaluate(mean, factor)
        by_shape = self.shape.gradient(point[self.n_weights :], factor, by_factor)
        return value, np.append(by_mean, by_shape)

    def _evaluate(self, mean: Array, factor: Array) -> tuple[float, Array, Array]:
        """Value, and gradients by the mean and by the factor."""
        units = self.units[self.varying, None]
        root = units * factor
        value, by_mean, by_factor = self._log_hyperprior(mean, factor)
        for block, rest, mode in self._modes(self.units * mean, root):
            value += float(mode.log_evidence.sum())
            by_logits, by_root = _evidence_gradient(rest, mode, root)
            by_mean += self.units * block.gather(by_logits).sum(axis=0)
            by_factor += units * by_root
        return value, by_mean, by_factor

    def _modes(self, mean: Array, root: Array) -> Iterator[tuple[SoftmaxBlock, SoftmaxBlock, Mode]]:
        """Blocks with all columns, with those that vary alone, and the modes of the latter."""
        for i, split in enumerate(self.blocks):
            rest = split.given(mean[~self.varying])
            mode = find_mode(rest, mean[self.varying], root, self._positions[i])
            self._positions[i] = mode.position  # the next search starts from here
            yield split.block, rest, mode

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
        if isinstance(self.shape, Diagonal):
            return 0.0, np.zeros_like(factor)
        variance = np.sum(factor**2, axis=1).reshape(-1, self.n_free).mean(axis=1)
        variance = np.repeat(variance, self.n_free)
        value = 2 * np.log(factor.diagonal()).sum() - np.log(variance).sum()
        gradient = np.diag(1 / factor.diagonal()) - factor / variance[:, None]
        return 0.5 * self.n_varying * value, self.n_varying * gradient

    def _unpack(self, point: Array) -> tuple[Array, Array]:
        return point[: self.n_weights], self.shape.factor(point[self.n_weights :])


class _SplitBlock:
    """Rows of some tasks, whose columns have weights that vary over tasks or fixed ones."""

    def __init__(self, block: SoftmaxBlock, varying: NDArray[np.bool_]) -> None:
        self.block, self.varying = block, varying
        self.Z_varying = block.Z if varying.all() else block.Z[:, :, varying]
        self.Z_fixed = block.Z[:, :, ~varying]

    def given(self, fixed: Array) -> SoftmaxBlock:
        """Likelihood as a function of the weights that vary, given the fixed ones."""
        if self.varying.all():
            return self.block
        codes, inside, contrasts = self.block.codes, self.block.inside, self.block.contrasts
        offset = self.Z_fixed @ fixed.reshape(self.Z_fixed.shape[2], -1) @ contrasts.T
        return SoftmaxBlock(self.Z_varying, codes, inside, contrasts, offset)


def _evidence_gradient(block: SoftmaxBlock, mode: Mode, root: Array) -> tuple[Array, Array]:
    """Gradient of the Laplace evidence by the logits of the rows, and by the root.

    With position u, score g and information J at the mode, H = I + R' J R for the root R, and
    V = R H^-1 R', the evidence is log p(y) - |u|^2 / 2 - log|H| / 2. The last term moves with the
    mode as well: where c is the gradient of trace(V J), the implicit function theorem turns it into
    c - J V c for a change of mean + R u at fixed u, and adds g (H^-1 R' c)' for a change of R.
    """
    residual = block.residual(mode.proba)
    covariance = congruent(mode.shrinkage, root)
    by_logits = block.slope_of_information(mode.proba, covariance)
    pull = np.einsum("tij,tj->ti", mode.shrinkage, block.gather(by_logits) @ root)
    by_logits -= centred(mode.proba, block.linear(pull @ root.T))
    by_logits = residual - 0.5 * by_logits
    by_root = block.gather(by_logits).T @ mode.position - 0.5 * block.gather(residual).T @ pull
    # The derivative of log|H| / 2 proper is J R H^-1, which is R'^-1 (I - H^-1).
    lost = len(residual) * np.eye(len(root)) - mode.shrinkage.sum(axis=0)
    by_root -= solve_triangular(root, lost, trans=1, lower=True)
    return by_logits, by_root


def _restrict(prior: LogisticPrior, keep: NDArray[np.bool_]) -> LogisticPrior:
    return LogisticPrior(prior.mean[keep], prior.covariance[np.ix_(keep, keep)])


def _embed(covariance: Array, keep: NDArray[np.bool_]) -> Array:
    """The covariance of more weights, the others being zero for certain."""
    wide = np.zeros((len(keep), len(keep)))
    wide[np.ix_(keep, keep)] = covariance
    return wide

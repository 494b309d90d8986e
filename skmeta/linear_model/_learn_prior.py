"""Learning the distribution of the weights over tasks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.linear_model._ascent import ascend
from skmeta.linear_model._penalised_evidence import PenalisedEvidence
from skmeta.linear_model._shape import FULL, Shape
from skmeta.linear_model._statistics import LinearStatistics
from skmeta.linear_model._weight_prior import WeightPrior, checked_root

Array = NDArray[np.floating]


class LearnedPrior(NamedTuple):
    """Result of :func:`learn_prior`."""

    prior: WeightPrior
    #: How uncertain the weights are that do not vary over tasks: a covariance, zero for the others.
    fixed_covariance: Array
    #: Penalised log evidence after each iteration; it never decreases.
    objectives: list[float]
    #: Whether learning stopped because the gains had become small.
    converged: bool


def learn_prior(
    statistics: LinearStatistics,
    shape: Shape = FULL,
    *,
    varying: NDArray[np.bool_] | None = None,
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
    shape : Shape, default=Shape("full")
        Whether, and how, the weights may be correlated over tasks.
    varying : ndarray of bool of shape (n_features,), optional
        Which weights vary over tasks; all by default. The others are fixed effects.
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
        tasks and how uncertain their mean is; it is zero for fixed effects. A feature that is zero
        in every row has zero mean and variance.

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
    _check_learning(statistics, max_iter, tol, init)
    if varying is None:
        varying = np.ones(statistics.n_features, dtype=bool)
    # An empty task says nothing, and would only slow EM down.
    statistics = statistics if statistics.n_rows.all() else statistics[statistics.n_rows > 0]
    counts = np.einsum("tii->i", statistics.gram) > 0
    if not counts.all():
        statistics = statistics.columns(counts)
        init = None if init is None else _restrict(init, counts)
    objective = PenalisedEvidence(statistics, shape, varying[counts])
    point, values, converged = ascend(
        objective, objective.start(init), max_iter, tol * statistics.n_rows.sum()
    )
    prior, fixed = objective.prior(point)
    covariance = _embed(prior.covariance, counts)
    mean = np.zeros(len(counts))
    mean[counts] = prior.mean
    prior = WeightPrior(mean, covariance, prior.noise_variance)
    return LearnedPrior(prior, _embed(fixed, counts), values, converged)


def _restrict(prior: WeightPrior, keep: NDArray[np.bool_]) -> WeightPrior:
    covariance = prior.covariance[np.ix_(keep, keep)]
    return WeightPrior(prior.mean[keep], covariance, prior.noise_variance)


def _embed(covariance: Array, features: NDArray[np.bool_]) -> Array:
    """The covariance of more weights, the others being zero for certain."""
    wide = np.zeros((len(features), len(features)))
    wide[np.ix_(features, features)] = covariance
    return wide


def _check_learning(
    statistics: LinearStatistics,
    max_iter: int,
    tol: float,
    init: WeightPrior | None,
) -> None:
    if max_iter < 1:
        raise ValueError(f"max_iter must be at least 1: got {max_iter!r}.")
    if tol < 0:
        raise ValueError(f"tol must not be negative: got {tol!r}.")
    if not statistics.n_rows.any():
        raise ValueError("At least one task must have rows: got none.")
    if not (np.isfinite(statistics.gram).all() and np.isfinite(statistics.energy).all()):
        raise ValueError("Features and targets must be finite, and so must their squares.")
    if init is not None:
        checked_root(init, statistics)

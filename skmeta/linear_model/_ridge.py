"""Ridge regression with a prior that is learned over tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np

from skmeta.base import MetaRegressorMixin
from skmeta.base._docstrings import fill_docstring
from skmeta.linear_model._base import BaseMetaLinear
from skmeta.linear_model._learn_prior import LearnedPrior, learn_prior
from skmeta.linear_model._shape import Shape, Size, Structure, learn_best
from skmeta.linear_model._statistics import LinearStatistics
from skmeta.linear_model._weight_prior import WeightPrior, log_evidence
from skmeta.tasks import TaskCollection


@fill_docstring
class MetaRidgeRegressor(MetaRegressorMixin, BaseMetaLinear):
    r"""Linear regression whose weights have a normal distribution over tasks.

    The rows of task t follow :math:`y = X w_t + e` with weights :math:`w_t \sim N(m, S)` drawn
    anew for each task and noise :math:`e \sim N(0, \sigma^2)`: a linear mixed model with random
    intercepts and slopes [1]_. `fit` learns m, S and the noise by restricted maximum likelihood;
    `fit_adapt` gives the posterior of the weights of a new task, which is ridge regression towards
    m with a penalty for each direction. With `random_effects` only some weights vary over tasks,
    and the others are fixed effects, which all tasks share.

    Parameters
    ----------
    random_effects : "all", "intercept" or array-like of str or int, default="all"
        Which weights vary over tasks: all, the intercept alone, or the intercept (if any) and the
        slopes of the features that are named or numbered. A feature stands for all columns that
        the preprocessor makes of it.
    covariance : {"auto", "evidence", "full", "low_rank", "diagonal"}, default="full"
        How the weights that vary may be correlated over tasks. "low_rank" is that of factor
        analysis: a few common directions, and a variance for each column [3]_. "auto" stands for
        "full" if there are at least as many tasks as weights that vary, otherwise for "diagonal".
        "evidence" learns all ("full" on the same condition) and takes the one of largest evidence,
        less half the logarithm of the number of tasks for each parameter [2]_.
    rank : int or "auto", default="auto"
        Number of common directions of "low_rank"; "auto" takes one more as long as the same
        criterion grows. Where there are no more weights, "low_rank" is "full".
    fit_intercept : bool, default=True
        Whether tasks have an intercept, which has a prior like the other weights.
    max_iter : int, default=300
        Iterations of EM at most.
    tol : float, default=1e-6
        EM stops when the gain in log evidence per row is smaller.
    {{preprocessor}}

    Attributes
    ----------
    prior_mean_ : ndarray of shape (n_columns,)
        Mean of the weights over tasks, for the columns that the preprocessor makes.
    prior_intercept_ : float
        Mean of the intercept over tasks.
    prior_covariance_ : ndarray of shape (n_columns + fit_intercept,) * 2
        Covariance of the weights over tasks; with `fit_intercept` the intercept comes first. Zero
        for fixed effects.
    covariance_ : {"full", "low_rank", "diagonal"}
        The structure in use.
    rank_ : int
        Number of common directions of a "low_rank" covariance; 0 for the others.
    varies_ : ndarray of bool of shape (n_columns + fit_intercept,)
        Which weights vary over tasks.
    noise_variance_ : float
        Variance of the target around a task's line.
    coef_ : ndarray of shape (n_columns,)
        Weights of the task: their posterior mean, or the prior mean before adaptation.
    intercept_ : float
        Intercept of the task.
    coef_covariance_ : ndarray of shape (n_columns + fit_intercept,) * 2
        Posterior covariance of the weights; with `fit_intercept` the intercept comes first. That
        of fixed effects is how uncertain they are after training; rows of a new task do not
        change it.
    n_iter_ : int
        Iterations that EM took.
    {{common_attributes}}

    See Also
    --------
    MetaLogisticRegression : The same for classes.
    sklearn.linear_model.BayesianRidge : One task; prior mean zero.

    References
    ----------
    .. [1] Laird & Ware (1982). Random-effects models for longitudinal data. Biometrics 38,
       963-974.
    .. [2] Schwarz (1978). Estimating the dimension of a model. Ann. Stat. 6, 461-464.
    .. [3] Rubin & Thayer (1982). EM algorithms for ML factor analysis. Psychometrika 47, 69-76.

    Examples
    --------
    >>> from skmeta import MetaRidgeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=50, random_state=0)
    >>> meta = MetaRidgeRegressor().fit(tasks[:40])
    >>> new = tasks[45]
    >>> model = meta.fit_adapt(new.X[:3], new.y[:3])  # three rows for four weights
    >>> mean, std = model.predict(new.X[3:], return_std=True)
    >>> model.score(new.X[3:], new.y[3:]) > meta.score(new.X[3:], new.y[3:])
    True
    """

    def __init__(
        self,
        *,
        random_effects: Literal["all", "intercept"] | Sequence[str | int] = "all",
        covariance: Literal["auto", "evidence"] | Structure = "full",
        rank: int | Literal["auto"] = "auto",
        fit_intercept: bool = True,
        max_iter: int = 300,
        tol: float = 1e-6,
        preprocessor: Any = "auto",
    ):
        self.random_effects = random_effects
        self.covariance = covariance
        self.rank = rank
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.preprocessor = preprocessor

    # ------------------------------------------------------------------ learning

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        self.varies_ = self._varying()
        self._check_width(len(tasks), len(self.varies_))
        # Sums of squares lose digits to a mean that is far from zero.
        self._y_offset = float(tasks.y.mean()) if self.fit_intercept else 0.0
        self._statistics: LinearStatistics | None = self._summarise(tasks)
        self._learn(self._statistics, init=None)

    def _partial_fit_tasks(self, tasks: TaskCollection) -> None:
        if self._statistics is None:
            raise ValueError(
                "This estimator is adapted to one task and does not hold the training tasks; call "
                "partial_fit on the meta-learner itself."
            )
        self._statistics = self._statistics + self._summarise(tasks)
        self._learn(self._statistics, init=self._prior)

    def _learn(self, statistics: LinearStatistics, init: WeightPrior | None) -> None:
        def learn(shape: Shape) -> LearnedPrior:
            return learn_prior(
                statistics,
                shape,
                varying=self.varies_,
                max_iter=self.max_iter,
                tol=self.tol,
                init=init,
            )

        n_varying = int(self.varies_.sum())
        (self.covariance_, self.rank_), learned = learn_best(
            self.covariance,
            self.rank,
            Size(len(statistics), n_varying, n_varying),
            learn,
            lambda learned: float(log_evidence(learned.prior, statistics).sum()),
        )
        self._check_converged(learned.converged)
        self._fixed_covariance = learned.fixed_covariance
        self._prior = learned.prior
        self.prior_intercept_, self.prior_mean_ = self._unpack(learned.prior.mean)
        self.prior_covariance_ = learned.prior.covariance
        self.noise_variance_ = learned.prior.noise_variance
        self.n_iter_ = len(learned.objectives)

    # ------------------------------------------------------------------ adapting

    def _adapt(self, X: np.ndarray, y: np.ndarray) -> None:
        self._set_posterior(*self._prior.posterior(self._design(X), y - self._y_offset))

    def _adapt_many(self, models: list[Self], tasks: TaskCollection) -> None:
        posteriors = self._prior.posterior_many(self._summarise(tasks))
        for model, mean, covariance in zip(models, *posteriors, strict=True):
            model._set_posterior(mean, covariance)

    def _set_posterior(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        self.intercept_, self.coef_ = self._unpack(mean)
        self.coef_covariance_ = covariance + self._fixed_covariance

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)
        return_std : bool, default=False
            Whether to return the standard deviation of the predictive distribution as well. It
            holds the uncertainty of the weights and the noise.

        Returns
        -------
        y : ndarray of shape (n_query,)
        std : ndarray of shape (n_query,)
            Only with `return_std=True`.
        """
        Z = self._design(self._validate_query(X))
        weights = np.append(self.intercept_, self.coef_) if self.fit_intercept else self.coef_
        y = Z @ weights
        if not return_std:
            return y
        of_weights = np.einsum("nd,de,ne->n", Z, self.coef_covariance_, Z)
        return y, np.sqrt(of_weights + self.noise_variance_)

    def _copy(self) -> Self:
        model = super()._copy()
        model._statistics = None  # of the training tasks: an adapted model needs them no more
        return model

    # ------------------------------------------------------------------ rows and weights

    def _summarise(self, tasks: TaskCollection) -> LinearStatistics:
        return LinearStatistics.from_rows(
            self._design(tasks.X), tasks.y - self._y_offset, tasks.offsets
        )

    def _unpack(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """Intercept on the target's own scale, and the other weights."""
        if not self.fit_intercept:
            return 0.0, weights
        return float(weights[0]) + self._y_offset, weights[1:]

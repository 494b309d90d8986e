"""Logistic regression with a prior that is learned over tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np

from skmeta.base import SharedClassesMixin
from skmeta.base._docstrings import fill_docstring
from skmeta.linear_model._base import BaseMetaLinear
from skmeta.linear_model._blocks import blocks
from skmeta.linear_model._laplace import LogisticPrior, LogisticTasks, row_covariances
from skmeta.linear_model._laplace_evidence import LearnedLogisticPrior, learn_logistic_prior
from skmeta.linear_model._shape import Shape, Size, Structure, learn_best
from skmeta.linear_model._softmax import N_POINTS, contrasts, softmax_of_normal
from skmeta.tasks import TaskCollection


@fill_docstring
class MetaLogisticRegression(SharedClassesMixin, BaseMetaLinear):
    r"""Logistic regression whose weights have a normal distribution over tasks.

    The classes of task t follow :math:`P(y \mid x) = \mathrm{softmax}(x W_t)` with weights
    :math:`W_t \sim N(m, S)` drawn anew for each task: a generalised linear mixed model with random
    intercepts and slopes [1]_. `fit` learns m and S by maximum evidence, with Laplace's
    approximation for the weights of each task; `fit_adapt` gives the posterior of the weights of a
    new task, which is penalised logistic regression towards m with a penalty for each direction.
    Probabilities are averaged over that posterior [2]_, so that few rows do not make them certain;
    its mean is corrected for skewness [3]_.

    With a prior of mean zero and covariance C times the identity, the adapted weights are those of
    :class:`~sklearn.linear_model.LogisticRegression`.

    Parameters
    ----------
    random_effects : "all", "intercept" or array-like of str or int, default="all"
        Which weights vary over tasks: all, the intercept alone, or the intercept (if any) and the
        slopes of the features that are named or numbered. A feature stands for all columns that
        the preprocessor makes of it. The others are fixed effects, which all tasks share.
    covariance : {"auto", "evidence", "full", "low_rank", "diagonal"}, default="auto"
        How the weights that vary may be correlated over tasks. "low_rank" is that of factor
        analysis: a few common directions, and a variance for each column. "auto" stands for
        "full" if there are at least as many tasks as weights that vary, otherwise for "diagonal".
        "evidence" learns all ("full" on the same condition) and takes the one of largest evidence,
        less half the logarithm of the number of tasks for each parameter [4]_.
    rank : int or "auto", default="auto"
        Number of common directions of "low_rank"; "auto" takes one more as long as the same
        criterion grows. Where there are no more weights, "low_rank" is "full".
    fit_intercept : bool, default=True
        Whether tasks have an intercept, which has a prior like the other weights.
    max_iter : int, default=300
        Iterations of learning at most.
    tol : float, default=1e-6
        Learning stops when the gain in log evidence per row is smaller.
    {{preprocessor}}

    Attributes
    ----------
    {{classes_}}
    prior_coef_ : ndarray of shape (1, n_columns) or (n_classes, n_columns)
        Mean of the weights over tasks, for the columns that the preprocessor makes. As in
        scikit-learn, two classes share one row.
    prior_intercept_ : ndarray of shape (1,) or (n_classes,)
        Mean of the intercepts over tasks.
    prior_covariance_ : ndarray of shape (n_weights, n_weights)
        Covariance of the weights over tasks, along the contrasts of the classes. There are
        n_weights = (n_columns + fit_intercept) * (n_classes - 1), the intercept's coming first and
        the contrasts of a column being neighbours. Zero for fixed effects.
    covariance_ : {"full", "low_rank", "diagonal"}
        The structure in use.
    rank_ : int
        Number of common directions of a "low_rank" covariance; 0 for the others.
    varies_ : ndarray of bool of shape (n_columns + fit_intercept,)
        Which columns have weights that vary over tasks.
    contrasts_ : ndarray of shape (n_classes, n_classes - 1)
        What each contrast adds to the logits of the classes.
    coef_ : ndarray of shape (1, n_columns) or (n_classes, n_columns)
        Most probable weights of the task; the prior mean before adaptation.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts of the task.
    coef_covariance_ : ndarray of shape (n_weights, n_weights)
        Posterior covariance of the weights, in the order of `prior_covariance_`. That of fixed
        effects is how uncertain they are after training; rows of a new task do not change it.
    n_iter_ : int
        Iterations that learning took.
    {{common_attributes}}

    See Also
    --------
    MetaRidgeRegressor : The same for a numeric target.
    sklearn.linear_model.LogisticRegression : One task; prior mean zero.

    References
    ----------
    .. [1] Breslow & Clayton (1993). Approximate inference in generalized linear mixed models.
       J. Am. Stat. Assoc. 88, 9-25.
    .. [2] MacKay (1992). The evidence framework applied to classification networks. Neural
       Computation 4, 720-736.
    .. [3] Lindley (1980). Approximate Bayesian methods. Trabajos de Estadistica 31, 223-245.
    .. [4] Schwarz (1978). Estimating the dimension of a model. Ann. Stat. 6, 461-464.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta import MetaLogisticRegression, TaskCollection
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=50, n_rows=40, random_state=0)
    >>> tasks = tasks.with_storage(y=np.where(tasks.y > 0, "ill", "well"))
    >>> meta = MetaLogisticRegression().fit(tasks[:40])
    >>> new = tasks[44]
    >>> model = meta.fit_adapt(new.X[:10], new.y[:10])
    >>> model.score(new.X[10:], new.y[10:]) > meta.score(new.X[10:], new.y[10:])
    True
    """

    _learns = "weights for each class"

    def __init__(
        self,
        *,
        random_effects: Literal["all", "intercept"] | Sequence[str | int] = "all",
        covariance: Literal["auto", "evidence"] | Structure = "auto",
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
        self._check_width(len(tasks), len(self.varies_) * (len(self.classes_) - 1))
        self.contrasts_ = contrasts(len(self.classes_))
        self._rows: LogisticTasks | None = self._read_rows(tasks)
        self._learn(self._rows, init=None)

    def _partial_fit_tasks(self, tasks: TaskCollection) -> None:
        if self._rows is None:
            raise ValueError(
                "This estimator is adapted to one task and does not hold the training tasks; call "
                "partial_fit on the meta-learner itself."
            )
        self._rows = self._rows + self._read_rows(tasks)
        self._learn(self._rows, init=self._prior)

    def _learn(self, rows: LogisticTasks, init: LogisticPrior | None) -> None:
        def learn(shape: Shape) -> LearnedLogisticPrior:
            return learn_logistic_prior(
                rows,
                shape,
                varying=self.varies_,
                max_iter=self.max_iter,
                tol=self.tol,
                init=init,
            )

        n_columns = int(self.varies_.sum())
        size = Size(len(rows), n_columns * (rows.n_classes - 1), n_columns)
        (self.covariance_, self.rank_), learned = learn_best(
            self.covariance, self.rank, size, learn, lambda learned: learned.objective
        )
        self._check_converged(learned.converged)
        self._fixed_covariance = learned.fixed_covariance
        self._prior = learned.prior
        self.prior_intercept_, self.prior_coef_ = self._unpack(learned.prior.mean)
        self.prior_covariance_ = learned.prior.covariance
        self.n_iter_ = learned.n_iter

    # ------------------------------------------------------------------ adapting

    def _adapt(self, X: np.ndarray, y: np.ndarray) -> None:
        self._adapt_many([self], TaskCollection(X, y, [0, len(y)]))

    def _adapt_many(self, models: list[Self], tasks: TaskCollection) -> None:
        posteriors = self._prior.posterior_many(self._read_rows(tasks))
        for model, mode, mean, covariance in zip(models, *posteriors, strict=True):
            model.intercept_, model.coef_ = self._unpack(mode)
            # Not views, which would hold on to the whole batch.
            model._mean = mean.copy()
            model.coef_covariance_ = covariance + self._fixed_covariance

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probabilities of the classes.

        They are averaged over the posterior of the weights: by MacKay's approximation for two
        classes, over a fixed set of quasi-random points for more.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        proba : ndarray of shape (n_query, n_classes)
        """
        Z = self._design(self._validate_query(X))
        weights = self._mean.reshape(Z.shape[1], -1)
        proba = np.empty((len(Z), len(self.classes_)))
        for rows in blocks(len(Z), len(self.classes_) * (len(self._mean) + N_POINTS)):
            spread = row_covariances(Z[rows], self.coef_covariance_)
            proba[rows] = softmax_of_normal(Z[rows] @ weights, spread)
        return proba

    def _copy(self) -> Self:
        model = super()._copy()
        model._rows = None  # of the training tasks: an adapted model needs them no more
        return model

    # ------------------------------------------------------------------ rows and weights

    def _read_rows(self, tasks: TaskCollection) -> LogisticTasks:
        return LogisticTasks(self._design(tasks.X), tasks.y, tasks.offsets, len(self.classes_))

    def _unpack(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Intercepts and the other weights as scikit-learn lays them out."""
        n_free = self.contrasts_.shape[1]
        # The one contrast of two classes is the logit itself.
        directions = self.contrasts_ if n_free > 1 else np.eye(1)
        by_class = directions @ weights.reshape(-1, n_free).T
        if not self.fit_intercept:
            return np.zeros(len(by_class)), by_class
        return by_class[:, 0], by_class[:, 1:]

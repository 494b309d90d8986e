"""Mixtures of meta-learners with weights learned out of task."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.metaestimators import _BaseComposition

from skmeta.base import BaseMetaLearner, MetaRegressorMixin, SharedClassesMixin
from skmeta.base._docstrings import fill_docstring
from skmeta.ensemble._between_shots import interpolate
from skmeta.ensemble._opinion_pools import log_pool
from skmeta.ensemble._pooled_learner import BasePooled, PooledClassifier, PooledRegressor
from skmeta.ensemble._stacking_base import BaseStacking, Candidates
from skmeta.ensemble._stacking_episodes import Episodes, log_proba, predicts_std
from skmeta.ensemble._weigh_std import Spread, learn_spread, mix
from skmeta.linear_model import MetaLogisticRegression, MetaRidgeRegressor
from skmeta.tasks import TaskCollection


class _RegressorMixture(MetaRegressorMixin, BaseStacking):
    """A stack of regressors: a weighted mean, and the deviation of the mixture."""

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)
        return_std : bool, default=False
            Whether to return the standard deviation of the predictive distribution as well: that
            of the mixture of the candidates' distributions, scaled so that its 80 and 95 %
            intervals hold as many rows of unseen tasks as they should.

        Returns
        -------
        y : ndarray of shape (n_query,)
        std : ndarray of shape (n_query,)
            Only with `return_std=True`.
        """
        X = self._validate_query(X)
        if not return_std:
            return np.column_stack([model.predict(X) for model in self._models]) @ self._weights
        rmse = interpolate(self.n_support_, self.shots_, self._spread.rmse)[self._used]
        said = [
            model.predict(X, return_std=True)
            if predicts_std(model)
            else (model.predict(X), np.full(len(X), error))
            for model, error in zip(self._models, rmse, strict=True)
        ]
        mean, std = (np.column_stack(part) for part in zip(*said, strict=True))
        scale = interpolate(self.n_support_, self.shots_, self._spread.scale[:, None])[0]
        mean, std = mix(mean, std, self._weights)
        return mean, scale * std

    def _learn_mixture(self, episodes: list[Episodes], tasks: TaskCollection) -> None:
        if episodes:
            self._spread = learn_spread(episodes, self.weights_)
            return
        X, y = tasks.X, tasks.y
        rmse = [
            np.nan if meta is None else np.sqrt(np.mean((meta.predict(X) - y) ** 2))
            for meta in self.estimators_
        ]
        self._spread = Spread(np.array([rmse]), np.ones(1))


class _ClassifierMixture(SharedClassesMixin, BaseStacking):
    """A stack of classifiers: a logarithmic pool of their probabilities."""

    _learns = "a pool of candidates"
    _least_classes = 1

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        proba : ndarray of shape (n_query, n_classes)
        """
        X = self._validate_query(X)
        said = [log_proba(model, X, len(self.classes_)) for model in self._models]
        return np.exp(log_pool(np.stack(said, axis=1), self._weights))


class _NamedEstimators(_BaseComposition):
    """A stack whose candidates the user names, with nested parameters as in scikit-learn."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseStacking._parameter_constraints,
        "estimators": [list, None],
    }

    def __init__(
        self,
        estimators: Any = None,
        *,
        shots: Any = (0, 2, 5, 10, 20),
        n_folds: int = 3,
        support_strategy: Literal["random", "first"] = "random",
        guard: bool = True,
        preprocessor: Any = "auto",
        random_state: int = 0,
    ):
        self.estimators = estimators
        self.shots = shots
        self.n_folds = n_folds
        self.support_strategy = support_strategy
        self.guard = guard
        self.preprocessor = preprocessor
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict:
        """Get the parameters of the stack and, by name, of its candidates.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the candidates and their parameters.

        Returns
        -------
        params : dict
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> Any:
        """Set parameters of the stack, or of a candidate as in `ridge__tol=0.1`.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : estimator
        """
        return self._set_params("estimators", **params)

    def _candidates(self, tasks: TaskCollection) -> Candidates:
        if self.estimators is None:
            return [("pooled", self._pooled()), ("linear", self._linear())]
        self._check_estimators()
        has_pooled = any(isinstance(e, BasePooled) for _, e in self.estimators)
        missing = [] if has_pooled or not self.guard else [("pooled", self._pooled())]
        return missing + list(self.estimators)

    def _check_estimators(self) -> None:
        if not self.estimators or not all(
            isinstance(pair, tuple) and len(pair) == 2 for pair in self.estimators
        ):
            raise ValueError(
                f"estimators must be a list of (name, meta-learner), got {self.estimators!r}."
            )
        self._validate_names([name for name, _ in self.estimators])
        for name, estimator in self.estimators:
            if not isinstance(estimator, BaseMetaLearner):
                raise TypeError(f"Estimator {name!r} must be a meta-learner, got {estimator!r}.")
            if is_classifier(estimator) != is_classifier(self):
                kind = "classifier" if is_classifier(self) else "regressor"
                raise ValueError(f"Estimator {name!r} must be a {kind}, got {estimator!r}.")


@fill_docstring
class MetaStackingRegressor(_NamedEstimators, _RegressorMixture):
    r"""Weighted mean of meta-learners, with weights learned on tasks that they have not seen.

    The training tasks are divided into folds. Each candidate is fitted on the tasks of the other
    folds, adapted to a few rows of each task of the fold, and predicts others. The weights are not
    negative, have the sum one, and minimise the mean squared error of the mixture [1]_ [2]_ at each
    number of shots, shrunken towards weights that all numbers of shots share; between numbers of
    shots they are interpolated, and beyond the largest the weight of what ignores the support goes
    down. Then the candidates are fitted on all tasks.

    A guard keeps the mixture from being worse than the best :class:`PooledRegressor`, which ignores
    the support. A candidate that alone is worse than that by two standard errors over tasks has no
    weight. The weights of the others are reduced as far as together they do not beat it by more
    than a standard error (two for first rows), estimated with weights that have not seen the tasks.

    Parameters
    ----------
    estimators : list of (str, meta-learner) or None, default=None
        The candidates. With `guard`, a :class:`PooledRegressor` named "pooled" is added unless
        there is one. None stands for it and a :class:`MetaRidgeRegressor`.
    {{shots}}
    {{n_folds}}
    {{support_strategy}}
    {{guard}}
    {{preprocessor}}
    {{random_state}}

    Attributes
    ----------
    {{estimators_}}
    {{named_estimators_}}
    {{shots_}}
    {{weights_}}
    {{report_}}
    {{common_attributes}}

    See Also
    --------
    AutoMetaRegressor : Chooses its candidates itself.
    sklearn.ensemble.StackingRegressor : One table, and a model on top of the candidates.

    Notes
    -----
    A single table, or tasks too small to be divided, leave nothing to validate on: then the pooled
    model is trusted, or without `guard` all candidates alike.

    References
    ----------
    .. [1] Wolpert (1992). Stacked generalization. Neural Networks 5, 241-259.
    .. [2] Breiman (1996). Stacked regressions. Machine Learning 24, 49-64.

    Examples
    --------
    >>> from skmeta import MetaRidgeRegressor, MetaStackingRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=40, random_state=0)
    >>> diagonal = MetaRidgeRegressor(covariance="diagonal")
    >>> candidates = [("full", MetaRidgeRegressor()), ("diagonal", diagonal)]
    >>> meta = MetaStackingRegressor(candidates, shots=[5]).fit(tasks[:30])
    >>> meta.report_.names, meta.report_.best
    (['pooled', 'full', 'diagonal'], 'diagonal')
    >>> model = meta.fit_adapt(tasks[35].X[:5], tasks[35].y[:5])
    >>> mean, std = model.predict(tasks[35].X[5:], return_std=True)
    """

    def _pooled(self) -> PooledRegressor:
        return PooledRegressor()

    def _linear(self) -> MetaRidgeRegressor:
        return MetaRidgeRegressor()


@fill_docstring
class MetaStackingClassifier(_NamedEstimators, _ClassifierMixture):
    r"""Logarithmic pool of meta-learners' probabilities, with weights learned out of task.

    The probability of a class is proportional to the product of what the candidates say, each to
    the power of its weight [2]_. Candidates that know different things so make each other surer,
    which a mean of probabilities never does.

    The training tasks are divided into folds. Each candidate is fitted on the tasks of the other
    folds, adapted to a few rows of each task of the fold, and predicts others. The weights are not
    negative and minimise the log-loss of the pool [1]_ at each number of shots, shrunken towards
    weights that all numbers of shots share; between numbers of shots they are interpolated, and
    beyond the largest the weight of what ignores the support goes down. Then the candidates are
    fitted on all tasks.

    A guard keeps the mixture from being worse than the best :class:`PooledClassifier`, which
    ignores the support. A candidate that alone is worse than that by two standard errors over tasks
    has no weight. The weights of the others are reduced as far as together they do not beat it by
    more than a standard error (two for first rows), estimated with weights that have not seen the
    tasks.

    Parameters
    ----------
    estimators : list of (str, meta-learner) or None, default=None
        The candidates. With `guard`, a :class:`PooledClassifier` named "pooled" is added unless
        there is one. None stands for it and a :class:`MetaLogisticRegression`.
    {{shots}}
    {{n_folds}}
    support_strategy : {"random", "first"}, default="random"
        How the rows of a new task will come: at random, or as the first ones in the order of the
        table (growth, time). Supports for validation are drawn that way, whatever their classes.
    {{guard}}
    {{preprocessor}}
    {{random_state}}

    Attributes
    ----------
    {{classes_}}
    estimators_ : list of meta-learner or None
        The candidates, fitted on all tasks; None for those without weight. Their classes are codes,
        which number `classes_`.
    {{named_estimators_}}
    {{shots_}}
    weights_ : ndarray of shape (n_shots, n_candidates)
        Weights at these numbers. Their sum says how sure the pool is: below one where candidates
        are too sure, above one where they know different things.
    {{report_}}
    {{common_attributes}}

    See Also
    --------
    AutoMetaClassifier : Chooses its candidates itself.
    sklearn.ensemble.StackingClassifier : One table, and a model on top of the candidates.

    Notes
    -----
    A single table, or tasks too small to be divided, leave nothing to validate on: then the pooled
    model is trusted, or without `guard` all candidates alike.

    References
    ----------
    .. [1] Wolpert (1992). Stacked generalization. Neural Networks 5, 241-259.
    .. [2] Genest & Zidek (1986). Combining probability distributions: a critique and an annotated
       bibliography. Statistical Science 1, 114-135.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta import MetaLogisticRegression, MetaStackingClassifier
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=40, n_rows=30, random_state=0)
    >>> tasks = tasks.with_storage(y=np.where(tasks.y > 0, "ill", "well"))
    >>> candidates = [("logistic", MetaLogisticRegression())]
    >>> meta = MetaStackingClassifier(candidates, shots=[10]).fit(tasks[:30])
    >>> meta.report_.names, meta.report_.best
    (['pooled', 'logistic'], 'logistic')
    >>> meta.fit_adapt(tasks[35].X[:10], tasks[35].y[:10]).predict_proba(tasks[35].X[:3]).shape
    (3, 2)
    """

    def _pooled(self) -> PooledClassifier:
        return PooledClassifier()

    def _linear(self) -> MetaLogisticRegression:
        return MetaLogisticRegression()

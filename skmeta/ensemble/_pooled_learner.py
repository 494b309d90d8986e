"""Ordinary models as meta-learners: fitted on the rows of all tasks, adaptation does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import GroupKFold
from sklearn.utils._param_validation import HasMethods, StrOptions

from skmeta.base import BaseMetaLearner, MetaRegressorMixin, SharedClassesMixin
from skmeta.base._docstrings import fill_docstring
from skmeta.tasks import TaskCollection

_N_FOLDS = 3
_MAX_TREES = 200
# Boosting grows no tree that is worth its time on fewer rows (ten leaves of the smallest size).
_MIN_ROWS = 200
_BOOSTING = {
    "learning_rate": 0.06,
    "max_iter": _MAX_TREES,
    "max_leaf_nodes": 15,
    "l2_regularization": 1.0,
    "random_state": 0,
}


class Fold(NamedTuple):
    """Rows of some tasks, and of the tasks that are held out."""

    X: np.ndarray
    y: np.ndarray
    X_held: np.ndarray
    y_held: np.ndarray


class BasePooled(BaseMetaLearner):
    """Base class: everything but what depends on the kind of target."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaLearner._parameter_constraints,
        "estimator": [StrOptions({"auto", "linear", "boosting"}), HasMethods(["fit", "predict"])],
    }
    _shared_docs: ClassVar[dict] = {
        "n_support_": """
            n_support_ : int
                Number of rows given to `fit_adapt`; 0 before. They change nothing.""",
    }

    def __init__(self, estimator: Any = "auto", *, preprocessor: Any = "auto"):
        self.estimator = estimator
        self.preprocessor = preprocessor

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        if not isinstance(self.estimator, str):
            model = clone(self.estimator)
        else:
            model = self._choose(tasks)
        if is_classifier(self) and len(self.classes_) == 1:  # others refuse to learn one class
            model = DummyClassifier(strategy="prior")
        self.estimator_ = model.fit(tasks.X, tasks.y)

    def _choose(self, tasks: TaskCollection) -> Any:
        """The unfitted model that predicts the rows of held-out tasks best."""
        is_large = len(tasks) >= _N_FOLDS and tasks.n_rows >= _MIN_ROWS
        if self.estimator == "linear" or (self.estimator == "auto" and not is_large):
            return self._linear()
        if len(tasks) < _N_FOLDS:
            return self._boosting()
        folds = list(_folds(tasks))
        n_trees, loss = _best_number_of_trees(self._boosting(), folds)
        if self.estimator == "auto" and _loss(self._linear(), folds) < loss:
            return self._linear()
        return self._boosting().set_params(max_iter=n_trees)

    def _linear(self) -> Any:
        raise NotImplementedError

    def _boosting(self) -> Any:
        raise NotImplementedError

    def _adapt(self, X: np.ndarray, y: np.ndarray) -> None:
        """Nothing is special about a task."""


@fill_docstring
class PooledRegressor(MetaRegressorMixin, BasePooled):
    """An ordinary regressor on the rows of all tasks; adapting to a task changes nothing.

    It is what a meta-learner has to beat: where it does not, the few rows of a new task say nothing
    that is worth learning. In :class:`MetaStackingRegressor` it is a candidate, and the reference
    of the guard.

    Parameters
    ----------
    estimator : {"auto", "linear", "boosting"} or regressor, default="auto"
        "linear" stands for :class:`~sklearn.linear_model.RidgeCV`, "boosting" for
        :class:`~sklearn.ensemble.HistGradientBoostingRegressor` with the number of trees that
        predicts held-out tasks best, "auto" for the better of the two on held-out tasks (the linear
        one if there are fewer than 3 tasks or 200 rows). A regressor is cloned.
    {{preprocessor}}

    Attributes
    ----------
    estimator_ : regressor
        The model, fitted on the rows of all tasks.
    {{common_attributes}}

    Examples
    --------
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.ensemble import PooledRegressor
    >>> tasks = make_linear_tasks(n_tasks=50, random_state=0)
    >>> meta = PooledRegressor("linear").fit(tasks[:40])
    >>> model = meta.fit_adapt(tasks[45].X[:5], tasks[45].y[:5])
    >>> bool((model.predict(tasks[45].X) == meta.predict(tasks[45].X)).all())
    True
    """

    def predict(self, X: Any) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        y : ndarray of shape (n_query,)
        """
        X = self._validate_query(X)
        return self.estimator_.predict(X)

    def _linear(self) -> RidgeCV:
        return RidgeCV(np.logspace(-2, 4, 13))

    def _boosting(self) -> HistGradientBoostingRegressor:
        return HistGradientBoostingRegressor(**_BOOSTING, early_stopping=False)


@fill_docstring
class PooledClassifier(SharedClassesMixin, BasePooled):
    """An ordinary classifier on the rows of all tasks; adapting to a task changes nothing.

    It is what a meta-learner has to beat: where it does not, the few rows of a new task say nothing
    that is worth learning. In :class:`MetaStackingClassifier` it is a candidate, and the reference
    of the guard.

    Parameters
    ----------
    estimator : {"auto", "linear", "boosting"} or classifier, default="auto"
        "linear" stands for :class:`~sklearn.linear_model.LogisticRegression`, "boosting" for
        :class:`~sklearn.ensemble.HistGradientBoostingClassifier` with the number of trees that
        predicts held-out tasks best, "auto" for the better of the two on held-out tasks (the linear
        one if there are fewer than 3 tasks or 200 rows). A classifier is cloned; it needs
        `predict_proba`.
    {{preprocessor}}

    Attributes
    ----------
    {{classes_}}
    estimator_ : classifier
        The model, fitted on the rows of all tasks.
    {{common_attributes}}

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.ensemble import PooledClassifier
    >>> tasks = make_linear_tasks(n_tasks=50, random_state=0)
    >>> tasks = tasks.with_storage(y=np.where(tasks.y > 0, "ill", "well"))
    >>> meta = PooledClassifier("linear").fit(tasks[:40])
    >>> meta.predict_proba(tasks[45].X[:3]).shape
    (3, 2)
    """

    _learns = "a pooled model"
    _least_classes = 1

    _parameter_constraints: ClassVar[dict] = {
        **BasePooled._parameter_constraints,
        "estimator": [
            StrOptions({"auto", "linear", "boosting"}),
            HasMethods(["fit", "predict_proba"]),
        ],
    }

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
        proba = np.zeros((len(X), len(self.classes_)))
        proba[:, self.estimator_.classes_] = self.estimator_.predict_proba(X)
        return proba

    def _linear(self) -> LogisticRegression:
        return LogisticRegression(max_iter=1000)

    def _boosting(self) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(**_BOOSTING, early_stopping=False)


# ---------------------------------------------------------------------- held-out tasks


def _folds(tasks: TaskCollection) -> Iterator[Fold]:
    X, y = tasks.X, tasks.y
    for train, held in GroupKFold(_N_FOLDS).split(X, y, tasks.row_task):
        yield Fold(X[train], y[train], X[held], y[held])


def _best_number_of_trees(model: Any, folds: list[Fold]) -> tuple[int, float]:
    """The number of trees of least loss on held-out tasks, and that loss."""
    model = clone(model).set_params(early_stopping=True, n_iter_no_change=25)
    curves = np.empty((len(folds), _MAX_TREES + 1))
    for curve, fold in zip(curves, folds, strict=True):
        fold = _with_known_classes(fold) if is_classifier(model) else fold
        model.fit(fold.X, fold.y, X_val=fold.X_held, y_val=fold.y_held)
        found = -model.validation_score_
        curve[: len(found)] = found
        curve[len(found) :] = found[-1]  # it stopped early: more trees do not help
    mean = curves.mean(axis=0)
    best = max(1, int(mean.argmin()))
    # Boosting reports half of the squared error.
    return best, mean[best] * (1.0 if is_classifier(model) else 2.0)


def _with_known_classes(fold: Fold) -> Fold:
    known = np.isin(fold.y_held, fold.y)
    return fold._replace(X_held=fold.X_held[known], y_held=fold.y_held[known])


def _loss(model: Any, folds: list[Fold]) -> float:
    """Mean loss on held-out tasks: squared error or log-loss."""
    losses = []
    for fold in folds:
        if is_classifier(model):
            fold = _with_known_classes(fold)
            model.fit(fold.X, fold.y)
            proba = model.predict_proba(fold.X_held)
            losses.append(log_loss(fold.y_held, proba, labels=model.classes_))
        else:
            said = model.fit(fold.X, fold.y).predict(fold.X_held)
            losses.append(mean_squared_error(fold.y_held, said))
    return float(np.mean(losses))

"""Ordinary models as meta-learners: fitted on the rows of all tasks, adaptation does nothing."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.utils._param_validation import HasMethods, StrOptions

from skmeta.base import MetaRegressorMixin, SharedClassesMixin, TablePreprocessor
from skmeta.base._docstrings import fill_docstring
from skmeta.ensemble._columns import DenseColumns
from skmeta.ensemble._pooled import (
    FittedModel,
    Rows,
    fit_linear,
    out_of_task_loss,
    pool_linear,
    pool_trees,
)
from skmeta.ensemble._tree_rows import TreeRowsLearner
from skmeta.tasks import TaskCollection

_SEED = 0


class BasePooled(TreeRowsLearner):
    """Base class: everything but what depends on the kind of target."""

    _parameter_constraints: ClassVar[dict] = {
        **TreeRowsLearner._parameter_constraints,
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
        self._model = self._fit_own(tasks) if self._is_own else self._fit_given(tasks)
        self.estimator_ = self._model.estimator

    def _fit_given(self, tasks: TaskCollection) -> FittedModel:
        model = clone(self.estimator)
        if is_classifier(self) and len(self.classes_) == 1:  # others refuse to learn one class
            model = DummyClassifier(strategy="prior")
        return FittedModel(model.fit(tasks.X, tasks.y), "trees", self._n_classes())

    def _fit_own(self, tasks: TaskCollection) -> Any:
        """The model that is asked for, or the one that predicts held-out tasks better."""
        self._dense = DenseColumns(self._n_categorical, max_columns=None).fit(tasks.X)
        rows, y, row_task = self._rows(tasks.X), tasks.y, tasks.row_task
        n_classes = self._n_classes()
        if self.estimator == "linear":
            return fit_linear(rows, y, n_classes)
        trees = pool_trees(rows, y, row_task, self._n_categorical, n_classes, _SEED)
        if self.estimator == "boosting":
            return trees.model
        linear = pool_linear(rows, y, row_task, n_classes)
        both = (linear, trees)
        return min(both, key=lambda one: out_of_task_loss(one.out_of_task, y, n_classes)).model

    @property
    def _is_own(self) -> bool:
        """Whether the model is one of ours, not a given estimator."""
        return isinstance(self.estimator, str)

    def _n_classes(self) -> int | None:
        return len(self.classes_) if is_classifier(self) else None

    def _rows(self, X: np.ndarray) -> Rows:
        return super()._rows(X) if self._is_own else Rows(X, X)

    def _make_auto_preprocessor(self) -> TablePreprocessor:
        """A given estimator gets numbers without gaps."""
        return super()._make_auto_preprocessor() if self._is_own else TablePreprocessor()

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
        predicts held-out tasks best (for fewer than 100 rows: the mean), "auto" for the better of
        the two on held-out tasks. A regressor is cloned.
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
        rows = self._rows(self._validate_query(X))
        return self._model(rows)[:, 0]


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
        predicts held-out tasks best (for fewer than 100 rows: the frequencies of the classes),
        "auto" for the better of the two on held-out tasks. A classifier is cloned; it needs
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
        rows = self._rows(self._validate_query(X))
        return self._model.predict_proba(rows)

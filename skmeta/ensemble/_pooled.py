"""Pooled models, blind to tasks: what is predicted for a new task before its first row.

Each comes with its predictions for the training rows, made by models that have not seen the row's
task. Residuals of the model itself would be far smaller than those of a new task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GroupKFold

Array = NDArray[np.floating]

_N_TREES = (10, 25, 50, 100, 200)
_LEAST_PROBA = 1e-5
# With fewer rows, five of the smallest leaves, trees say little that is worth their time.
_LEAST_ROWS = 100
# With more rows than this, fewer folds do.
_MANY_ROWS = 3000


class Rows(NamedTuple):
    """Rows as trees and as linear models want them."""

    trees: Array
    dense: Array

    def take(self, rows: Any) -> Rows:
        """Some of the rows."""
        return Rows(self.trees[rows], self.dense[rows])


class Model(Protocol):
    """A fitted pooled model: predictions of shape (n_rows, n_outputs)."""

    def __call__(self, rows: Rows) -> Array: ...


class PooledModel(NamedTuple):
    """A model of all training rows, and its predictions for them out of task."""

    model: Model
    out_of_task: Array  # (n_rows, n_outputs)


def folds(row_task: NDArray[np.intp]) -> Iterator[tuple[Any, Any]]:
    """Training and held-out rows, such that a task's rows are on one side.

    With a single task each row stands for a task, and halves do, as there are no other tasks to
    learn for; with a single row there are no folds.
    """
    one_task = row_task.max(initial=0) == 0
    groups = np.arange(len(row_task)) if one_task else row_task
    n_folds = 2 if one_task else 3 if len(groups) > _MANY_ROWS else 5
    n_folds = min(n_folds, int(groups.max(initial=0)) + 1)
    if n_folds > 1:
        yield from GroupKFold(n_folds).split(np.zeros(len(groups)), groups=groups)


def pool_trees(
    rows: Rows,
    y: Array,
    row_task: NDArray[np.intp],
    n_categorical: int,
    n_classes: int | None,
    seed: int,
    max_bins: int = 255,
) -> PooledModel:
    """Boosted trees, as many as predict new tasks best; the mean where rows are very few.

    Parameters
    ----------
    rows : Rows
    y : ndarray of shape (n_rows,)
        Numbers, or class codes.
    row_task : ndarray of int of shape (n_rows,)
    n_categorical : int
        How many of the last columns for trees are codes of categories.
    n_classes : int or None
        None for numbers. Predictions are log probabilities otherwise.
    seed : int
        Seed of the trees' own randomness.
    max_bins : int, default=255
        Values of a column that trees tell apart.

    Returns
    -------
    pooled : PooledModel
    """
    n_columns = rows.trees.shape[1]
    kind = HistGradientBoostingRegressor if n_classes is None else HistGradientBoostingClassifier

    def fit_constant(chosen: Any) -> FittedModel:
        constant = DummyRegressor() if n_classes is None else DummyClassifier()
        return FittedModel(constant.fit(rows.trees[chosen], y[chosen]), "trees", n_classes)

    def fit(chosen: Any, n_trees: int, start: FittedModel | None = None) -> FittedModel:
        X, target = rows.trees[chosen], y[chosen]
        if n_classes is not None and len(np.unique(target)) < 2:
            return fit_constant(chosen)
        trees = (
            start.estimator
            if start
            else kind(
                learning_rate=0.06,
                max_leaf_nodes=15,
                l2_regularization=1.0,
                max_bins=max_bins,
                early_stopping=False,
                categorical_features=list(range(n_columns - n_categorical, n_columns)) or None,
                warm_start=True,
                random_state=seed,
            )
        )
        return FittedModel(trees.set_params(max_iter=n_trees).fit(X, target), "trees", n_classes)

    parts = list(folds(row_task))
    if len(y) < _LEAST_ROWS:
        return _out_of_folds(fit_constant, rows, parts)
    models: list[FittedModel | None] = [None] * len(parts)
    best, least, out_of_task = 0, np.inf, np.empty((0, 0))
    for n_trees in _N_TREES:
        found = np.zeros((len(y), 1 if n_classes is None else n_classes))
        for i, (train, held) in enumerate(parts):
            models[i] = fitted = fit(train, n_trees, models[i])
            found[held] = fitted(rows.take(held))
        loss = out_of_task_loss(found, y, n_classes)
        if loss >= least:  # more trees fit the training tasks, not new ones
            break
        best, least, out_of_task = n_trees, loss, found
    return PooledModel(fit(slice(None), best), out_of_task)


def pool_linear(
    rows: Rows, y: Array, row_task: NDArray[np.intp], n_classes: int | None
) -> PooledModel:
    """Ridge or logistic regression on the scaled columns; parameters as in `pool_trees`."""

    def fit(chosen: Any) -> FittedModel:
        return fit_linear(rows.take(chosen), y[chosen], n_classes)

    return _out_of_folds(fit, rows, folds(row_task))


def fit_linear(rows: Rows, y: Array, n_classes: int | None) -> FittedModel:
    """Ridge or logistic regression alone, which costs a fraction of predictions out of task."""
    linear: Any = RidgeCV(np.logspace(-2, 4, 13))
    if n_classes is not None:
        # What departs from this model is small: its own error must be smaller.
        linear = LogisticRegression(tol=1e-6, max_iter=1000)
        if len(np.unique(y)) < 2:
            linear = DummyClassifier()
    return FittedModel(linear.fit(rows.dense, y), "dense", n_classes)


def _out_of_folds(
    fit: Callable[[Any], FittedModel], rows: Rows, parts: Iterable[tuple[Any, Any]]
) -> PooledModel:
    """A model of all rows, and its predictions for folds that it has not seen."""
    model = fit(slice(None))
    out_of_task = model(rows)  # stands where there are no folds
    for train, held in parts:
        out_of_task[held] = fit(train)(rows.take(held))
    return PooledModel(model, out_of_task)


class FittedModel(NamedTuple):
    """A fitted estimator, and which columns it takes."""

    estimator: Any
    columns: str
    n_classes: int | None

    def __call__(self, rows: Rows) -> Array:
        if self.n_classes is None:
            return self.estimator.predict(getattr(rows, self.columns))[:, None]
        proba = np.clip(self.predict_proba(rows), _LEAST_PROBA, None)
        return np.log(proba / proba.sum(axis=1, keepdims=True))

    def predict_proba(self, rows: Rows) -> Array:
        """Probabilities of all classes, also those that the model's rows did not have."""
        assert self.n_classes is not None
        proba = np.zeros((len(rows.trees), self.n_classes))
        known = self.estimator.classes_.astype(np.intp)
        proba[:, known] = self.estimator.predict_proba(getattr(rows, self.columns))
        return proba


def out_of_task_loss(prediction: Array, y: Array, n_classes: int | None) -> float:
    """Mean squared error, or log-loss, of predictions as a :class:`PooledModel` has them."""
    if n_classes is None:
        return float(np.mean((prediction[:, 0] - y) ** 2))
    codes = y.astype(np.intp)[:, None]
    return float(-np.mean(np.take_along_axis(prediction, codes, axis=1)))

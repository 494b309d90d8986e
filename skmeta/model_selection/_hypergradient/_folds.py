"""A dataset cut into folds, ready for a net to be trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, indexable

from skmeta.model_selection._hypergradient._unroll import Outcome, train

Rows = tuple[Any, Any, Any, Any]


def split_folds(estimator: Any, X: Any, y: Any, cv: Any) -> list[Rows]:
    """Training and validation rows of each fold, as the net at the end of a pipeline gets them.

    Parameters
    ----------
    estimator : NeuralNet or Pipeline
        The steps of a pipeline before the net are fitted to the training rows of each fold.
    X, y : dataset
    cv : int, cross-validation generator or iterable
    """
    X, y = indexable(X, y)
    folds = []
    for parts in check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y):
        (X_train, X_valid), (y_train, y_valid) = (
            [_safe_indexing(values, part) for part in parts] for values in (X, y)
        )
        if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
            before = clone(estimator[:-1])
            X_train = before.fit_transform(X_train, y_train)
            X_valid = before.transform(X_valid)
        folds.append((X_train, y_train, X_valid, y_valid))
    return folds


def net_of(estimator: Any) -> Any:
    """The net at the end of a pipeline, or the estimator itself."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def run_fold(
    estimator: Any, fold: Rows, values: dict[str, float], seed: int, with_gradient: bool
) -> Outcome:
    """Train the net of an estimator on a fold."""
    return train(net_of(estimator), fold, values, seed=seed, with_gradient=with_gradient)


def draw_seeds(rng: np.random.RandomState, *shape: int) -> np.ndarray:
    """Seeds for torch."""
    return rng.randint(np.iinfo(np.int32).max, size=shape)

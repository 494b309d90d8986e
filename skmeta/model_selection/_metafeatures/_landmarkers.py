"""Landmarkers: how well quick and simple learners do on a dataset."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skmeta.model_selection._metafeatures._dataset import Dataset

_CLASSIFIERS: dict[str, BaseEstimator] = {
    "stump": DecisionTreeClassifier(max_depth=1, random_state=0),
    "tree": DecisionTreeClassifier(max_depth=6, min_samples_leaf=2, random_state=0),
    "nearest": KNeighborsClassifier(n_neighbors=1),
    "linear": RidgeClassifier(),
    "naive_bayes": GaussianNB(),
}
_REGRESSORS: dict[str, BaseEstimator] = {
    "stump": DecisionTreeRegressor(max_depth=1, random_state=0),
    "tree": DecisionTreeRegressor(max_depth=6, min_samples_leaf=2, random_state=0),
    "nearest": KNeighborsRegressor(n_neighbors=1),
    "linear": Ridge(),
}


def landmarking(dataset: Dataset, n_splits: int, random_state: int) -> dict[str, float]:
    """Cross-validated skill: 0 for always guessing the same, 1 for no error at all."""
    learners = _CLASSIFIERS if dataset.is_classification else _REGRESSORS
    features = dict.fromkeys((f"{name}_skill" for name in _CLASSIFIERS), np.nan)
    splits = _split(dataset, n_splits, random_state)
    if not splits or not dataset.encoded.shape[1] or np.ptp(dataset.target) == 0:
        return features
    for name, learner in learners.items():
        features[f"{name}_skill"] = _skill(learner, dataset, splits)
    return features


def _split(dataset: Dataset, n_splits: int, random_state: int) -> list:
    n_rows, rows = len(dataset.target), np.arange(len(dataset.target))
    n_splits = min(n_splits, n_rows)
    if n_splits < 2:
        return []
    can_stratify = dataset.is_classification and np.bincount(dataset.target).min() >= n_splits
    splitter = StratifiedKFold if can_stratify else KFold
    folds = splitter(n_splits, shuffle=True, random_state=random_state)
    return list(folds.split(rows, dataset.target))


def _skill(learner: BaseEstimator, dataset: Dataset, splits: list) -> float:
    """One less the ratio of its loss to that of a constant, at least -1."""
    X, y = dataset.encoded, dataset.target
    predicted = np.empty(len(y), dtype=np.float64)
    for train, test in splits:
        if np.ptp(y[train]) == 0:  # nothing to learn
            predicted[test] = y[train[0]]
            continue
        with warnings.catch_warnings():
            # Collinear columns are common in one-hot tables and do not matter for a landmark.
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            warnings.filterwarnings("ignore", message="Ill-conditioned matrix")
            warnings.filterwarnings("ignore", message="The number of unique classes")
            predicted[test] = learner.fit(X[train], y[train]).predict(X[test])
    if dataset.is_classification:
        loss, guess = np.mean(predicted != y), 1 - np.bincount(y).max() / len(y)
    else:
        loss, guess = np.mean((predicted - y) ** 2), np.var(y)
    return float(max(1 - loss / guess, -1.0))

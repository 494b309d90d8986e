"""Cheaper trials: giving up after some folds, and rungs over a resource."""

import numpy as np
import pytest
from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner, WilcoxonPruner
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from skmeta.model_selection import MetaSearchCV

X, y = load_iris(return_X_y=True)
SPACE = {"C": loguniform(1e-4, 1e3), "gamma": loguniform(1e-5, 1)}
CV = StratifiedKFold(5, shuffle=True, random_state=0)


def fold_scores(search):
    return np.array([search.cv_results_[f"split{i}_test_score"] for i in range(search.n_splits_)]).T


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("make_pruner", "n_jobs"),
    [(MedianPruner, 1), (MedianPruner, 2), (WilcoxonPruner, 1), (SuccessiveHalvingPruner, 1)],
)
def test_poor_trials_are_given_up_and_never_win(make_pruner, n_jobs):
    cv = StratifiedKFold(10, shuffle=True, random_state=0)
    search = MetaSearchCV(
        SVC(), SPACE, n_trials=15, cv=cv, random_state=0, pruner=make_pruner(), n_jobs=n_jobs
    ).fit(X, y)
    scores, pruned = fold_scores(search), search.cv_results_["pruned"]
    assert 0 < pruned.sum() < 15
    np.testing.assert_array_equal(np.isnan(scores).any(axis=1), pruned)
    for row in scores[pruned]:  # folds are run from the first on
        n_run = np.isfinite(row).sum()
        assert 0 < n_run < 10
        assert np.isfinite(row[:n_run]).all()
    assert not pruned[search.best_index_]
    ranks = search.cv_results_["rank_test_score"]
    assert ranks[pruned].min() > ranks[~pruned].max()
    assert search.best_score_ > 0.9


def test_a_pruner_that_never_prunes_changes_nothing():
    options = {"n_trials": 6, "cv": CV, "random_state": 0}
    plain = MetaSearchCV(SVC(), SPACE, **options).fit(X, y)
    patient = MetaSearchCV(SVC(), SPACE, pruner=NopPruner(), **options).fit(X, y)
    np.testing.assert_array_equal(fold_scores(plain), fold_scores(patient))


def test_the_pruner_is_told_means_so_far():
    search = MetaSearchCV(SVC(), SPACE, n_trials=2, cv=CV, random_state=0, pruner=NopPruner())
    search.fit(X, y)
    for trial, scores in zip(search.study_.trials, fold_scores(search), strict=True):
        means = np.cumsum(scores) / np.arange(1, 6)
        np.testing.assert_allclose([trial.intermediate_values[i + 1] for i in range(5)], means)


class Counting(ClassifierMixin, BaseEstimator):
    """Notes how many rows it was fitted on; larger `quality` scores better."""

    sizes: list = []

    def __init__(self, quality=0.0, steps=1, fails=False):
        self.quality = quality
        self.steps = steps
        self.fails = fails

    def fit(self, X, y):
        if self.fails:
            raise ValueError("Failing as asked")
        self.classes_ = np.unique(y)
        Counting.sizes.append((self.quality, len(X), self.steps))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return self.quality * self.steps


@pytest.mark.parametrize("resource", ["n_samples", "steps"])
def test_rungs_spend_more_on_what_is_good(resource):
    Counting.sizes.clear()
    rungs = [1 / 9, 1 / 3, 1] if resource == "n_samples" else [1, 3, 9]
    search = MetaSearchCV(
        Counting(), {"quality": list(np.arange(12) / 12)}, n_trials=12, cv=CV, random_state=0,
        resource=resource, rungs=rungs,
    ).fit(X, y)  # fmt: skip
    pruned = search.cv_results_["pruned"]
    assert 0 < pruned.sum() < 12
    scores = fold_scores(search)
    assert np.isnan(scores[pruned]).all()
    assert np.isfinite(scores[~pruned]).all()
    assert search.best_params_["quality"] == search.cv_results_["param_quality"][~pruned].max()
    amounts = {(size, steps) for _, size, steps in Counting.sizes[:-1]}
    if resource == "n_samples":
        assert amounts == {(13, 1), (40, 1), (120, 1)}
    else:
        assert amounts == {(120, 1), (120, 3), (120, 9)}
        assert search.best_params_["steps"] == 9
        assert search.best_estimator_.steps == 9
    for trial in search.study_.trials:  # by successive halving: a third at most of each rung
        assert set(trial.intermediate_values) <= ({13, 40, 120} | {1, 3, 9})


def test_rungs_of_training_rows_are_nested():
    seen = {}

    class Rows(Counting):
        def fit(self, X, y):
            seen.setdefault(len(X), set()).update(map(tuple, X))
            return super().fit(X, y)

    cv = [(np.arange(100), np.arange(100, 150))]
    unique = np.arange(300.0).reshape(150, 2)
    MetaSearchCV(Rows(), {"quality": [1.0]}, cv=cv, rungs=[0.1, 0.5, 1]).fit(unique, y)
    assert seen[10] < seen[50] < seen[100]


@pytest.mark.filterwarnings("ignore:.*non-finite")
def test_a_failing_trial_ends_at_once():
    Counting.sizes.clear()
    search = MetaSearchCV(
        Counting(), {"fails": [True, False]}, n_trials=2, cv=CV, pruner=MedianPruner()
    )
    with pytest.warns(FitFailedWarning, match="1 fits failed out of a total of 6"):
        search.fit(X, y)
    assert search.best_params_ == {"fails": False}


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("increasing positive numbers", {"rungs": [1, 0.5]}),
        ("increasing positive numbers", {"rungs": []}),
        ("that end with 1", {"rungs": [0.1, 0.5]}),
        ("must be integers", {"rungs": [0.1, 1], "resource": "n_estimators"}),
        ("or a parameter of the estimator", {"rungs": [1, 2], "resource": "n_trees"}),
        ("cannot be searched over", {"rungs": [1, 2], "resource": "max_depth"}),
    ],
)
def test_bad_rungs(message, options):
    search = MetaSearchCV(RandomForestClassifier(), {"max_depth": [1, 2]}, **options)
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)


def test_rungs_for_a_real_forest():
    search = MetaSearchCV(
        RandomForestClassifier(random_state=0), {"max_depth": [1, 3, None]}, n_trials=3, cv=3,
        rungs=[2, 6, 18], resource="n_estimators", pruner=NopPruner(),
    ).fit(X, y)  # fmt: skip
    assert not search.cv_results_["pruned"].any()
    assert len(search.best_estimator_.estimators_) == 18

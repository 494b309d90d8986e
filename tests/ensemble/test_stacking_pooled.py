"""Pooled models: ordinary estimators, which of them is chosen, and what adaptation does to them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV

from skmeta import PooledClassifier, PooledRegressor, TaskCollection

RNG = np.random.default_rng(0)
X = RNG.uniform(-2, 2, size=(600, 2))
OFFSETS = np.arange(0, 601, 20)
LINE = X @ [1.0, -1.0] + 0.3 * RNG.normal(size=600)
STEPS = 3.0 * (np.floor(2 * X[:, 0]) % 2) + 0.3 * RNG.normal(size=600)


def test_it_is_the_estimator_on_all_rows():
    tasks = TaskCollection(X, LINE, OFFSETS)
    meta = PooledRegressor(Ridge(), preprocessor=None).fit(tasks)
    expected = Ridge().fit(X, LINE).predict(X)
    assert_allclose(meta.predict(X), expected)
    assert_array_equal(meta.fit_adapt(X[:5], -LINE[:5]).predict(X), meta.predict(X))


def test_it_is_the_classifier_on_all_rows():
    tasks = TaskCollection(X, LINE > 0, OFFSETS)
    meta = PooledClassifier(LogisticRegression(), preprocessor=None).fit(tasks)
    expected = LogisticRegression().fit(X, LINE > 0).predict_proba(X)
    assert_allclose(meta.predict_proba(X), expected)
    assert_array_equal(meta.fit_adapt(X[:5], LINE[:5] < 0).predict_proba(X), expected)


@pytest.mark.parametrize(("y", "kind"), [(LINE, RidgeCV), (STEPS, HistGradientBoostingRegressor)])
def test_auto_takes_what_predicts_other_tasks_better(y, kind):
    meta = PooledRegressor().fit(TaskCollection(X, y, OFFSETS))
    assert isinstance(meta.estimator_, kind)


@pytest.mark.parametrize(
    ("y", "kind"),
    [(LINE > 0, LogisticRegression), (STEPS > 1.5, HistGradientBoostingClassifier)],
)
def test_auto_takes_what_classifies_other_tasks_better(y, kind):
    meta = PooledClassifier().fit(TaskCollection(X, y, OFFSETS))
    assert isinstance(meta.estimator_, kind)


def test_trees_stop_where_held_out_tasks_gain_nothing():
    noise = TaskCollection(X, RNG.normal(size=600), OFFSETS)
    assert PooledRegressor("boosting").fit(noise).estimator_.n_iter_ < 20
    steps = TaskCollection(X, STEPS, OFFSETS)
    assert PooledRegressor("boosting").fit(steps).estimator_.n_iter_ > 40


def test_classes_of_a_single_task():
    y = (LINE > 0).astype(int)
    y[:20] = 2  # held out, nobody knows this class
    meta = PooledClassifier().fit(TaskCollection(X, y, OFFSETS))
    assert meta.predict_proba(X).shape == (600, 3)


def test_errors():
    tasks = TaskCollection(X, LINE, OFFSETS)
    with pytest.raises(ValueError, match="'estimator' parameter of PooledRegressor"):
        PooledRegressor("forest").fit(tasks)

"""Ridge heads: their limits, what arrives later, and what they reach."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.linear_model import Ridge
from torch import nn

from skmeta import (
    RidgeHeadClassifier,
    RidgeHeadRegressor,
    TaskCollection,
    make_n_way_tasks,
)
from skmeta.datasets import make_linear_tasks, make_sinusoid_tasks
from skmeta.model_selection import few_shot_scorer


@pytest.mark.parametrize("normalize_y", [True, False])
@pytest.mark.parametrize("n_rows", [1, 3, 12])
def test_the_limit_is_ridge(normalize_y, n_rows):
    tasks = make_linear_tasks(6, n_rows, random_state=0)
    meta = RidgeHeadRegressor(
        module=None, alpha=0.7, learn_prior=False, preprocessor=None, normalize_y=normalize_y
    ).fit(tasks)
    X_query = np.random.default_rng(0).normal(size=(5, 3))
    for model, task in zip(meta.fit_adapt_many(tasks), tasks, strict=True):
        expected = Ridge(alpha=0.7).fit(task.X, task.y).predict(X_query)
        np.testing.assert_allclose(model.predict(X_query), expected, rtol=1e-6)
    np.testing.assert_allclose(meta.predict(X_query), tasks.y.mean() if normalize_y else 0.0)


def test_the_head_of_a_linear_family_is_learned():
    tasks = make_linear_tasks(400, 20, spread=0.1, noise=0.1, random_state=0)
    meta = RidgeHeadRegressor(
        module=None,
        preprocessor=None,
        normalize_y=False,
        n_support=2,
        lr=0.02,
        max_epochs=40,
        random_state=0,
    ).fit(tasks[:300])
    coef = [np.linalg.lstsq(np.c_[np.ones(20), t.X], t.y, rcond=None)[0] for t in tasks[:300]]
    prior = meta.state_
    learned = np.r_[prior["intercept"].flatten(), prior["weight"].flatten()]
    np.testing.assert_allclose(learned, np.mean(coef, axis=0), atol=0.05)
    assert few_shot_scorer(n_support=2)(meta, tasks[300:]) > 0.9


@pytest.fixture(scope="module")
def sinusoids():
    tasks = make_sinusoid_tasks(1000, random_state=0)
    return RidgeHeadRegressor(max_epochs=25, lr=3e-3, random_state=0).fit(tasks)


def test_sinusoids(sinusoids):
    tasks = make_sinusoid_tasks(100, random_state=1)

    def error(n_support):
        scorer = few_shot_scorer(n_support, scoring="neg_mean_squared_error")
        return -scorer(sinusoids, tasks)

    assert error(10) < 0.3
    assert error(0) > 1.0


@pytest.mark.parametrize("sizes", [[0, 10], [3, 7], [1] * 10])
def test_rows_one_by_one(sinusoids, sizes):
    task = make_sinusoid_tasks(1, 100, random_state=2)[0]
    model, start = sinusoids, 0
    for size in sizes:
        if size:
            rows = slice(start, start + size)
            model = model.partial_adapt(task.X[rows], task.y[rows])
            start += size
    whole = sinusoids.fit_adapt(task.X[:10], task.y[:10])
    assert model.n_support_ == whole.n_support_ == 10
    np.testing.assert_allclose(model.predict(task.X), whole.predict(task.X), rtol=1e-8, atol=1e-10)
    assert sinusoids.n_support_ == 0


def test_partial_adapt_checks_its_rows(sinusoids):
    with pytest.raises(ValueError, match="features"):
        sinusoids.partial_adapt(np.zeros((2, 3)), [0.0, 1.0])
    with pytest.raises(ValueError, match="2 outputs"):
        sinusoids.partial_adapt(np.zeros((2, 1)), np.zeros((2, 2)))


def n_way():
    X, y = make_blobs(600, n_features=3, centers=8, cluster_std=0.7, random_state=0)
    tasks = make_n_way_tasks(
        X[y < 4], y[y < 4], n_way=2, n_support=5, n_query=10, n_tasks=50, random_state=0
    )
    return X, y, RidgeHeadClassifier(max_epochs=5, random_state=0).fit(tasks)


def test_any_number_of_classes():
    X, y, meta = n_way()
    rows = np.flatnonzero(y >= 3)
    model = meta.fit_adapt(X[rows[:60]], y[rows[:60]])
    assert model.classes_.tolist() == [3, 4, 5, 6, 7]
    assert model.score(X[rows[60:]], y[rows[60:]]) > 0.9


def test_classes_that_arrive_later():
    X, y, meta = n_way()
    rows = np.flatnonzero(y >= 3)[:60]
    by_class = rows[np.argsort(-y[rows], kind="stable")]  # the last class first
    model = meta
    for part in np.array_split(by_class, 7):
        model = model.partial_adapt(X[part], y[part])
    whole = meta.fit_adapt(X[rows], y[rows])
    assert model.classes_.tolist() == whole.classes_.tolist()
    np.testing.assert_allclose(model.predict_proba(X), whole.predict_proba(X), rtol=1e-6)


def test_shared_classes_have_a_prior():
    X, y = make_blobs(400, n_features=3, centers=3, cluster_std=0.7, random_state=0)
    tasks = TaskCollection.from_arrays(X, y, np.arange(400) % 20)
    meta = RidgeHeadClassifier(max_epochs=20, lr=3e-3, random_state=0).fit(tasks)
    assert meta.score(X, y) > 0.9
    model = meta.partial_adapt(X[:1], y[:1])
    whole = meta.fit_adapt(X[:1], y[:1])
    np.testing.assert_allclose(model.predict_proba(X), whole.predict_proba(X))
    # A class that no training task had starts from nothing.
    X_new = np.full((4, 3), 30.0)
    wider = model.partial_adapt(X_new, [-1] * 4)
    assert wider.classes_.tolist() == [-1, 0, 1, 2]
    assert set(wider.predict(X_new)) == {-1}
    # To the embedding, rows so far out look like one of the known classes: that one is lost.
    assert wider.score(X, y) > 0.6


def test_user_modules():
    tasks = make_sinusoid_tasks(20, random_state=0)

    class Narrow(nn.Sequential):
        """Computes fewer features than it is asked for."""

        def __init__(self, n_inputs, n_outputs):
            super().__init__(nn.Linear(n_inputs, 5), nn.BatchNorm1d(5), nn.Tanh())

    for module in (Narrow, nn.Sequential(nn.LazyLinear(7), nn.Dropout(0.1))):
        meta = RidgeHeadRegressor(module=module, max_epochs=2, random_state=0).fit(tasks)
        model = meta.fit_adapt([[0.0], [1.0]], [0.0, 1.0])
        assert np.isfinite(model.predict([[2.0]])).all()
        assert model.state_["weight"].dtype == torch.float32

"""Logistic regression and support vector machines on an embedding that is learned for them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from skmeta import (
    LogisticHeadClassifier,
    SVMHeadClassifier,
    TaskCollection,
    make_n_way_tasks,
    split_support_query,
)

HEADS = [LogisticHeadClassifier, SVMHeadClassifier]
_ids = {"ids": lambda cls: cls.__name__}


def fixed(cls, **options):
    return cls(module=None, preprocessor=None, learn_prior=False, **options)


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_the_limits_are_those_of_scikit_learn(alpha):
    X, y = make_blobs(60, n_features=3, centers=3, cluster_std=3.0, random_state=0)
    tasks = TaskCollection(X, y, [0, 30, 60])
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=30)
    augmented = np.column_stack([X, np.ones(60)])
    logistic = LogisticRegression(C=1 / alpha, fit_intercept=False, tol=1e-12, max_iter=10_000)
    logistic.fit(augmented[:30], y[:30], sample_weight=weight)
    model = fixed(LogisticHeadClassifier, alpha=alpha).fit(tasks)
    model = model.fit_adapt(X[:30], y[:30], sample_weight=weight)
    assert_allclose(model.predict_proba(X), logistic.predict_proba(augmented), atol=1e-5)
    machine = LinearSVC(
        multi_class="crammer_singer", C=1 / alpha, tol=1e-9, max_iter=10**6, random_state=0
    ).fit(X[:30], y[:30])
    model = fixed(SVMHeadClassifier, alpha=alpha).fit(tasks).fit_adapt(X[:30], y[:30])
    assert_array_equal(model.predict(X), machine.predict(X))
    assert_allclose(model.state_["weight"][0].T, machine.coef_, atol=1e-4)


@pytest.mark.parametrize("cls", HEADS, **_ids)
def test_an_embedding_is_learned(cls):
    # Classes are rings: linear in what has to be learned, and not in the rows.
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(30), 20)
    radius, angle = 0.2 * y + 0.05 * rng.normal(size=600), rng.uniform(0, 2 * np.pi, 600)
    X = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    options = {"n_way": 3, "n_support": 3, "n_query": 5, "random_state": 0}
    train = make_n_way_tasks(X[y % 2 == 0], y[y % 2 == 0], n_tasks=100, **options)
    test = make_n_way_tasks(X[y % 2 == 1], y[y % 2 == 1], n_tasks=30, **options)
    plain = fixed(cls).fit(train).score(test)
    learned = cls(max_epochs=15, lr=5e-3, random_state=0).fit(train).score(test)
    assert learned > plain + 0.2


@pytest.mark.parametrize("cls", HEADS, **_ids)
def test_shared_classes_have_a_prior(cls):
    X, y = make_blobs(400, n_features=3, centers=3, cluster_std=0.7, random_state=0)
    tasks = TaskCollection.from_arrays(X, y, np.arange(400) % 20)
    meta = cls(max_epochs=60, lr=1e-2, random_state=0).fit(tasks)
    assert meta.score(X, y) > 0.9
    assert meta.fit_adapt(X[:2], y[:2]).score(X, y) > 0.9
    X_new = np.full((4, 3), 30.0)
    wider = meta.fit_adapt(np.r_[X[:6], X_new], np.r_[y[:6], [7] * 4])
    assert wider.classes_.tolist() == [0, 1, 2, 7]
    assert set(wider.predict(X_new)) == {7}


@pytest.mark.parametrize("cls", HEADS, **_ids)
def test_any_number_of_new_classes(cls):
    X, y = make_blobs(400, n_features=6, centers=20, random_state=0)
    tasks = make_n_way_tasks(X[y < 14], y[y < 14], n_way=3, n_query=5, n_tasks=60, random_state=0)
    meta = cls(max_epochs=3, random_state=0).fit(tasks)
    new = make_n_way_tasks(X[y > 13], y[y > 13], n_way=6, n_support=3, n_tasks=5, random_state=0)
    support, query = split_support_query(new, 18, stratify=True)
    for model, task in zip(meta.fit_adapt_many(support), query, strict=True):
        assert len(model.classes_) == 6
        assert model.score(task.X, task.y) > 0.9

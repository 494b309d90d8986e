"""Prototypes: nearest centroids, in plain or in learned space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neighbors import NearestCentroid

from skmeta import PrototypeClassifier, TaskCollection, make_n_way_tasks


@given(seed=st.integers(0, 1000), n_classes=st.integers(2, 5), scale=st.sampled_from([1.0, 1e6]))
@settings(deadline=None, max_examples=30)
def test_without_embedding_it_is_nearest_centroid(seed, n_classes, scale):
    rng = np.random.default_rng(seed)
    X, y = scale * rng.standard_normal((40, 3)), np.arange(40) % n_classes
    meta = PrototypeClassifier(module=None, preprocessor=None).fit(
        X, y, task_id=np.arange(40) // 20
    )
    model = meta.fit_adapt(X[:20], y[:20])
    expected = NearestCentroid().fit(X[:20], y[:20])
    assert_array_equal(model.predict(X), expected.predict(X))
    prototypes = model.state_["prototypes"][0].numpy()
    assert_allclose(prototypes, expected.centroids_, rtol=1e-12)
    distances = ((X[:, None] - prototypes) ** 2).sum(axis=2)
    with np.errstate(under="ignore"):
        proba = np.exp(distances.min(axis=1, keepdims=True) - distances)
    assert_allclose(model.predict_proba(X), proba / proba.sum(axis=1, keepdims=True), atol=1e-6)


def test_an_embedding_is_learned():
    # Classes differ in one direction; another one with a far larger spread means nothing.
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(30), 20)
    X = np.column_stack([y % 30 * 0.5, np.zeros(600)]) + rng.normal(size=(600, 2)) * [0.1, 10]
    options = {"n_way": 3, "n_support": 3, "n_query": 5, "random_state": 0}
    train = make_n_way_tasks(X[y % 2 == 0], y[y % 2 == 0], n_tasks=200, **options)
    test = make_n_way_tasks(X[y % 2 == 1], y[y % 2 == 1], n_tasks=100, **options)
    plain = PrototypeClassifier(module=None, preprocessor=None).fit(train).score(test)
    learned = PrototypeClassifier(max_epochs=15, random_state=0).fit(train).score(test)
    assert plain < 0.6
    assert learned > 0.9


@pytest.mark.parametrize("module", [None, "auto"])
def test_shared_classes_have_prior_prototypes(module):
    rng = np.random.default_rng(0)
    codes = np.arange(120) % 3
    X = 4.0 * np.eye(3)[codes] + 0.3 * rng.normal(size=(120, 3))
    y = np.array(["a", "c", "d"])[codes]
    tasks = TaskCollection(X, y, np.arange(0, 121, 12))
    meta = PrototypeClassifier(module=module, max_epochs=20, random_state=0).fit(tasks)
    assert meta.score(X, y) > 0.95  # zero shots
    # One class in the support: the others keep their prototypes.
    assert meta.fit_adapt(X[y == "a"][:4], y[y == "a"][:4]).score(X, y) > 0.95
    # A new class, whose name sorts between the known ones.
    X_new = np.full((4, 3), -4.0)
    model = meta.fit_adapt(np.r_[X[:3], X_new], np.r_[y[:3], ["b"] * 4])
    assert_array_equal(model.classes_, ["a", "b", "c", "d"])
    assert_array_equal(model.predict(np.r_[X[:3], X_new]), [*y[:3], "b", "b", "b", "b"])
    assert_array_equal(meta.classes_, ["a", "c", "d"])


def test_partial_fit_takes_running_means():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 2)), np.arange(60) % 3
    tasks = TaskCollection(X, y, [0, 10, 30, 60])
    stream = PrototypeClassifier(module=None, preprocessor=None)
    stream.partial_fit(tasks[:1], classes=[0, 1, 2, 3])
    stream.partial_fit(tasks[1:2]).partial_fit(tasks[2:])
    whole = PrototypeClassifier(module=None, preprocessor=None).fit(tasks)
    proba = stream.predict_proba(X)
    assert_allclose(proba[:, :3], whole.predict_proba(X), rtol=1e-6)
    assert_array_equal(proba[:, 3], 0)  # announced, never seen


def test_rows_and_classes_one_by_one():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(12), 10)
    X = 3.0 * rng.normal(size=(12, 4))[y] + rng.normal(size=(120, 4))
    tasks = make_n_way_tasks(X, y, n_way=3, n_query=5, n_tasks=50, random_state=0)
    for metric in ("euclidean", "mahalanobis"):
        meta = PrototypeClassifier(metric=metric, max_epochs=2, random_state=0).fit(tasks)
        rows, model = np.array([115, 116, 3, 47, 117, 4, 48, 5, 6]), meta
        for row in rows:
            model = model.partial_adapt(X[[row]], y[[row]])
        whole = meta.fit_adapt(X[rows], y[rows])
        assert_array_equal(model.classes_, whole.classes_)
        assert_allclose(model.predict_proba(X), whole.predict_proba(X), rtol=1e-6)


def test_mahalanobis_distances_see_shapes():
    """Classes are long and thin, and lie side by side."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(40), 30)
    spread = np.where((y % 2 == 0)[:, None], [3.0, 0.2], [0.2, 3.0])
    X = 2.0 * rng.normal(size=(40, 2))[y] + spread * rng.normal(size=(1200, 2))
    options = {"n_way": 3, "n_support": 10, "n_query": 10, "random_state": 0}
    test = make_n_way_tasks(X, y, n_tasks=100, **options)
    scores = {
        metric: PrototypeClassifier(module=None, preprocessor=None, metric=metric)
        .fit(test)
        .set_params(n_support=30)
        .score(test)
        for metric in ("euclidean", "mahalanobis")
    }
    assert scores["mahalanobis"] > scores["euclidean"] + 0.1


def test_frequencies_of_shared_classes_count():
    """Rows tell nothing of their class: all that can be known is how frequent it is."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 2)), (rng.random(2000) < 0.9).astype(int)
    tasks = TaskCollection(X, y, np.arange(0, 2001, 40))

    def log_loss(priors):
        meta = PrototypeClassifier(priors=priors, max_epochs=15, random_state=0).fit(tasks[:40])
        models = [meta.fit_adapt(task.X[:5], task.y[:5]) for task in tasks[40:]]
        proba = [m.predict_proba(t.X[5:])[:, 1] for m, t in zip(models, tasks[40:], strict=True)]
        true = np.concatenate([task.y[5:] for task in tasks[40:]])
        return -np.log(np.where(true, np.concatenate(proba), 1 - np.concatenate(proba))).mean()

    learned = log_loss("learned")
    assert learned < 0.36  # the entropy is 0.325
    assert learned < log_loss("uniform")


def test_one_row_of_each_of_many_classes_is_no_reason_to_warn():
    X, y = np.eye(25), np.arange(25)
    meta = PrototypeClassifier(module=None, preprocessor=None)
    meta.fit(np.repeat(X, 4, axis=0), np.repeat(y, 4), task_id=np.tile([0, 0, 1, 1], 25))
    assert meta.fit_adapt(X, y).score(X, y) == 1.0

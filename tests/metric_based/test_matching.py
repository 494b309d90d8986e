"""Attention to the support, and learned comparisons: classes in any number and proportion."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs
from sklearn.neighbors import KNeighborsClassifier

from skmeta import MatchingClassifier, RelationClassifier, TaskCollection, make_n_way_tasks

LEARNERS = [MatchingClassifier, RelationClassifier]
_ids = {"ids": lambda cls: cls.__name__}


def n_way(cls, **options):
    """A learner trained on 3-way tasks, and rows of classes that it has not seen."""
    X, y = make_blobs(800, n_features=6, centers=40, cluster_std=1.5, random_state=0)
    tasks = make_n_way_tasks(X[y < 34], y[y < 34], n_way=3, n_query=5, n_tasks=200, random_state=0)
    return cls(max_epochs=8, random_state=0, **options).fit(tasks), X[y >= 34], y[y >= 34]


@pytest.mark.parametrize("cls", LEARNERS, **_ids)
def test_more_classes_than_any_training_task_had_and_uneven_supports(cls):
    meta, X, y = n_way(cls)
    n_rows = dict(zip(range(34, 40), (1, 2, 3, 5, 8, 10), strict=True))
    support = np.concatenate([np.flatnonzero(y == code)[:n] for code, n in n_rows.items()])
    model = meta.fit_adapt(X[support], y[support])
    assert_array_equal(model.classes_, range(34, 40))
    assert np.mean(model.predict(X) == y) > 0.85
    balanced = n_way(cls, class_weight="balanced")[0].fit_adapt(X[support], y[support])
    assert np.mean(balanced.predict(X) == y) > 0.85


@pytest.mark.parametrize("cls", LEARNERS, **_ids)
def test_shared_classes_are_known_before_any_row(cls):
    rng = np.random.default_rng(0)
    codes = np.arange(240) % 3
    X = 4.0 * np.eye(3)[codes] + 0.3 * rng.normal(size=(240, 3))
    y = np.array(["a", "c", "d"])[codes]
    tasks = TaskCollection(X, y, np.arange(0, 241, 12))
    meta = cls(max_epochs=40, lr=3e-3, random_state=0).fit(tasks)
    assert meta.score(X, y) > 0.95  # zero shots
    assert meta.fit_adapt(X[y == "a"][:4], y[y == "a"][:4]).score(X, y) > 0.9
    X_new = np.full((4, 3), -4.0)
    model = meta.fit_adapt(np.r_[X[:3], X_new], np.r_[y[:3], ["b"] * 4])
    assert_array_equal(model.classes_, ["a", "b", "c", "d"])
    assert_array_equal(meta.classes_, ["a", "c", "d"])


def test_full_context_learns_and_does_not_mind_the_order():
    meta, X, y = n_way(MatchingClassifier, full_context=True)
    order = np.random.default_rng(0).permutation(12)
    first, second = (meta.fit_adapt(X[i], y[i]) for i in (np.arange(12), order))
    assert_allclose(first.predict_proba(X), second.predict_proba(X), rtol=1e-6)
    assert meta.fit_adapt(X[::3], y[::3]).score(X, y) > 0.85


def test_sharp_attention_to_rows_as_they_are_is_the_nearest_neighbour():
    X, y = make_blobs(60, n_features=3, centers=3, cluster_std=3.0, random_state=0)
    meta = MatchingClassifier(
        module=None, preprocessor=None, similarity="euclidean", max_epochs=1, random_state=0
    ).fit(make_n_way_tasks(X, y, n_way=3, n_tasks=10, n_query=5, random_state=0))
    meta.net_.module_.learner.log_scale.data.fill_(12.0)
    model = meta.fit_adapt(X[:30], y[:30])
    expected = KNeighborsClassifier(1).fit(X[:30], y[:30]).predict(X)
    assert_array_equal(model.predict(X), expected)


def test_class_means_absorb_rows_one_by_one():
    meta, X, y = n_way(RelationClassifier)
    model = meta
    for row in range(20):
        model = model.partial_adapt(X[row : row + 1], y[row : row + 1])
    whole = meta.fit_adapt(X[:20], y[:20])
    assert_array_equal(model.classes_, whole.classes_)
    assert_allclose(model.predict_proba(X), whole.predict_proba(X), rtol=1e-6)

"""Checks of classifiers: supports of one class, classes that no training task had."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from skmeta.tasks import Task, TaskCollection, make_n_way_tasks
from skmeta.testing._checks._tools import fitted, raises, seeded


def check_one_class_support(name, estimator):
    """A support may hold a single class, and then every class is still possible."""
    meta, support, query = fitted(estimator)
    task = support[0]
    one = task.y == task.y[0]
    proba = meta.fit_adapt(task.X[one], task.y[one]).predict_proba(query[0].X)
    assert proba.shape == (query[0].n_rows, len(meta.classes_))
    assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-6)


def check_unknown_classes(name, estimator):
    """A class that no training task had is learned, or gets a clear error."""
    meta, support, _ = fitted(estimator)
    task = support[0]
    y = np.where(np.arange(task.n_rows) < 2, "unheard", task.y)
    if get_tags(estimator).task_tags.new_classes:
        assert "unheard" in meta.fit_adapt(task.X, y).classes_
        assert "unheard" not in meta.classes_
    else:
        with raises(ValueError, "unknown class"):
            meta.fit_adapt(task.X, y)
    with raises(ValueError, "nan", "unknown label", "type", "class"):
        meta.fit_adapt(task.X, np.linspace(0, 1, task.n_rows))


def check_classes_of_the_task(name, estimator):
    """Where classes are a task's own, a new task brings its own, and nothing is known before.

    A learner that needs classes which mean the same in all tasks refuses others.
    """
    X, y = make_blobs(300, n_features=3, centers=6, cluster_std=0.5, random_state=0)
    tasks = make_n_way_tasks(
        X[y < 4], y[y < 4], n_way=2, n_support=3, n_query=4, n_tasks=8, random_state=0
    )
    if not get_tags(estimator).task_tags.own_classes:
        with raises(ValueError, "classes must mean the same"):
            seeded(estimator).fit(tasks)
        return
    meta = seeded(estimator).fit(tasks)
    with raises(NotFittedError, "fit_adapt"):
        meta.predict(X[:3])
    with raises(ValueError, "at least one row"):
        meta.fit_adapt_many(TaskCollection(X[:0], y[:0], [0, 0]))
    new = np.flatnonzero(y > 3)
    model = meta.fit_adapt(X[new[:10]], y[new[:10]])
    assert_array_equal(model.classes_, [4, 5])
    assert model.predict_proba(X[:7]).shape == (7, 2)
    many = meta.fit_adapt_many([Task(X[new[:10]], y[new[:10]]), Task(X[:9], y[:9] % 2)])
    assert_array_equal(many[0].classes_, [4, 5])
    assert_array_equal(many[1].classes_, [0, 1])
    assert_allclose(many[0].predict_proba(X[:7]), model.predict_proba(X[:7]), rtol=1e-5, atol=1e-7)


CHECKS = [
    check_one_class_support,
    check_unknown_classes,
    check_classes_of_the_task,
]

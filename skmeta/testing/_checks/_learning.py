"""Checks of learning: seeds, ways to give tasks, going on, copies of what was learned."""

from __future__ import annotations

import pickle
from io import BytesIO

import joblib
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skmeta.tasks import TaskCollection
from skmeta.testing._checks._tools import fitted, make_tasks, outputs, raises, seeded


def check_same_seed(name, estimator):
    """One seed gives one result, to the bit."""
    first, _, query = fitted(estimator)
    second, _, _ = fitted(estimator)
    assert_array_equal(outputs(first, query[0].X), outputs(second, query[0].X))


def check_ways_to_give_tasks(name, estimator):
    """A collection, a list of tasks and a flat table with task_id are the same to `fit`."""
    tasks = make_tasks(estimator)[:5]
    results = [
        outputs(meta, tasks[0].X)
        for meta in (
            seeded(estimator).fit(tasks),
            seeded(estimator).fit(list(tasks)),
            seeded(estimator).fit(tasks.X, tasks.y, task_id=tasks.row_task),
        )
    ]
    for result in results[1:]:
        assert_allclose(result, results[0], rtol=1e-5, atol=1e-7)


def check_ragged_tasks(name, estimator):
    """Tasks may have any number of rows, a single one too; tasks without rows are left out."""
    tasks = make_tasks(estimator)
    X, y = tasks.X, tasks.y
    ragged = TaskCollection(X[:40], y[:40], [0, 1, 1, 4, 10, 11, 26, 40])
    meta = seeded(estimator).fit(ragged)
    assert np.isfinite(outputs(meta.fit_adapt(X[40:45], y[40:45]), X[45:50])).all()


def check_partial_fit(name, estimator):
    """`partial_fit` goes on learning and leaves models alone that were adapted before."""
    if not hasattr(estimator, "partial_fit"):
        return
    tasks, (_, support, query) = make_tasks(estimator), fitted(estimator)
    meta = seeded(estimator).partial_fit(tasks[:3])
    before = outputs(meta, query[0].X)
    model = meta.fit_adapt(support[0].X, support[0].y)
    said = outputs(model, query[0].X)
    assert meta.partial_fit(tasks[3:5]) is meta
    assert_array_equal(outputs(model, query[0].X), said)
    assert not np.array_equal(outputs(meta, query[0].X), before), f"{name} has learned nothing."


def check_pickle_and_joblib(name, estimator):
    """Fitted and adapted estimators survive pickle and joblib; a clone is unfitted."""
    meta, support, query = fitted(estimator)
    for model in (meta, meta.fit_adapt(support[0].X, support[0].y)):
        expected = outputs(model, query[0].X)
        assert_array_equal(outputs(pickle.loads(pickle.dumps(model)), query[0].X), expected)
        joblib.dump(model, file := BytesIO())
        file.seek(0)
        assert_array_equal(outputs(joblib.load(file), query[0].X), expected)
        with raises(NotFittedError, "not fitted"):
            clone(model).predict(query[0].X)


def check_small_pickles(name, estimator):
    """A model from `fit_adapt_many` does not take the whole batch along into a pickle."""
    meta, support, _ = fitted(estimator)
    alone = len(pickle.dumps(meta.fit_adapt_many(support[:1])[0]))
    among_many = len(pickle.dumps(meta.fit_adapt_many(support[[0] * 64])[0]))
    assert among_many < 1.1 * alone + 1000


CHECKS = [
    check_same_seed,
    check_ways_to_give_tasks,
    check_ragged_tasks,
    check_partial_fit,
    check_pickle_and_joblib,
    check_small_pickles,
]

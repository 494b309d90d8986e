"""Checks of adapting: it changes nothing of the learner, and depends on the rows alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from inspect import signature

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skmeta.tasks import Task, TaskCollection
from skmeta.testing._checks._tools import fitted, make_tasks, outputs, raises, seeded


def check_fit_adapt_leaves_self_unchanged(name, estimator):
    """`fit_adapt` returns another estimator of the same class and changes nothing of the first."""
    meta, support, query = fitted(estimator)
    before, said = dict(vars(meta)), outputs(meta, query[0].X)
    model = meta.fit_adapt(support[0].X, support[0].y)
    assert type(model) is type(meta), f"{name}.fit_adapt must return an estimator of its class."
    assert model is not meta, f"{name}.fit_adapt must return a new estimator."
    assert model.n_support_ == support[0].n_rows
    after = vars(meta)
    assert before.keys() == after.keys(), f"{name}.fit_adapt must not add attributes to self."
    changed = [key for key in before if before[key] is not after[key]]
    assert not changed, f"{name}.fit_adapt must not change attributes of self: {changed}."
    assert_array_equal(outputs(meta, query[0].X), said)


def check_adapting_again_starts_from_the_prior(name, estimator):
    """Adapting twice gives the same, also from a model that is adapted to another task."""
    meta, support, query = fitted(estimator)
    first = meta.fit_adapt(support[0].X, support[0].y)
    again = meta.fit_adapt(support[1].X, support[1].y).fit_adapt(support[0].X, support[0].y)
    assert_array_equal(outputs(first, query[0].X), outputs(again, query[0].X))


def check_fit_adapt_many(name, estimator):
    """Adapting to many tasks at once equals adapting to them one by one; sizes may differ."""
    meta, support, query = fitted(estimator)
    tasks = [Task(task.X[: 6 - i], task.y[: 6 - i]) for i, task in enumerate(support)]
    for model, task, q in zip(meta.fit_adapt_many(tasks), tasks, query, strict=True):
        alone = meta.fit_adapt(task.X, task.y)
        assert model.n_support_ == alone.n_support_ == task.n_rows
        assert_allclose(outputs(model, q.X), outputs(alone, q.X), rtol=1e-5, atol=1e-7)


def check_order_of_support_rows(name, estimator):
    """The order of the support rows changes nothing beyond rounding."""
    meta, support, query = fitted(estimator)
    X, y = support[0].X, support[0].y
    shuffled = np.random.default_rng(0).permutation(len(y))
    assert_allclose(
        outputs(meta.fit_adapt(X, y), query[0].X),
        outputs(meta.fit_adapt(X[shuffled], y[shuffled]), query[0].X),
        rtol=1e-4,
        atol=1e-6,
    )


def check_order_of_storage(name, estimator):
    """The order in which rows are stored changes nothing beyond rounding."""
    meta, support, query = fitted(estimator)
    tasks = make_tasks(estimator)[:5]
    shuffled = np.random.default_rng(0).permutation(tasks.n_rows)
    other = seeded(estimator).fit(
        TaskCollection.from_arrays(tasks.X[shuffled], tasks.y[shuffled], tasks.row_task[shuffled])
    )
    X, y = support[0].X, support[0].y
    assert_allclose(
        outputs(meta.fit_adapt(X, y), query[0].X),
        outputs(other.fit_adapt(X, y), query[0].X),
        rtol=1e-3,
        atol=1e-4,
    )


def check_threads(name, estimator):
    """Several threads may adapt from one fitted learner at the same time."""
    meta, support, query = fitted(estimator)
    jobs = [(task, q) for task, q in zip(support, query, strict=True)] * 8

    def adapt(job):
        task, q = job
        return outputs(meta.fit_adapt(task.X, task.y), q.X)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(adapt, jobs))
    for job, result in zip(jobs, together, strict=True):
        assert_allclose(result, adapt(job), rtol=1e-6, atol=1e-9)


def check_support_weights(name, estimator):
    """A row of weight two counts as two rows, one of weight zero as none; or none are taken."""
    meta, support, query = fitted(estimator)
    X, y = support[0].X, support[0].y
    weight = np.array([1, 2, 0, 1, 3, 1])
    if "sample_weight" not in signature(meta._adapt).parameters:
        with raises(ValueError, "sample_weight"):
            meta.fit_adapt(X, y, sample_weight=weight)
        return
    weighted = meta.fit_adapt(X, y, sample_weight=weight)
    repeated = meta.fit_adapt(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_allclose(
        outputs(weighted, query[0].X), outputs(repeated, query[0].X), rtol=1e-4, atol=1e-6
    )
    for bad in (-weight, weight[:3], np.zeros(6)):
        with raises(ValueError, "sample_weight", "sample weights", "negative"):
            meta.fit_adapt(X, y, sample_weight=bad)


def check_one_support_row(name, estimator):
    """One labelled row is a support."""
    meta, support, query = fitted(estimator)
    model = meta.fit_adapt(support[0].X[:1], support[0].y[:1])
    assert np.isfinite(outputs(model, query[0].X)).all()


def check_zero_shots(name, estimator):
    """Where tasks share their target, the learner predicts before any adaptation."""
    meta, support, query = fitted(estimator)
    assert meta.n_support_ == 0
    prior = outputs(meta, query[0].X)
    assert np.isfinite(prior).all()
    empty = TaskCollection(support.X[:0], support.y[:0], [0, 0, 0])
    for model in meta.fit_adapt_many(empty):
        assert_allclose(outputs(model, query[0].X), prior, rtol=1e-5, atol=1e-7)


CHECKS = [
    check_fit_adapt_leaves_self_unchanged,
    check_adapting_again_starts_from_the_prior,
    check_fit_adapt_many,
    check_order_of_support_rows,
    check_order_of_storage,
    check_threads,
    check_support_weights,
    check_one_support_row,
    check_zero_shots,
]

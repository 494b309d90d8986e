"""Our own checks. Each takes the name and an unfitted instance, which it does not change."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from inspect import signature
from io import BytesIO
from typing import Any

import joblib
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags

from skmeta.base import FewShotClassifier, FewShotRegressor, TaskwiseClassifier, TaskwiseRegressor
from skmeta.datasets import make_linear_tasks
from skmeta.tasks import Task, TaskCollection, make_n_way_tasks, split_support_query

# ---------------------------------------------------------------------- data and tools


def make_tasks(estimator: Any, n_tasks: int = 8, n_rows: int = 14) -> TaskCollection:
    """Tasks that suit the estimator: shared weights with noise, or shared classes that move."""
    tasks = make_linear_tasks(n_tasks, n_rows, 3, noise=0.1, random_state=0)
    if not is_classifier(estimator):
        return tasks
    rng = np.random.default_rng(0)
    codes = np.tile(np.arange(n_rows) % 3, n_tasks)
    centers = np.array([[-2.0, 0.0, 1.0], [2.0, 1.0, -1.0], [0.0, 3.0, 2.0]])
    shift = np.repeat(rng.normal(scale=0.5, size=(n_tasks, 3)), n_rows, axis=0)
    X = centers[codes] + shift + 0.5 * rng.standard_normal((len(codes), 3))
    return TaskCollection(X, np.array(["ill", "odd", "well"])[codes], tasks.offsets)


def seeded(estimator: Any) -> Any:
    """A clone with a fixed seed, where it has one."""
    estimator = clone(estimator)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    return estimator


def fitted(estimator: Any) -> tuple[Any, TaskCollection, TaskCollection]:
    """A fitted clone, and support and query of tasks that it has not seen."""
    tasks = make_tasks(estimator)
    support, query = split_support_query(tasks[5:], 6, stratify=is_classifier(estimator))
    return seeded(estimator).fit(tasks[:5]), support, query


def outputs(model: Any, X: Any) -> np.ndarray:
    """What a model says of some rows: probabilities where it has them, otherwise numbers."""
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@contextmanager
def raises(kind: type[Exception], *words: str) -> Iterator[None]:
    """Expect an error whose message has one of the words."""
    try:
        yield
    except kind as error:
        if not any(word in str(error).lower() for word in words):
            raise AssertionError(
                f"The message should mention {' or '.join(map(repr, words))}, got: {error}"
            ) from error
    else:
        raise AssertionError(f"Expected an error that mentions {' or '.join(map(repr, words))}.")


# ---------------------------------------------------------------------- adapting


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


# ---------------------------------------------------------------------- learning


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


# ---------------------------------------------------------------------- scikit-learn's habits


def check_scores_of_tasks(name, estimator):
    """`score` takes tasks, and so do scikit-learn's splitters."""
    scores = cross_val_score(seeded(estimator), make_tasks(estimator), cv=2)
    assert np.isfinite(scores).all()


def check_ordinary_views(name, estimator):
    """FewShot and Taskwise views are ordinary estimators."""
    meta, support, query = fitted(estimator)
    few_shot, taskwise = (
        (FewShotClassifier, TaskwiseClassifier)
        if is_classifier(estimator)
        else (FewShotRegressor, TaskwiseRegressor)
    )
    task, q = support[0], query[0]
    ordinary = clone(few_shot(meta)).fit(task.X, task.y)
    assert_array_equal(ordinary.predict(q.X), meta.fit_adapt(task.X, task.y).predict(q.X))
    tasks = make_tasks(estimator)
    table = np.column_stack([tasks.row_task, tasks.X])
    model = taskwise(seeded(estimator), task=0).fit(table, tasks.y)
    table[0, 0] = -1.0  # a task that was not there
    assert model.predict(table).shape == (len(table),)
    assert_array_equal(model.predict(table[:1]), model.meta_.predict(table[:1, 1:]))


def check_real_tables(name, estimator):
    """Data frames with strings and gaps go in; their column names are checked."""
    try:
        import pandas as pd
    except ImportError:
        return
    tasks = make_tasks(estimator)
    df = pd.DataFrame(tasks.X, columns=["dose", "age", "weight"])
    df.loc[::7, "age"] = np.nan
    df["ward"] = np.where(df["dose"] > 0, "north", "south")
    df.loc[::5, "ward"] = None
    meta = seeded(estimator).fit(df, tasks.y, task_id=tasks.row_task)
    assert_array_equal(meta.feature_names_in_, df.columns)
    model = meta.fit_adapt(df[:9], tasks.y[:9])
    assert np.isfinite(outputs(model, df.assign(ward="unseen")[9:14])).all()
    with raises(ValueError, "feature names"):
        model.predict(df.rename(columns={"age": "years"}))
    with raises(ValueError, "duplicate"):
        model.predict(df.rename(columns={"age": "dose"}))


# ---------------------------------------------------------------------- errors


def check_errors_of_fit(name, estimator):
    """Bad tasks get a clear error."""
    tasks = make_tasks(estimator)
    X, y = tasks.X, tasks.y
    with raises(ValueError, "task"):
        clone(estimator).fit(tasks[:0])
    with raises(ValueError, "y and task_id"):
        clone(estimator).fit(tasks, y)
    with raises(ValueError, "task_id"):
        clone(estimator).fit(X, y, task_id=tasks.row_task[:-1])
    with raises(ValueError, "missing"):
        clone(estimator).fit(X, y, task_id=np.where(tasks.row_task, 1.0, np.nan))
    with raises(ValueError, "inconsistent"):
        clone(estimator).fit(X, y[:-1])
    infinite = X.copy()
    infinite[3, 1] = np.inf
    with raises(ValueError, "inf"):
        clone(estimator).fit(infinite, y)
    with raises(ValueError, "preprocessor"):
        clone(estimator).set_params(preprocessor="none").fit(tasks)
    if not get_tags(estimator).task_tags.different_widths:
        uneven = [Task(X[:5], y[:5]), Task(X[5:9, :2], y[5:9])]
        with raises(ValueError, "same columns"):
            clone(estimator).fit(uneven)


def check_errors_of_gaps(name, estimator):
    """Without a preprocessor, gaps get an error that names them."""
    tasks = make_tasks(estimator)
    X = tasks.X.copy()
    X[3, 1] = np.nan
    bare = seeded(estimator).set_params(preprocessor=None)
    with raises(ValueError, "nan"):
        clone(bare).fit(tasks.with_storage(X))
    meta = bare.fit(tasks)
    with raises(ValueError, "nan"):
        meta.fit_adapt(X[:6], tasks.y[:6])
    with raises(ValueError, "nan"):
        meta.predict(X[:6])


def check_errors_of_fit_adapt(name, estimator):
    """A bad support gets a clear error."""
    with raises(NotFittedError, "not fitted"):
        clone(estimator).fit_adapt([[0.0]], [0])
    meta, support, query = fitted(estimator)
    X, y = support[0].X, support[0].y
    with raises(ValueError, "features"):
        meta.fit_adapt(X[:, :2], y)
    with raises(ValueError, "features"):
        meta.fit_adapt_many([Task(X[:, :2], y)])
    with raises(ValueError, "features"):
        meta.fit_adapt(X, y).predict(query[0].X[:, :2])
    with raises(ValueError, "inconsistent"):
        meta.fit_adapt(X, y[:-1])
    with raises(ValueError, "0 sample", "minimum of 1"):
        meta.fit_adapt(X[:0], y[:0])
    with raises(ValueError, "task"):
        meta.fit_adapt_many([])


# ---------------------------------------------------------------------- classifiers


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


ALL = [
    check_fit_adapt_leaves_self_unchanged,
    check_adapting_again_starts_from_the_prior,
    check_fit_adapt_many,
    check_order_of_support_rows,
    check_order_of_storage,
    check_threads,
    check_support_weights,
    check_one_support_row,
    check_zero_shots,
    check_same_seed,
    check_ways_to_give_tasks,
    check_ragged_tasks,
    check_partial_fit,
    check_pickle_and_joblib,
    check_small_pickles,
    check_scores_of_tasks,
    check_ordinary_views,
    check_real_tables,
    check_errors_of_fit,
    check_errors_of_gaps,
    check_errors_of_fit_adapt,
]
OF_CLASSIFIERS = [check_one_class_support, check_unknown_classes, check_classes_of_the_task]

"""Boosting with processes of what tasks differ by: behaviour of the estimators."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import log_loss

from skmeta import MetaBoostingClassifier, MetaBoostingRegressor, Task, TaskCollection
from skmeta.ensemble._columns import DenseColumns, TreePreprocessor
from skmeta.ensemble._pooled import Rows, folds, pool_linear, pool_trees


def make_tasks(n_tasks=60, n_rows=20, noise=0.5, seed=0):
    """A smooth function that tasks share, and an intercept and a slope of each task."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(n_tasks * n_rows, 2))
    task = np.repeat(np.arange(n_tasks), n_rows)
    shared = 2 * np.sin(2 * X[:, 0])
    own = rng.normal(0, 2, n_tasks)[task] + rng.normal(0, 1, n_tasks)[task] * X[:, 1]
    y = shared + own + noise * rng.normal(size=len(task))
    return TaskCollection.from_arrays(X, y, task)


def with_classes(tasks, edges):
    return tasks.with_storage(y=np.array(["a", "b", "c"])[np.digitize(tasks.y, edges)])


@pytest.fixture(scope="module")
def tasks():
    return make_tasks()


@pytest.fixture(scope="module")
def regressor(tasks):
    return MetaBoostingRegressor(random_state=0).fit(tasks[:40])


@pytest.fixture(scope="module")
def classifier(tasks):
    return MetaBoostingClassifier(random_state=0).fit(with_classes(tasks, [0.0])[:40])


def test_adapting_comes_close_to_the_noise(tasks, regressor):
    errors = {}
    for k in (0, 5, 10):
        models = [regressor.fit_adapt(t.X[:k], t.y[:k]) if k else regressor for t in tasks[40:]]
        squares = [
            np.mean((m.predict(t.X[10:]) - t.y[10:]) ** 2)
            for m, t in zip(models, tasks[40:], strict=True)
        ]
        errors[k] = np.mean(squares)
    assert errors[10] < errors[5] < 0.5 * errors[0]
    assert errors[10] < 3 * 0.5**2


def test_intervals_cover_what_they_promise(tasks, regressor):
    inside = []
    for task in tasks[40:]:
        model = regressor.fit_adapt(task.X[:6], task.y[:6])
        low, high = model.predict_quantiles(task.X[6:], [0.1, 0.9]).T
        inside.append((low < task.y[6:]) & (task.y[6:] < high))
    assert 0.7 < np.mean(inside) < 0.9


def test_std_and_quantiles_agree(tasks, regressor):
    model = regressor.fit_adapt(tasks[41].X[:6], tasks[41].y[:6])
    mean, std = model.predict(tasks[41].X, return_std=True)
    low, middle, high = model.predict_quantiles(tasks[41].X).T
    assert_allclose(middle, mean)
    assert_allclose(high - mean, mean - low)
    assert (high - low > 3 * std).all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        model.predict_quantiles(tasks[41].X, [1.5])


def test_prior_is_close_to_pooled_boosting_where_tasks_do_not_differ():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(800, 2))
    y = 2 * np.sin(2 * X[:, 0]) + 0.3 * rng.normal(size=800)
    tasks = TaskCollection.from_arrays(X, y, np.repeat(np.arange(40), 20))
    meta = MetaBoostingRegressor(prior="boosting", random_state=0).fit(tasks)
    pooled = HistGradientBoostingRegressor(
        learning_rate=0.06, max_leaf_nodes=15, l2_regularization=1.0, early_stopping=False
    ).fit(X, y)
    query = rng.uniform(-2, 2, size=(200, 2))
    model = meta.fit_adapt(X[:10], y[:10])
    assert np.std(model.predict(query) - pooled.predict(query)) < 0.2
    truth = 2 * np.sin(2 * query[:, 0])
    assert np.mean((model.predict(query) - truth) ** 2) < 1.3 * np.mean(
        (pooled.predict(query) - truth) ** 2
    )


def test_an_empty_support_is_the_prior(tasks, regressor, classifier):
    X = tasks[45].X
    for meta, y in ((regressor, tasks[0].y[:0]), (classifier, np.array([], dtype="<U1"))):
        (model,) = meta.fit_adapt_many([Task(X[:0], y)])
        output = "predict_proba" if meta is classifier else "predict"
        assert_allclose(getattr(model, output)(X), getattr(meta, output)(X))


@pytest.mark.parametrize("edges", [[0.0], [-1.0, 1.0]])
def test_classes_are_learned_from_few_rows(tasks, edges):
    tasks = with_classes(tasks, edges)
    meta = MetaBoostingClassifier(random_state=0).fit(tasks[:40])
    losses = {0: [], 3: [], 10: []}
    for task in tasks[40:]:
        for k, found in losses.items():
            model = meta.fit_adapt(task.X[:k], task.y[:k]) if k else meta
            proba = model.predict_proba(task.X[10:])
            assert_allclose(proba.sum(axis=1), 1.0)
            found.append(log_loss(task.y[10:], proba, labels=meta.classes_))
    means = [np.mean(found) for found in losses.values()]
    assert means[2] < means[1] < means[0]
    assert means[2] < 0.8 * means[0]


def test_a_support_of_one_class_shifts_but_does_not_decide(tasks, classifier):
    X = tasks[45].X
    before = classifier.predict_proba(X)[:, 0].mean()
    after = classifier.fit_adapt(X[:5], ["a"] * 5).predict_proba(X)
    assert after[:, 0].mean() > before
    assert after.min() > 1e-4


def test_gaps_and_categories_reach_the_trees():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "ward": rng.choice(["x", "y", "z"], 600),
            "age": np.where(rng.random(600) < 0.3, np.nan, rng.normal(size=600)),
        }
    )
    task = np.repeat(np.arange(30), 20)
    level = frame["ward"].map({"x": -2.0, "y": 0.0, "z": 2.0}) + 3.0 * frame["age"].isna()
    y = level + rng.normal(0, 1, 30)[task] + 0.2 * rng.normal(size=600)
    tasks = TaskCollection.from_arrays(frame, y, task)
    meta = MetaBoostingRegressor(random_state=0).fit(tasks[:25])
    assert isinstance(meta.preprocessor_, TreePreprocessor)
    new = tasks[27]
    model = meta.fit_adapt(new.X[:6], new.y[:6])
    assert model.score(new.X[6:], new.y[6:]) > 0.9
    unseen = new.X.assign(ward="other")
    assert np.isfinite(model.predict(unseen)).all()


def test_tree_columns_keep_gaps_and_dense_columns_do_not():
    frame = pd.DataFrame({"ward": ["b", "a", None, "b"], "age": [1.0, np.nan, 3.0, 4.0]})
    trees = TreePreprocessor().fit(frame)
    T = trees.transform(frame)
    assert trees.n_categorical == 1
    assert_allclose(T[:, 0], [1, np.nan, 3, 4])
    assert_allclose(T[[0, 1, 3], 1], [1, 0, 1])
    assert T[2, 1] not in (0, 1)  # a gap is a category of its own
    Z = DenseColumns(1).fit(T)(T)
    assert Z.shape == (4, 5)  # age, its gaps, and three wards, one of them a gap
    assert np.isfinite(Z).all()


def test_predictions_out_of_task_have_not_seen_the_task():
    """A model that could see the tasks' levels would explain them; out of task nothing can."""
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(20), 15)
    X = rng.normal(size=(20, 2))[task]  # columns that identify the task
    y = rng.normal(0, 3, 20)[task]
    rows = Rows(X, X)
    for pooled in (pool_trees(rows, y, task, 0, None, 0), pool_linear(rows, y, task, None)):
        assert np.mean((pooled.out_of_task[:, 0] - y) ** 2) > 0.9 * y.var()
    for train, held in folds(task):
        assert not set(task[train]) & set(task[held])


def test_first_rows_do_not_mislead_where_tasks_bend():
    """Early rows say nothing of later ones, which supports of first rows show."""
    rng = np.random.default_rng(0)
    task, time = np.repeat(np.arange(40), 20), np.tile(np.arange(20.0), 40)
    early, late = rng.normal(0, 1, 40), rng.normal(0, 1, 40)
    y = np.where(time < 10, early[task], late[task]) + 0.1 * rng.normal(size=800)
    tasks = TaskCollection.from_arrays(time[:, None], y, task)
    meta = MetaBoostingRegressor(support_strategy="first", n_support=5, random_state=0)
    meta.fit(tasks[:30])
    models = [meta.fit_adapt(t.X[:10], t.y[:10]) for t in tasks[30:]]
    late_rows = [(m.predict(t.X[10:]), t.y[10:]) for m, t in zip(models, tasks[30:], strict=True)]
    error = np.mean([np.mean((found - y) ** 2) for found, y in late_rows])
    assert error < 1.1 * np.mean([np.mean(y**2) for _, y in late_rows])


def test_one_prior_alone(tasks):
    for prior in ("boosting", "linear"):
        meta = MetaBoostingRegressor(prior=prior, random_state=0).fit(tasks[:20])
        assert meta.weights_.shape == (len(meta.shots_), 3)  # with trees on summaries
        assert_allclose(meta.weights_.sum(axis=1), 1.0)


def test_classes_must_be_shared_and_two(tasks):
    one = tasks.with_storage(y=np.full(len(tasks.y), "a"))
    with pytest.raises(ValueError, match="at least two classes"):
        MetaBoostingClassifier().fit(one)

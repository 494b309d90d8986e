"""First rows of tasks that drift: how far they are trusted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss
from tree_tasks import as_classes, make_drifting_tasks, make_tree_tasks

from skmeta import (
    MetaDecisionTreeClassifier,
    MetaDecisionTreeRegressor,
    MetaForestClassifier,
    MetaForestRegressor,
    TaskCollection,
    split_support_query,
)
from skmeta.tree._growing import Settings, plant

REGRESSORS = [
    MetaDecisionTreeRegressor(max_depth=3, random_state=0),
    MetaForestRegressor(n_estimators=12, max_depth=3, random_state=0),
]
CLASSIFIERS = [
    MetaDecisionTreeClassifier(max_depth=3, random_state=0),
    MetaForestClassifier(n_estimators=15, max_depth=4, min_samples_leaf=5, random_state=0),
]
by_name = pytest.mark.parametrize("meta", REGRESSORS, ids=lambda meta: type(meta).__name__)


def adapted_and_prior_errors(meta, tasks, n_support):
    support, query = split_support_query(tasks, n_support, strategy="first")
    models = meta.fit_adapt_many(support)
    return np.mean(
        [
            [np.mean((m.predict(q.X) - q.y) ** 2) for m in (model, meta)]
            for model, q in zip(models, query, strict=True)
        ],
        axis=0,
    )


@by_name
@pytest.mark.parametrize("correlation", [0.0, 0.6, 1.0])
def test_the_correlation_is_found(meta, correlation):
    tasks = make_drifting_tasks(correlation, n_tasks=80)
    meta = meta.set_params(support_strategy="first").fit(tasks)
    assert_array_equal(meta.shots_, [0, 5, 10, 20])
    assert_allclose(meta.trust_[-1], correlation, atol=0.25)


@by_name
@pytest.mark.parametrize("n_support", [5, 20])
def test_first_rows_that_mislead_do_no_harm(meta, n_support):
    tasks = make_drifting_tasks(0.0, n_tasks=120, n_first=n_support)
    first = meta.set_params(support_strategy="first").fit(tasks[:80])
    adapted, prior = adapted_and_prior_errors(first, tasks[80:], n_support)
    assert adapted < 1.02 * prior
    random = meta.set_params(support_strategy="random").fit(tasks[:80])
    adapted, prior = adapted_and_prior_errors(random, tasks[80:], n_support)
    assert adapted > 1.3 * prior  # what the strategy is for


@by_name
def test_first_rows_that_last_help(meta):
    tasks = make_drifting_tasks(1.0, n_tasks=100)
    meta = meta.set_params(support_strategy="first").fit(tasks[:60])
    adapted, prior = adapted_and_prior_errors(meta, tasks[60:], 10)
    assert adapted < 0.5 * prior


@by_name
@pytest.mark.parametrize("n_support", [0, 10])
def test_intervals_of_later_rows_cover(meta, n_support):
    tasks = make_drifting_tasks(0.5, n_tasks=200)
    meta = meta.set_params(support_strategy="first").fit(tasks[:80])
    support, query = split_support_query(tasks[80:], n_support, strategy="first")
    z = []
    for model, task in zip(meta.fit_adapt_many(support), query, strict=True):
        mean, std = model.predict(task.X, return_std=True)
        z.append(np.abs(task.y - mean) / std)
    for level, quantile in ((0.8, 1.282), (0.95, 1.96)):
        assert abs(np.mean(np.concatenate(z) < quantile) - level) < 0.07


@pytest.mark.parametrize("meta", CLASSIFIERS, ids=lambda meta: type(meta).__name__)
@pytest.mark.parametrize("correlation", [0.0, 1.0])
def test_classes(meta, correlation):
    tasks = as_classes(make_drifting_tasks(correlation, n_tasks=90), scale=2.0)
    meta = meta.set_params(support_strategy="first").fit(tasks[:60])
    support, query = split_support_query(tasks[60:], 10, strategy="first")
    losses = [
        [log_loss(q.y, m.predict_proba(q.X), labels=meta.classes_) for m in (model, meta)]
        for model, q in zip(meta.fit_adapt_many(support), query, strict=True)
    ]
    adapted, prior = np.mean(losses, axis=0)
    assert adapted < (1.02 if correlation == 0 else 0.9) * prior


def test_values_of_nodes_are_predictions():
    tasks = make_drifting_tasks(0.5, n_tasks=60)
    meta = MetaDecisionTreeRegressor(
        max_depth=2, support_strategy="first", split_probability=0.0, preprocessor=None
    ).fit(tasks)
    model = meta.fit_adapt(tasks[0].X[:10], tasks[0].y[:10])
    assert_allclose(model.values_[meta.tree_.apply(tasks[1].X)], model.predict(tasks[1].X))


def test_values_hold_levels_where_those_are_all_there_is():
    """A column that is constant within tasks: taking levels off the target hides what it says."""
    rng = np.random.default_rng(0)
    of_task = rng.normal(size=(40, 1))
    X = np.broadcast_to(of_task, (40, 30))
    y = np.where(X > 0, 1.0, -1.0) + 0.5 * rng.normal(size=(40, 1)) + rng.normal(size=(40, 30))
    tasks = TaskCollection(X.reshape(-1, 1), y.ravel(), np.arange(41) * 30)
    table = MetaDecisionTreeRegressor(support_strategy="first")._table(tasks)
    everything = np.ones((1, 40), dtype=bool)
    levels = y.mean(axis=1, keepdims=True)  # all that tells tasks apart is taken off
    grown = plant(table, everything, Settings(max_depth=1, min_samples_leaf=2), levels, seed=0)
    whole = grown.with_levels(table, smoothing=0.0)
    leaves = whole.leaves[0]
    means = np.bincount(leaves, tasks.y) / np.maximum(np.bincount(leaves), 1)
    assert_allclose(whole.nodes[0].values[leaves, 0], means[leaves])
    assert_allclose(grown.nodes[0].values[leaves, 0], 0.0, atol=1e-9)


def test_order_of_rows_matters_only_where_it_is_time():
    tasks = make_drifting_tasks(0.0, n_tasks=40)
    rows = np.arange(len(tasks.y)).reshape(40, -1)[:, ::-1].ravel()
    backwards = TaskCollection(tasks.X[rows], tasks.y[rows], tasks.offsets)
    for strategy in ("random", "first"):
        meta = MetaForestRegressor(
            n_estimators=8,
            max_depth=3,
            support_strategy=strategy,
            preprocessor=None,
            random_state=0,
        )
        one, other = (meta.fit(c).node_variances_ for c in (tasks, backwards))
        assert np.allclose(one, other) == (strategy == "random")


@pytest.mark.parametrize("n_rows", [1, 2, 4])
def test_tiny_tasks(n_rows):
    tasks, _ = make_tree_tasks(n_tasks=30, n_rows=n_rows)
    meta = MetaForestRegressor(n_estimators=8, support_strategy="first", random_state=0).fit(tasks)
    assert meta.shots_.max() == n_rows // 2
    assert np.isfinite(meta.fit_adapt(tasks[0].X, tasks[0].y).predict(tasks.X)).all()


def test_bad_strategy():
    with pytest.raises(ValueError, match="support_strategy"):
        MetaForestRegressor(support_strategy="last").fit(make_tree_tasks(8)[0])

"""Meta forests: limits, and what they learn from tasks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss
from tree_tasks import as_classes, make_tree_tasks

from skmeta import (
    MetaDecisionTreeRegressor,
    MetaForestClassifier,
    MetaForestRegressor,
    TaskCollection,
    split_support_query,
)
from skmeta.datasets import make_linear_tasks


def test_trust_without_end_is_the_mean_of_the_trees():
    tasks, _ = make_tree_tasks()
    meta = MetaForestRegressor(
        n_estimators=10, node_variance=0.0, smoothing=0.0, preprocessor=None, random_state=0
    ).fit(tasks[:40])
    mean = np.mean([tree.predict(tasks.X) for tree in meta.estimators_], axis=0)
    for model in (meta, meta.fit_adapt(tasks[50].X, tasks[50].y)):
        assert_allclose(model.predict(tasks.X), mean)


def test_no_trust_goes_through_the_rows():
    """Rows that no tree tells apart share their mean; the others are met."""
    tasks, _ = make_tree_tasks()
    meta = MetaForestRegressor(
        n_estimators=30, max_depth=11, min_samples_leaf=1, node_variance=1e6, random_state=0
    ).fit(tasks[:40])
    new = tasks[50]
    assert_allclose(meta.fit_adapt(new.X, new.y).predict(new.X), new.y, atol=0.01)


def test_each_tree_leaves_out_tasks():
    tasks, _ = make_tree_tasks(n_tasks=20)
    meta = MetaForestRegressor(n_estimators=7, max_tasks=0.5)
    seen = meta._draw_seen(20, np.random.RandomState(0))
    assert seen.shape == (7, 20)
    assert_array_equal(seen.sum(axis=1), 10)
    assert len(meta.fit(tasks).estimators_) == 7


@pytest.mark.parametrize("n_support", [0, 5, 15])
def test_intervals_cover(n_support):
    tasks, _ = make_tree_tasks(160, 25)
    meta = MetaForestRegressor(n_estimators=20, random_state=0).fit(tasks[:80])
    support, query = split_support_query(tasks[80:], n_support)
    z = []
    for model, task in zip(meta.fit_adapt_many(support), query, strict=True):
        mean, std = model.predict(task.X, return_std=True)
        z.append(np.abs(task.y - mean) / std)
    # Steps are not normal: most rows are nearer than they would be, a few lie far off.
    assert 0.75 < np.mean(np.concatenate(z) < 1.282) < 0.92
    assert abs(np.mean(np.concatenate(z) < 1.96) - 0.95) < 0.04


def test_predicts_better_than_one_tree():
    tasks = make_linear_tasks(90, 30, 2, random_state=0)
    support, query = split_support_query(tasks[60:], 10)
    errors = []
    for meta in (MetaForestRegressor(random_state=0), MetaDecisionTreeRegressor(random_state=0)):
        models = meta.fit(tasks[:60]).fit_adapt_many(support)
        errors.append(
            np.mean(
                [np.mean((m.predict(q.X) - q.y) ** 2) for m, q in zip(models, query, strict=True)]
            )
        )
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_are_adapted_to(n_classes):
    tasks = make_linear_tasks(60, 30, 2, spread=1.0, random_state=0)
    edges = np.quantile(tasks.y, np.linspace(0, 1, n_classes + 1)[1:-1])
    tasks = tasks.with_storage(y=np.array(["a", "b", "c"])[np.searchsorted(edges, tasks.y)])
    meta = MetaForestClassifier(n_estimators=10, max_depth=6, random_state=0).fit(tasks[:45])
    support, query = split_support_query(tasks[45:], 15)
    losses = [
        [log_loss(q.y, m.predict_proba(q.X), labels=meta.classes_) for m in (model, meta)]
        for model, q in zip(meta.fit_adapt_many(support), query, strict=True)
    ]
    adapted, prior = np.mean(losses, axis=0)
    assert adapted < 0.9 * prior


def test_prior_probabilities_are_the_frequencies_of_the_trees():
    tasks = as_classes(make_tree_tasks(50)[0], scale=0.3)
    meta = MetaForestClassifier(n_estimators=10, preprocessor=None, random_state=0).fit(tasks)
    leaves = meta._prior.apply(tasks.X)
    assert_allclose(meta.predict_proba(tasks.X), meta._prior.values(leaves), atol=1e-9)


def test_threads_change_nothing():
    tasks, _ = make_tree_tasks(20)
    one, two = (
        MetaForestRegressor(n_estimators=8, n_jobs=n_jobs, random_state=3).fit(tasks)
        for n_jobs in (None, 2)
    )
    assert_array_equal(one.predict(tasks.X), two.predict(tasks.X))


@pytest.mark.parametrize("as_numbers", [True, False])
def test_supports_of_all_sizes_at_once(as_numbers):
    tasks, _ = make_tree_tasks(40, 30)
    tasks = tasks if as_numbers else as_classes(tasks)
    Meta = MetaForestRegressor if as_numbers else MetaForestClassifier
    meta = Meta(n_estimators=8, max_depth=4, random_state=0).fit(tasks[:30])
    sizes = np.array([0, 5, 30, 5, 0, 1, 12])
    X, y = tasks.X[900:953], tasks.y[900:953]
    ragged = TaskCollection(X, y, np.append(0, np.cumsum(sizes)))
    for model, task in zip(meta.fit_adapt_many(ragged), ragged, strict=True):
        alone = meta.fit_adapt(task.X, task.y) if task.n_rows else meta
        predict = "predict" if as_numbers else "predict_proba"
        assert_allclose(*(getattr(m, predict)(tasks.X) for m in (model, alone)), atol=1e-6)


@pytest.mark.parametrize("params", [{"n_estimators": 0}, {"max_features": 0.0}, {"max_tasks": 1.0}])
def test_bad_parameters(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        MetaForestRegressor(**params).fit(make_tree_tasks(8)[0])

"""Meta decision trees: limits, and what they learn from tasks."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tree_tasks import as_classes, make_tree_tasks

from skmeta import (
    MetaDecisionTreeClassifier,
    MetaDecisionTreeRegressor,
    TaskCollection,
    split_support_query,
)

FIXED = {"max_depth": 3, "min_samples_leaf": 5, "smoothing": 0.0, "split_probability": 0.0}


class TestLimits:
    def test_trust_without_end_is_the_pooled_tree(self):
        tasks, _ = make_tree_tasks()
        meta = MetaDecisionTreeRegressor(
            **FIXED, node_variance=0.0, center=False, preprocessor=None, random_state=0
        ).fit(tasks[:40])
        rows = tasks[:40]
        tree = DecisionTreeRegressor(max_depth=3, min_samples_leaf=5).fit(rows.X, rows.y)
        for model in (meta, meta.fit_adapt(tasks[50].X, tasks[50].y)):
            assert_allclose(model.predict(tasks.X), tree.predict(tasks.X))

    def test_trust_without_end_is_the_pooled_tree_of_classes(self):
        tasks = as_classes(make_tree_tasks()[0])
        meta = MetaDecisionTreeClassifier(
            **FIXED, node_variance=0.0, center=False, preprocessor=None, random_state=0
        ).fit(tasks[:40])
        rows = tasks[:40]
        tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5).fit(rows.X, rows.y)
        for model in (meta, meta.fit_adapt(tasks[50].X, tasks[50].y)):
            assert_allclose(model.predict_proba(tasks.X), tree.predict_proba(tasks.X), atol=1e-6)

    def test_no_trust_is_the_mean_of_a_task_in_each_leaf(self):
        tasks, _ = make_tree_tasks()
        meta = MetaDecisionTreeRegressor(
            **FIXED, node_variance=1e8, preprocessor=None, random_state=0
        ).fit(tasks[:40])
        new = tasks[50]
        model, leaf = meta.fit_adapt(new.X, new.y), meta.tree_.apply(new.X)
        means = np.bincount(leaf, new.y) / np.maximum(np.bincount(leaf), 1)
        assert_allclose(model.predict(new.X), means[leaf], atol=1e-5)

    def test_no_trust_is_the_frequency_of_a_task_in_each_leaf(self):
        tasks = as_classes(make_tree_tasks(n_rows=400)[0], scale=0.1)
        params = FIXED | {"max_depth": 1}
        meta = MetaDecisionTreeClassifier(**params, node_variance=100.0, preprocessor=None)
        new = tasks[50]
        model = meta.fit(tasks[:40]).fit_adapt(new.X, new.y)
        leaf = meta.tree_.apply(new.X)
        frequency = np.bincount(leaf, new.y == "ill") / np.maximum(np.bincount(leaf), 1)
        assert_allclose(model.predict_proba(new.X)[:, 1], frequency[leaf], atol=0.01)

    def test_no_rows_are_the_prior(self):
        tasks, _ = make_tree_tasks(n_tasks=30)
        for meta, data in (
            (MetaDecisionTreeRegressor(random_state=0), tasks),
            (MetaDecisionTreeClassifier(random_state=0), as_classes(tasks)),
        ):
            meta.fit(data)
            assert_allclose(meta.values_, meta.prior_values_, atol=1e-9)

    @pytest.mark.parametrize("Meta", [MetaDecisionTreeRegressor, MetaDecisionTreeClassifier])
    def test_one_task_leaves_the_defaults(self, Meta):
        X = np.random.default_rng(0).normal(size=(40, 2))
        y = (X[:, 0] > 0).astype(float)
        meta = Meta(random_state=0).fit(X, y)
        assert (meta.max_depth_, meta.min_samples_leaf_) == (6, 1)
        assert_array_equal(meta.predict(X) > 0.5, y > 0.5)


class TestLearning:
    def test_the_model_is_found(self):
        tasks, _ = make_tree_tasks(150, 40, spread=(1.0, 0.5, 0.7), noise=0.3)
        meta = MetaDecisionTreeRegressor(random_state=0).fit(tasks)
        assert meta.max_depth_ in (2, 3)
        assert_allclose(np.sqrt(meta.noise_variance_), 0.3, rtol=0.15)
        assert_allclose(np.sqrt(meta.node_variances_[:3]), [1.0, 0.5, 0.7], atol=0.25)
        assert (meta.node_variances_[3:] < 0.01).all()

    def test_tasks_that_do_not_differ_are_not_adapted_to(self):
        tasks, _ = make_tree_tasks(spread=(0.0, 0.0, 0.0), noise=1.0)
        meta = MetaDecisionTreeRegressor(random_state=0).fit(tasks[:50])
        model = meta.fit_adapt(tasks[55].X, tasks[55].y)
        assert np.abs(model.predict(tasks.X) - meta.predict(tasks.X)).max() < 0.35

    @pytest.mark.parametrize("n_support", [0, 3, 10])
    def test_adapting_helps_and_intervals_cover(self, n_support):
        tasks, _ = make_tree_tasks(160, 30)
        meta = MetaDecisionTreeRegressor(random_state=0).fit(tasks[:80])
        support, query = split_support_query(tasks[80:], n_support)
        models = meta.fit_adapt_many(support)
        z, errors = [], []
        for model, task in zip(models, query, strict=True):
            mean, std = model.predict(task.X, return_std=True)
            z.append(np.abs(task.y - mean) / std)
            errors.append([np.mean((p - task.y) ** 2) for p in (mean, meta.predict(task.X))])
        adapted, prior = np.mean(errors, axis=0)
        assert adapted <= prior if n_support == 0 else adapted < 0.8 * prior
        for level, quantile in ((0.8, 1.282), (0.95, 1.96)):
            assert abs(np.mean(np.concatenate(z) < quantile) - level) < 0.05

    def test_classes_are_adapted_to(self):
        tasks = as_classes(make_tree_tasks(80, 30, spread=(4.0, 2.0, 2.0))[0], scale=0.5)
        meta = MetaDecisionTreeClassifier(random_state=0).fit(tasks[:55])
        support, query = split_support_query(tasks[55:], 15)
        losses = [
            [log_loss(q.y, m.predict_proba(q.X), labels=meta.classes_) for m in (model, meta)]
            for model, q in zip(meta.fit_adapt_many(support), query, strict=True)
        ]
        adapted, prior = np.mean(losses, axis=0)
        assert adapted < 0.95 * prior

    def test_one_class_moves_all_leaves_towards_it(self):
        tasks = as_classes(make_tree_tasks(80)[0], scale=0.3)
        meta = MetaDecisionTreeClassifier(split_probability=0.0, random_state=0).fit(tasks)
        X = tasks.X[:8]
        up, down = (meta.fit_adapt(X, [name] * 8).values_[:, 1] for name in ("ill", "a well"))
        assert (up >= meta.values_[:, 1]).all()
        assert (down <= meta.values_[:, 1]).all()
        assert (up > down).any()

    def test_centering_finds_the_split_that_levels_of_tasks_hide(self):
        rng = np.random.default_rng(0)
        n_tasks, n_rows = 30, 10
        X = rng.normal(size=(n_tasks * n_rows, 6))
        y = np.repeat(10 * rng.normal(size=n_tasks), n_rows) + 2 * (X[:, 1] > 0)
        tasks = TaskCollection(X, y, np.arange(n_tasks + 1) * n_rows)
        for center in (True, False):
            meta = MetaDecisionTreeRegressor(
                max_depth=1, min_samples_leaf=20, center=center, random_state=0
            )
            assert (meta.fit(tasks).tree_.tree_.feature[0] == 1) == center

    def test_a_task_splits_a_leaf_of_its_own(self):
        tasks, _ = make_tree_tasks(60, 30)
        meta = MetaDecisionTreeRegressor(
            max_depth=2, split_probability=0.5, random_state=0, preprocessor=None
        ).fit(tasks)
        X = np.random.default_rng(0).uniform(-1, 1, size=(80, 2))
        step = 8 * (X[:, 0] > 0.5)  # where no other task has a step
        y = meta.predict(X) + step
        model = meta.fit_adapt(X, y)
        assert {feature for feature, _, _ in model.splits_.values()} == {0}
        assert model.score(X, y) > 0.95
        whole = meta.set_params(split_probability=0.0).fit(tasks).fit_adapt(X, y)
        assert not whole.splits_
        assert model.score(X, y) > whole.score(X, y)

    def test_supports_of_all_sizes_at_once(self):
        tasks, _ = make_tree_tasks(40, 30)
        meta = MetaDecisionTreeRegressor(split_probability=0.5, random_state=0).fit(tasks[:30])
        sizes = np.array([0, 1, 30, 7, 0, 12])
        X, y = tasks.X[900:950], tasks.y[900:950]
        ragged = TaskCollection(X, y, np.append(0, np.cumsum(sizes)))
        for model, task in zip(meta.fit_adapt_many(ragged), ragged, strict=True):
            expected = meta.fit_adapt(task.X, task.y) if task.n_rows else meta
            assert_allclose(model.predict(tasks.X), expected.predict(tasks.X))


class TestErrors:
    def test_needs_shared_classes(self):
        tasks = as_classes(make_tree_tasks(8)[0])
        own = TaskCollection(tasks.X, tasks.y, tasks.offsets, shared_target=False)
        with pytest.raises(ValueError, match="classes must mean the same in all tasks"):
            MetaDecisionTreeClassifier().fit(own)

    def test_needs_two_classes(self):
        with pytest.raises(ValueError, match="only one class: 'ill'"):
            MetaDecisionTreeClassifier().fit([[0.0], [1.0]], ["ill", "ill"])

    @pytest.mark.parametrize(
        "params",
        [
            {"max_depth": 0},
            {"min_samples_leaf": 0},
            {"node_variance": -1.0},
            {"smoothing": "none"},
            {"split_probability": 1.0},
            {"center": 2},
        ],
    )
    def test_bad_parameters(self, params):
        with pytest.raises(ValueError, match=next(iter(params))):
            MetaDecisionTreeRegressor(**params).fit(make_tree_tasks(8)[0])


def test_torch_is_not_imported():
    code = "import sys, skmeta.tree; assert not {'torch', 'optuna'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

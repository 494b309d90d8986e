"""Random effects of some weights only: against mixed models, and how they are named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skmeta import MetaLogisticRegression, MetaRidgeRegressor, TaskCollection, split_support_query

BOTH = [MetaRidgeRegressor, MetaLogisticRegression]


def simulate(n_tasks=150, n_rows=12, seed=0, second=0.0):
    """A random intercept and slope of the first column; the second's varies by `second`."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_tasks * n_rows, 2))
    own = rng.multivariate_normal([1.0, -1.0], [[1.0, 0.4], [0.4, 0.5]], size=n_tasks)
    own = np.repeat(np.column_stack([own, rng.normal(2.0, second, size=n_tasks)]), n_rows, axis=0)
    y = own[:, 0] + np.sum(own[:, 1:] * X, axis=1) + 0.7 * rng.normal(size=len(X))
    return TaskCollection(X, y, np.arange(n_tasks + 1) * n_rows)


def as_classes(tasks):
    return tasks.with_storage(y=(tasks.y > 0).astype(int))


class TestMixedModels:
    """The same predictions as restricted maximum likelihood: the hyperpriors are weak."""

    def predictions(self, random_effects, design):
        lm = pytest.importorskip("statsmodels.regression.mixed_linear_model")
        tasks = simulate(second=0.8)
        Z = np.column_stack([np.ones(tasks.n_rows), tasks.X])
        theirs = lm.MixedLM(tasks.y, Z, groups=tasks.row_task, exog_re=Z[:, design]).fit()
        meta = MetaRidgeRegressor(random_effects=random_effects, preprocessor=None, tol=1e-9)
        models = meta.fit(tasks).fit_adapt_many(tasks)
        ours = np.concatenate([m.predict(t.X) for m, t in zip(models, tasks, strict=True)])
        assert_allclose(meta.noise_variance_, theirs.scale, rtol=0.01)
        varying = meta.prior_covariance_[np.ix_(meta.varies_, meta.varies_)]
        assert_allclose(varying, theirs.cov_re, atol=0.03)
        return ours, theirs.fittedvalues

    def test_random_intercept(self):
        ours, theirs = self.predictions("intercept", [0])
        assert_allclose(ours, theirs, atol=0.02)

    @pytest.mark.parametrize(
        ("random_effects", "design"), [([0], [0, 1]), ([1], [0, 2]), ("all", [0, 1, 2])]
    )
    def test_random_slopes(self, random_effects, design):
        ours, theirs = self.predictions(random_effects, design)
        assert_allclose(ours, theirs, atol=0.05)

    def test_shrunken_mean_without_features(self):
        """The closed form: a task's mean moves to its rows' by n / (n + noise / variance)."""
        rng = np.random.default_rng(0)
        y = np.repeat(rng.normal(3, 1, size=100), 5) + rng.normal(size=500)
        tasks = TaskCollection(np.zeros((500, 1)), y, np.arange(101) * 5)
        meta = MetaRidgeRegressor(random_effects="intercept").fit(tasks)
        model = meta.fit_adapt(np.zeros((4, 1)), np.full(4, 5.0))
        share = 4 / (4 + meta.noise_variance_ / meta.prior_covariance_[0, 0])
        expected = meta.prior_intercept_ + share * (5.0 - meta.prior_intercept_)
        assert_allclose(model.intercept_, expected)


class TestFixedEffects:
    @pytest.mark.parametrize("Meta", BOTH)
    def test_are_the_same_for_all_tasks(self, Meta):
        tasks = simulate(40) if Meta is MetaRidgeRegressor else as_classes(simulate(40))
        meta = Meta(random_effects=[0]).fit(tasks)
        assert_array_equal(meta.varies_, [True, True, False])
        model = meta.fit_adapt(tasks[0].X, tasks[0].y)
        mean = np.ravel(getattr(meta, "prior_mean_", getattr(meta, "prior_coef_", None)))
        assert np.ravel(model.coef_)[1] == mean[1]
        assert abs(np.ravel(model.coef_)[0] - mean[0]) > 1e-3

    @pytest.mark.parametrize("Meta", BOTH)
    @pytest.mark.parametrize("covariance", ["full", "low_rank", "diagonal", "evidence"])
    def test_all_features_named_are_all(self, Meta, covariance):
        tasks = simulate(30) if Meta is MetaRidgeRegressor else as_classes(simulate(30))
        named = Meta(random_effects=[1, 0], covariance=covariance).fit(tasks)
        every = Meta(covariance=covariance).fit(tasks)
        assert_array_equal(named.prior_covariance_, every.prior_covariance_)

    def test_help_where_one_slope_varies(self):
        train, new = simulate(30, seed=1), simulate(200, seed=2)
        errors = {}
        for effects in ("all", "intercept", (0,)):
            meta = MetaRidgeRegressor(random_effects=effects).fit(train)
            models = [meta.fit_adapt(task.X[:4], task.y[:4]) for task in new]
            errors[effects] = np.mean(
                [(m.predict(t.X[4:]) - t.y[4:]) ** 2 for m, t in zip(models, new, strict=True)]
            )
        assert errors[(0,)] < min(errors["all"] * 1.01, errors["intercept"] - 0.1)

    def test_intervals_cover_from_few_tasks(self):
        inside = []
        for seed in range(20):
            tasks = simulate(40, seed=seed)
            meta = MetaRidgeRegressor(random_effects=[0]).fit(tasks[:8])
            support, query = split_support_query(tasks[8:], 3)
            for model, task in zip(meta.fit_adapt_many(support), query, strict=True):
                mean, std = model.predict(task.X, return_std=True)
                inside.append(np.abs(task.y - mean) < 1.645 * std)
        assert 0.86 < np.mean(inside) < 0.93


class TestNames:
    @pytest.mark.parametrize("Meta", BOTH)
    def test_a_feature_stands_for_all_its_columns(self, Meta):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame({"age": rng.normal(size=60), "ward": np.tile(["<0>", "b", "c"], 20)})
        frame.loc[3, "age"] = None
        y = rng.integers(2, size=60)
        for name, expected in (("ward", [1, 0, 0, 1, 1, 1]), ("age", [1, 1, 1, 0, 0, 0])):
            meta = Meta(random_effects=[name]).fit(frame, y, task_id=np.repeat(np.arange(6), 10))
            assert_array_equal(meta.varies_, np.array(expected, dtype=bool))

    def test_numbers_without_a_preprocessor(self):
        for preprocessor in (None, StandardScaler()):
            meta = MetaRidgeRegressor(random_effects=[1], preprocessor=preprocessor)
            assert_array_equal(meta.fit(simulate(5)).varies_, [True, False, True])

    def test_without_an_intercept(self):
        meta = MetaRidgeRegressor(random_effects=[1], fit_intercept=False).fit(simulate(5))
        assert_array_equal(meta.varies_, [False, True])

    @pytest.mark.parametrize("Meta", BOTH)
    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"random_effects": "slope"}, "random_effects"),
            ({"random_effects": ["age"]}, "a feature that X does not have: 'age'"),
            ({"random_effects": [2]}, "from 0 to 1: got 2"),
            ({"random_effects": [0.5]}, "names or numbers of features"),
            ({"random_effects": "intercept", "fit_intercept": False}, "needs fit_intercept=True"),
            ({"random_effects": [], "fit_intercept": False}, "names no feature"),
            (
                {"random_effects": [0], "preprocessor": PolynomialFeatures()},
                "6 columns out of 2",
            ),
            ({"rank": 0}, "rank"),
            ({"covariance": "spherical"}, "covariance"),
        ],
    )
    def test_errors(self, Meta, params, message):
        with pytest.raises(ValueError, match=message):
            Meta(**params).fit(as_classes(simulate(5)))

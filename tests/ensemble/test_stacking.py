"""Stacking: weights find what is right, and the guard keeps what is useless out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge

from skmeta import (
    BaseMetaLearner,
    MetaClassifierMixin,
    MetaLogisticRegression,
    MetaRegressorMixin,
    MetaRidgeRegressor,
    MetaStackingClassifier,
    MetaStackingRegressor,
    PooledClassifier,
    PooledRegressor,
    TaskCollection,
)
from skmeta.datasets import make_linear_tasks

TASKS = make_linear_tasks(n_tasks=40, n_rows=24, n_features=3, noise=0.3, random_state=0)
CLASSES = TASKS.with_storage(y=np.where(TASKS.y > 0, "ill", "well"))


def _noise(X):
    return np.sin(1e4 * X.sum(axis=1))


class NoisyRegressor(MetaRegressorMixin, BaseMetaLearner):
    """Predicts noise, the same for the same rows."""

    def _fit_tasks(self, tasks):
        self.fitted_ = True

    def _adapt(self, X, y):
        pass

    def predict(self, X):
        return 3 * _noise(self._validate_query(X))


class NoisyClassifier(MetaClassifierMixin, BaseMetaLearner):
    """Predicts noise, the same for the same rows."""

    def _fit_tasks(self, tasks):
        self.fitted_ = True

    def _adapt(self, X, y):
        pass

    def predict_proba(self, X):
        p = 0.5 + 0.45 * _noise(self._validate_query(X))
        return np.column_stack([p, 1 - p])


def same_tasks(n_tasks=40, n_rows=16, seed=0):
    """Tasks that do not differ, so that a support says nothing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_tasks * n_rows, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=len(X))
    return TaskCollection(X, y, np.arange(n_tasks + 1) * n_rows)


def regressor(**options):
    candidates = [
        ("pooled", PooledRegressor("linear")),
        ("noise", NoisyRegressor()),
        ("right", MetaRidgeRegressor()),
    ]
    return MetaStackingRegressor(candidates, **{"shots": [0, 5, 10], **options})


def classifier(**options):
    candidates = [
        ("pooled", PooledClassifier("linear")),
        ("noise", NoisyClassifier()),
        ("right", MetaLogisticRegression()),
    ]
    return MetaStackingClassifier(candidates, **{"shots": [0, 5, 10], **options})


BOTH = pytest.mark.parametrize(("stack", "tasks"), [(regressor, TASKS), (classifier, CLASSES)])


class TestWeights:
    @BOTH
    def test_the_right_candidate_is_found(self, stack, tasks):
        meta = stack().fit(tasks)
        assert meta.report_.names == ["pooled", "noise", "right"]
        assert meta.report_.best == "right"
        assert (meta.weights_[1:, 2] > 0.8).all()
        assert (meta.weights_[:, 1] < 0.03).all()

    @BOTH
    def test_weights_are_not_negative(self, stack, tasks):
        meta = stack(shots=[0, 2, 5, 10]).fit(tasks[:12])
        assert (meta.weights_ >= 0).all()
        if stack is regressor:  # those of classifiers also say how sure the pool is
            assert_allclose(meta.weights_.sum(axis=1), 1)

    def test_weights_are_learned_where_there_are_rows(self):
        meta = regressor(shots=[0, 5, 23, 24, 100]).fit(TASKS)
        assert_array_equal(meta.shots_, [0, 5, 23])

    def test_mixture_is_the_weighted_mean_and_between_shots_too(self):
        meta = regressor(guard=False, shots=[2, 10]).fit(TASKS[:12])
        X, y = TASKS[30].X, TASKS[30].y
        model = meta.fit_adapt(X[:5], y[:5])
        part = np.log(6 / 3) / np.log(11 / 3)
        weights = (1 - part) * meta.weights_[0] + part * meta.weights_[1]
        said = [
            0 if learner is None else weight * learner.fit_adapt(X[:5], y[:5]).predict(X)
            for weight, learner in zip(weights, meta.estimators_, strict=True)
        ]
        assert_allclose(model.predict(X), sum(said))

    def test_classes_are_pooled_by_their_logarithms(self):
        meta = classifier(guard=False, shots=[5]).fit(CLASSES[:12])
        X, y = CLASSES[30].X, CLASSES[30].y
        said = [
            0
            if learner is None
            else weight * np.log(learner.fit_adapt(X[:5], y[:5] == "well").predict_proba(X))
            for weight, learner in zip(meta.weights_[0], meta.estimators_, strict=True)
        ]
        product = np.exp(sum(said))
        expected = product / product.sum(axis=1, keepdims=True)
        assert_allclose(meta.fit_adapt(X[:5], y[:5]).predict_proba(X), expected)

    @BOTH
    def test_two_equal_candidates_share(self, stack, tasks):
        pooled, _, (_, right) = stack().estimators
        twice = [pooled, ("a", right), ("b", clone(right))]
        meta = stack().set_params(estimators=twice, shots=[5])
        meta.fit(tasks)
        assert_allclose(*meta.weights_[0, 1:], atol=0.02)

    @BOTH
    def test_same_seed_same_result(self, stack, tasks):
        first, second = stack().fit(tasks), stack().fit(tasks)
        assert_array_equal(first.weights_, second.weights_)
        assert str(first.report_) == str(second.report_)

    def test_learners_without_weight_are_not_fitted(self):
        meta = regressor(shots=[5]).fit(TASKS)
        used = meta.weights_[0] > 0
        assert [e is not None for e in meta.estimators_] == used.tolist()
        assert meta.named_estimators_["right"] is meta.estimators_[2]


class TestGuard:
    @pytest.mark.parametrize("seed", range(3))
    def test_useless_adaptation_is_left_to_the_pooled_model(self, seed):
        tasks = same_tasks(seed=seed)
        meta = regressor().fit(tasks[:35])
        pooled = PooledRegressor("linear").fit(tasks[:35])
        X, y = tasks[37].X, tasks[37].y
        for n in (2, 5, 10):
            model = meta.fit_adapt(X[:n], y[:n])
            assert_allclose(model.predict(X), pooled.predict(X), atol=0.05)

    def test_useless_adaptation_of_classes(self):
        tasks = same_tasks()
        tasks = tasks.with_storage(y=tasks.y > 0)
        meta = classifier().fit(tasks[:35])
        pooled = PooledClassifier("linear").fit(tasks[:35])
        X, y = tasks[37].X, tasks[37].y
        model = meta.fit_adapt(X[:5], y[:5])
        assert_allclose(model.predict_proba(X), pooled.predict_proba(X), atol=0.03)

    def test_noise_alone_has_no_trust(self):
        meta = MetaStackingRegressor([("noise", NoisyRegressor())], shots=[5]).fit(TASKS[:20])
        assert meta.report_.names == ["pooled", "noise"]
        assert meta.report_.trust[0] == 0
        assert_array_equal(meta.weights_, [[1.0, 0.0]])

    def test_the_pooled_model_of_the_user_is_the_reference(self):
        mine = ("mine", PooledRegressor(Ridge()))
        meta = MetaStackingRegressor([mine, ("right", MetaRidgeRegressor())], shots=[5]).fit(TASKS)
        assert meta.report_.reference == "mine"
        assert meta.report_.names == ["mine", "right"]

    def test_without_guard_nothing_is_added(self):
        candidates = [("noise", NoisyRegressor()), ("right", MetaRidgeRegressor())]
        meta = MetaStackingRegressor(candidates, guard=False, shots=[5]).fit(TASKS)
        assert meta.report_.reference is None
        assert meta.report_.names == ["noise", "right"]


class TestPredictions:
    def test_deviations_cover(self):
        meta = regressor().fit(TASKS[:25])
        hits = []
        for task in TASKS[25:]:
            mean, std = meta.fit_adapt(task.X[:5], task.y[:5]).predict(task.X[5:], return_std=True)
            hits.append(np.abs(task.y[5:] - mean) < 1.2816 * std)
        assert 0.7 < np.mean(hits) < 0.9

    @BOTH
    def test_zero_support_and_one_table(self, stack, tasks):
        meta = stack().fit(tasks)
        assert meta.n_support_ == 0
        assert len(meta.predict(tasks[0].X)) == 24
        table = stack().fit(tasks[0].X, tasks[0].y)  # nothing to validate on
        assert table.report_.trust[0] == 0
        assert "too few tasks" in table.report_.reason
        assert table.score(tasks[0].X, tasks[0].y) > 0.5

    def test_deviation_of_one_table(self):
        model = regressor().fit(TASKS[0].X, TASKS[0].y)
        _, std = model.predict(TASKS[0].X, return_std=True)
        assert (std > 0).all()

    def test_one_class_supports(self):
        meta = classifier().fit(CLASSES)
        task = CLASSES[3]
        one = task.y == "ill"
        proba = meta.fit_adapt(task.X[one][:4], task.y[one][:4]).predict_proba(task.X)
        assert proba.shape == (24, 2)
        assert (proba > 0).all()

    def test_a_class_that_is_rare_over_tasks(self):
        y = CLASSES.y.astype(object)
        y[:5] = "odd"  # in one task only: most folds do not know it
        meta = classifier(shots=[5]).set_params(estimators=[("right", MetaLogisticRegression())])
        meta.fit(CLASSES.with_storage(y=y.astype(str)))
        assert_array_equal(meta.classes_, ["ill", "odd", "well"])
        assert meta.fit_adapt(CLASSES.X[:8], y[:8].astype(str)).predict_proba(TASKS.X).shape[1] == 3

    def test_first_rows_as_support(self):
        # The first rows of a task are of no use, so what adapts to them is not trusted.
        rng = np.random.default_rng(0)
        y = TASKS.y.copy()
        start = TASKS.offsets[:-1, None] + np.arange(5)
        y[start] = 10 * rng.normal(size=start.shape)
        tasks = TASKS.with_storage(y=y)
        options = {"shots": [5], "support_strategy": "first"}
        first = regressor(**options).fit(tasks)
        assert first.report_.support_strategy == "first"
        assert first.weights_[0, 2] < 0.5 * regressor(shots=[5]).fit(TASKS).weights_[0, 2]


class TestReport:
    @BOTH
    def test_content(self, stack, tasks):
        report = stack().fit(tasks).report_
        assert report.losses.shape == report.errors.shape == report.weights.shape == (3, 3)
        assert report.stack_losses.shape == report.trust.shape == report.n_tasks.shape == (3,)
        right = report.names.index("right")
        assert report.losses[right, 2] < report.losses[right, 0]
        text = str(report)
        assert all(word in text for word in ["right", "noise", "pooled", "10 shots", "mixture"])
        assert "right has the largest weight" in report.reason
        assert "<table>" in report._repr_html_()


class TestErrors:
    def test_estimators(self):
        for bad in ([], [MetaRidgeRegressor()], [("a", 1, 2)]):
            with pytest.raises(ValueError, match="list of \\(name, meta-learner\\)"):
                MetaStackingRegressor(bad).fit(TASKS)
        with pytest.raises(TypeError, match="must be a meta-learner"):
            MetaStackingRegressor([("ridge", Ridge())]).fit(TASKS)
        with pytest.raises(ValueError, match="must be a regressor"):
            MetaStackingRegressor([("a", MetaLogisticRegression())]).fit(TASKS)
        same = ("a", MetaRidgeRegressor())
        with pytest.raises(ValueError, match="not unique"):
            MetaStackingRegressor([same, same]).fit(TASKS)

    @pytest.mark.parametrize("shots", [[-1], [0.5], []])
    def test_shots(self, shots):
        with pytest.raises(ValueError, match="shots must hold integers of at least 0"):
            regressor(shots=shots).fit(TASKS)

    def test_nested_parameters(self):
        meta = regressor().set_params(right__tol=0.1)
        assert meta.get_params()["right__tol"] == 0.1
        assert clone(meta).get_params()["right__tol"] == 0.1

"""Logistic regression over tasks against known answers."""

from __future__ import annotations

from copy import copy
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.special import expit, softmax
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from skmeta import MetaLogisticRegression, TaskCollection
from skmeta.linear_model import _laplace
from skmeta.linear_model._laplace import LogisticPrior, LogisticTasks, find_mode
from skmeta.linear_model._laplace_evidence import LaplaceEvidence, learn_logistic_prior
from skmeta.linear_model._shape import FULL, Shape
from skmeta.linear_model._softmax import contrasts, softmax_of_normal

SHAPES = [FULL, Shape("low_rank", 1), Shape("low_rank", 2), Shape("diagonal")]


def simulate(n_tasks=40, n_rows=30, n_classes=2, spread=1.0, seed=0):
    """Tasks whose weights vary around common ones."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_tasks * n_rows, 2))
    mean = np.array([[0.5, 1.0, -1.0], [-1.0, 0.0, 1.0], [0.0, -1.0, 1.0]])[:, :n_classes]
    weights = mean + spread * rng.normal(size=(n_tasks, 3, n_classes))
    Z = np.column_stack([np.ones(len(X)), X])
    logits = np.einsum("nd,ndc->nc", Z, np.repeat(weights, n_rows, axis=0))
    codes = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
    return TaskCollection(X, codes, np.arange(n_tasks + 1) * n_rows)


def ragged(n_classes, seed=0):
    """Tasks of very different lengths, two of them empty."""
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, 4, 0, 9, 30, 2, 1, 0, 6])
    Z = np.column_stack([np.ones(offsets[-1]), rng.normal(size=(offsets[-1], 2)) * [1.0, 3.0]])
    return LogisticTasks(Z, rng.integers(n_classes, size=offsets[-1]), offsets, n_classes)


def a_prior(n_classes, rank=None, seed=1):
    rng = np.random.default_rng(seed)
    n_weights = 3 * (n_classes - 1)
    root = rng.normal(size=(n_weights, rank or n_weights))
    return LogisticPrior(rng.normal(size=n_weights), root @ root.T)


class TestSoftmaxOfNormal:
    @pytest.mark.parametrize("n_classes", [2, 3, 5])
    def test_contrasts_reach_every_class_alike(self, n_classes):
        directions = contrasts(n_classes)
        assert np.linalg.matrix_rank(directions - directions.mean(axis=0)) == n_classes - 1
        if n_classes > 2:
            assert_allclose(directions.T @ directions, np.eye(n_classes - 1), atol=1e-12)
            assert_allclose(directions.sum(axis=0), 0.0, atol=1e-12)

    @pytest.mark.parametrize("n_classes", [2, 3, 5])
    def test_certain_logits_give_the_softmax(self, n_classes):
        mean = np.random.default_rng(0).normal(size=(6, n_classes - 1))
        proba = softmax_of_normal(mean, np.zeros((6, n_classes - 1, n_classes - 1)))
        assert_allclose(proba, softmax(mean @ contrasts(n_classes).T, axis=1), rtol=1e-3)

    def test_two_classes_give_mackays_approximation(self):
        proba = softmax_of_normal(np.array([[1.5]]), np.array([[[3.0]]]))
        assert_allclose(proba[0, 1], expit(1.5 / np.sqrt(1 + np.pi * 3.0 / 8)))

    @pytest.mark.parametrize(("n_classes", "error"), [(2, 0.02), (3, 0.004), (6, 0.004)])
    def test_is_near_the_mean_over_draws(self, n_classes, error):
        rng = np.random.default_rng(n_classes)
        root = rng.normal(size=(n_classes - 1, n_classes - 1))
        mean = rng.normal(size=n_classes - 1)
        free = mean + rng.normal(size=(200_000, n_classes - 1)) @ root.T
        drawn = softmax(free @ contrasts(n_classes).T, axis=1).mean(axis=0)
        assert_allclose(softmax_of_normal(mean[None], (root @ root.T)[None])[0], drawn, atol=error)

    def test_extreme_logits(self):
        proba = softmax_of_normal(np.array([[1e4, 0.0]]), np.zeros((1, 2, 2)))
        assert np.isfinite(proba).all()
        assert_allclose(proba.max(), 1.0)


class TestPosterior:
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_many_at_once_are_the_same_as_one_by_one(self, n_classes):
        tasks, prior = ragged(n_classes), a_prior(n_classes)
        together = prior.posterior_many(tasks)
        for t, (start, stop) in enumerate(pairwise(tasks.offsets)):
            alone = LogisticTasks(
                tasks.Z[start:stop], tasks.codes[start:stop], np.array([0, stop - start]), n_classes
            )
            for one, many in zip(prior.posterior_many(alone), together, strict=True):
                assert_allclose(many[t], one[0], atol=1e-7)

    @pytest.mark.parametrize("n_classes", [2, 4])
    def test_score_vanishes_at_the_mode(self, n_classes):
        tasks, prior = ragged(n_classes), a_prior(n_classes)
        modes, _, covariances = prior.posterior_many(tasks)
        precision = np.linalg.inv(prior.covariance)
        for numbers, block in tasks.blocks():
            proba = block.proba(modes[numbers])
            pull = (modes[numbers] - prior.mean) @ precision
            assert_allclose(block.score(proba), pull, atol=1e-6)
            curvature = block.information(proba) + precision
            assert_allclose(np.linalg.inv(curvature), covariances[numbers], atol=1e-6)

    def test_mean_is_nearer_to_the_integral_than_the_mode(self):
        z, codes = np.array([0.5, -1.0, 2.0, 1.0, 1.5]), np.array([1, 0, 1, 1, 1])
        tasks = LogisticTasks(z[:, None], codes, np.array([0, 5]), 2)
        mode, mean, _ = LogisticPrior(np.zeros(1), np.eye(1)).posterior_many(tasks)
        grid = np.linspace(-8, 8, 4001)
        density = expit((2 * codes - 1) * z * grid[:, None]).prod(axis=1) * norm.pdf(grid)
        truth = np.average(grid, weights=density)
        assert mode[0, 0] < truth
        assert abs(mean[0, 0] - truth) < 0.3 * abs(mode[0, 0] - truth)

    def test_without_rows_is_the_prior(self):
        tasks, prior = ragged(3), a_prior(3)
        modes, means, covariances = prior.posterior_many(tasks)
        for empty in (1, 6):
            assert_array_equal(modes[empty], prior.mean)
            assert_array_equal(means[empty], prior.mean)
            assert_array_equal(covariances[empty], prior.covariance)

    def test_singular_covariance_moves_along_its_range_only(self):
        prior = a_prior(2, rank=1)
        moves = prior.posterior_many(ragged(2)).mean - prior.mean
        assert np.linalg.matrix_rank(moves, tol=1e-8) == 1
        fixed = LogisticPrior(prior.mean, np.zeros((3, 3)))
        assert_array_equal(fixed.posterior_many(ragged(2)).mean, np.tile(prior.mean, (8, 1)))

    @pytest.mark.parametrize("rank", [60, 5])
    def test_many_weights_seen_by_few_rows(self, rank, monkeypatch):
        """Among the weights that rows say something of, or among all: the posterior is the same."""
        rng = np.random.default_rng(0)
        factor = rng.normal(size=(60, rank))
        prior = LogisticPrior(rng.normal(size=60), factor @ factor.T / rank)
        Z, codes = rng.normal(size=(12, 20)), rng.integers(0, 4, 12)
        tasks = LogisticTasks(Z, codes, np.array([0, 3, 3, 7, 12]), 4)
        among_all = prior.posterior_many(tasks)
        monkeypatch.setattr(_laplace, "_MANY_WEIGHTS", 2)
        for few, every in zip(prior.posterior_many(tasks), among_all, strict=True):
            assert_allclose(few, every, atol=1e-9)

    def test_vague_prior_on_separable_rows(self):
        tasks = LogisticTasks(np.array([[-1.0], [1.0]]), np.array([0, 1]), np.array([0, 2]), 2)
        posterior = LogisticPrior(np.zeros(1), np.full((1, 1), 1e8)).posterior_many(tasks)
        assert 10 < posterior.mode[0, 0] < 100
        assert np.isfinite(posterior.mean).all()
        assert np.isfinite(posterior.covariance).all()


class TestEvidence:
    def test_is_near_the_integral(self):
        z, codes = np.array([0.5, -1.0, 2.0, 1.0]), np.array([1, 0, 0, 1])
        tasks = LogisticTasks(z[:, None], codes, np.array([0, 4]), 2)
        ((_, block),) = tasks.blocks()
        mode = find_mode(block, np.array([0.3]), np.array([[0.8]]))

        def joint(w):
            return np.prod(expit((2 * codes - 1) * z * w)) * norm.pdf(w, 0.3, 0.8)

        assert_allclose(np.exp(mode.log_evidence[0]), quad(joint, -10, 10)[0], rtol=0.03)

    @pytest.mark.parametrize("n_classes", [2, 3, 4])
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("varying", [[1, 1, 1], [1, 0, 1], [0, 0, 0]])
    def test_gradient(self, n_classes, shape, varying):
        objective = LaplaceEvidence(ragged(n_classes), shape, np.array(varying, dtype=bool))
        rng = np.random.default_rng(0)
        point = objective.start(None)
        point += 0.3 * rng.normal(size=len(point))
        _, gradient = objective(point)
        nudges = 1e-5 * np.eye(len(point))
        numeric = [(objective(point + e)[0] - objective(point - e)[0]) / 2e-5 for e in nudges]
        assert_allclose(gradient, numeric, atol=1e-4)

    def test_small_blocks_change_nothing(self, monkeypatch):
        whole = LaplaceEvidence(ragged(3), FULL)
        monkeypatch.setattr("skmeta.linear_model._blocks.BLOCK", 50)
        parts = LaplaceEvidence(ragged(3), FULL)
        assert len(parts.blocks) > len(whole.blocks)
        point = whole.start(None)
        assert_allclose(parts(point)[0], whole(point)[0], rtol=1e-10)
        assert_allclose(parts(point)[1], whole(point)[1], atol=1e-7)

    @pytest.mark.parametrize("shape", [FULL, Shape("diagonal")])
    def test_starts_from_an_earlier_prior(self, shape):
        tasks = ragged(3)
        cold = learn_logistic_prior(tasks, shape, tol=1e-9)
        warm = learn_logistic_prior(tasks, shape, tol=1e-9, init=cold.prior)
        assert warm.n_iter < cold.n_iter
        assert_allclose(warm.objective, cold.objective, atol=1e-3)

    def test_low_rank_of_enough_directions_is_full(self):
        data = simulate(60, 20)
        Z = np.column_stack([np.ones(data.n_rows), data.X])
        tasks = LogisticTasks(Z, data.y, data.offsets, 2)
        full = learn_logistic_prior(tasks, FULL, tol=1e-10)
        same = learn_logistic_prior(tasks, Shape("low_rank", 3), tol=1e-10)
        assert_array_equal(same.prior.covariance, full.prior.covariance)
        near = learn_logistic_prior(tasks, Shape("low_rank", 2), tol=1e-10)
        assert_allclose(near.objective, full.objective, atol=1e-2)
        assert_allclose(near.prior.covariance, full.prior.covariance, atol=0.02)

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_all_fixed_is_logistic_regression(self, n_classes):
        data = simulate(30, 20, n_classes)
        tasks = LogisticTasks(data.X, data.y, data.offsets, n_classes)
        learned = learn_logistic_prior(tasks, varying=np.zeros(2, dtype=bool), tol=1e-10)
        pooled = LogisticRegression(C=1e4, fit_intercept=False, tol=1e-8).fit(data.X, data.y)
        by_class = learned.prior.mean.reshape(2, -1)
        if n_classes > 2:
            by_class = by_class @ contrasts(n_classes).T
        assert_allclose(by_class.T, pooled.coef_, atol=0.02)
        assert_array_equal(learned.prior.covariance, 0.0)


class TestLearning:
    @pytest.mark.parametrize("covariance", ["full", "diagonal"])
    def test_recovers_a_known_prior(self, covariance):
        meta = MetaLogisticRegression(covariance=covariance, preprocessor=None)
        meta.fit(simulate(n_tasks=800, n_rows=25, spread=0.7))
        # The logit of two classes is a difference of two weights.
        assert_allclose(meta.prior_coef_, [[1.0, -1.0]], atol=0.15)
        assert_allclose(meta.prior_intercept_, [0.5], atol=0.15)
        assert_allclose(meta.prior_covariance_, 2 * 0.7**2 * np.eye(3), atol=0.15)

    def test_recovers_a_known_prior_of_three_classes(self):
        meta = MetaLogisticRegression(preprocessor=None)
        meta.fit(simulate(n_tasks=500, n_rows=40, n_classes=3))
        truth = np.array([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]])
        assert_allclose(meta.prior_coef_, truth - truth.mean(axis=0), atol=0.2)
        assert_allclose(meta.prior_covariance_, np.eye(6), atol=0.25)

    def test_adapting_beats_the_prior_and_the_rows_alone(self):
        tasks = simulate(n_tasks=300, n_rows=40, n_classes=3)
        meta = MetaLogisticRegression().fit(tasks[:80])
        losses = []
        for task in tasks[80:]:
            X, y, rest, truth = task.X[:12], task.y[:12], task.X[12:], task.y[12:]
            model = meta.fit_adapt(X, y)
            certain = copy(model)
            certain.coef_covariance_ = np.zeros_like(model.coef_covariance_)
            candidates = [m.predict_proba(rest) for m in (model, meta, certain)]
            if len(np.unique(y)) == 3:
                alone = LogisticRegression().fit(X, y)
                candidates.append(alone.predict_proba(rest))
                losses.append([log_loss(truth, p, labels=[0, 1, 2]) for p in candidates])
        adapted, prior, certain, alone = np.mean(losses, axis=0)
        assert adapted < min(prior, alone) - 0.02
        assert adapted < certain

    def test_separable_tasks_have_finite_weights(self):
        X = np.tile([[-2.0], [-1.0], [1.0], [2.0]], (5, 1))
        tasks = TaskCollection(X, np.tile([0, 0, 1, 1], 5), np.arange(6) * 4)
        meta = MetaLogisticRegression(covariance="full").fit(tasks)
        proba = meta.predict_proba([[-2.0], [2.0]])
        assert proba[0, 0] > 0.9
        assert proba[1, 1] > 0.9
        assert np.abs(meta.prior_coef_).max() < 100

    def test_constant_zero_column_has_no_weight(self):
        tasks = simulate()
        wide = tasks.with_storage(np.column_stack([tasks.X, np.zeros(tasks.n_rows)]))
        meta = MetaLogisticRegression(preprocessor=None, covariance="full").fit(wide)
        narrow = MetaLogisticRegression(preprocessor=None, covariance="full").fit(tasks)
        assert meta.prior_coef_[0, 2] == 0.0
        assert_array_equal(meta.prior_covariance_[3], np.zeros(4))
        assert_allclose(meta.prior_coef_[0, :2], narrow.prior_coef_[0], rtol=1e-6)

    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_without_any_column(self, fit_intercept):
        tasks = simulate().with_storage(np.zeros((1200, 2)))
        meta = MetaLogisticRegression(fit_intercept=fit_intercept, preprocessor=None).fit(tasks)
        rate = np.mean(tasks.y) if fit_intercept else 0.5
        assert_allclose(meta.predict_proba([[0.0, 0.0]])[0, 1], rate, atol=0.05)

    @settings(max_examples=15, deadline=None)
    @given(
        units=st.lists(st.floats(-4, 4), min_size=2, max_size=2), n_classes=st.sampled_from([2, 3])
    )
    def test_units_of_columns_do_not_matter(self, units, n_classes):
        tasks, units = simulate(12, 8, n_classes), 10.0 ** np.array(units)
        results = []
        for scale in (np.ones(2), units):
            meta = MetaLogisticRegression(fit_intercept=False, preprocessor=None, tol=1e-8)
            model = meta.fit(tasks.with_storage(tasks.X * scale)).fit_adapt(
                tasks.X[:5] * scale, tasks.y[:5]
            )
            results.append(model.predict_proba(tasks.X[5:9] * scale))
        assert_allclose(results[1], results[0], atol=1e-3)

    @pytest.mark.parametrize("covariance", ["full", "low_rank", "diagonal"])
    def test_order_of_classes_does_not_matter(self, covariance):
        tasks, order = simulate(n_classes=3), np.array([2, 0, 1])
        meta = MetaLogisticRegression(covariance=covariance, rank=1, tol=1e-9)
        plain = meta.fit(tasks).fit_adapt(tasks.X[:7], tasks.y[:7]).predict_proba(tasks.X[7:12])
        renamed = meta.fit(tasks.with_storage(y=order[tasks.y]))
        renamed = renamed.fit_adapt(tasks.X[:7], order[tasks.y[:7]]).predict_proba(tasks.X[7:12])
        assert_allclose(renamed[:, order], plain, atol=2e-3)

    def test_auto_is_full_where_tasks_are_many(self):
        few, many = (MetaLogisticRegression().fit(simulate(n)) for n in (2, 40))
        assert (few.covariance_, many.covariance_) == ("diagonal", "full")

    def test_structure_by_evidence(self):
        tasks = simulate(40, n_rows=60)
        independent = MetaLogisticRegression(covariance="evidence").fit(tasks)
        assert independent.covariance_ == "diagonal"
        rng = np.random.default_rng(0)
        common = np.repeat(2 * rng.normal(size=(40, 1)) * [1.0, -1.0, 1.0], 60, axis=0)
        logits = np.sum(np.column_stack([np.ones(2400), tasks.X]) * common, axis=1)
        tasks = tasks.with_storage(y=(rng.logistic(size=2400) < logits).astype(int))
        correlated = MetaLogisticRegression(covariance="evidence").fit(tasks)
        assert correlated.covariance_ != "diagonal"


class TestEstimator:
    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize("variance", [0.1, 1.0, 30.0])
    def test_fixed_isotropic_prior_gives_scikit_learns(self, n_classes, variance):
        tasks = simulate(n_classes=n_classes)
        meta = MetaLogisticRegression(fit_intercept=False, preprocessor=None).fit(tasks)
        n_weights = 2 * (n_classes - 1)
        meta._prior = LogisticPrior(np.zeros(n_weights), variance * np.eye(n_weights))
        X, y = tasks.X[:50], tasks.y[:50]
        theirs = LogisticRegression(C=variance, fit_intercept=False, tol=1e-10).fit(X, y)
        model = meta.fit_adapt(X, y)
        assert_allclose(model.coef_, theirs.coef_, atol=1e-4)
        assert model.intercept_.shape == theirs.intercept_.shape

    def test_needs_shared_classes(self):
        tasks = simulate()
        own = TaskCollection(tasks.X, tasks.y, tasks.offsets, shared_target=False)
        with pytest.raises(ValueError, match="classes must mean the same in all tasks"):
            MetaLogisticRegression().fit(own)

    def test_needs_two_classes(self):
        with pytest.raises(ValueError, match="only one class: 'ill'"):
            MetaLogisticRegression().fit([[0.0], [1.0]], ["ill", "ill"])

    def test_partial_fit_learns_from_all_tasks(self):
        tasks = simulate()
        meta = MetaLogisticRegression(covariance="diagonal", tol=1e-9, preprocessor=None)
        whole = meta.fit(tasks).prior_coef_
        parts = meta.partial_fit(tasks[:20], classes=[0, 1])
        parts = MetaLogisticRegression(covariance="diagonal", tol=1e-9, preprocessor=None)
        parts.partial_fit(tasks[:20], classes=[0, 1]).partial_fit(tasks[20:])
        assert_allclose(parts.prior_coef_, whole, atol=1e-3)

    def test_an_adapted_model_does_not_go_on_learning(self):
        tasks = simulate()
        model = MetaLogisticRegression().fit(tasks).fit_adapt(tasks.X[:5], tasks.y[:5])
        with pytest.raises(ValueError, match="adapted to one task"):
            model.partial_fit(tasks)

    def test_warns_where_iterations_run_out(self):
        with pytest.warns(ConvergenceWarning, match="max_iter=1"):
            MetaLogisticRegression(max_iter=1).fit(simulate())

    def test_one_class_support_moves_towards_it(self):
        meta = MetaLogisticRegression().fit(simulate(n_classes=3))
        X = np.zeros((6, 2))
        model = meta.fit_adapt(X, np.full(6, 2))
        assert model.predict_proba(X)[0, 2] > meta.predict_proba(X)[0, 2] + 0.1
        assert model.predict_proba(X).max() < 0.99

"""The hierarchical linear model against known answers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import block_diag
from scipy.stats import multivariate_normal, norm
from sklearn.linear_model import Ridge

from skmeta.linear_model._hierarchical import (
    LinearStatistics,
    WeightPrior,
    _PenalisedEvidence,
    learn_prior,
    log_evidence,
)

MEAN = np.array([2.0, -1.0])
COVARIANCE = np.array([[1.0, 0.6], [0.6, 4.0]])
NOISE_VARIANCE = 0.25


def simulate(n_tasks, n_rows, seed=0):
    """Rows of tasks drawn from a known prior, with an intercept: (Z, y, offsets)."""
    rng = np.random.default_rng(seed)
    Z = np.column_stack([np.ones(n_tasks * n_rows), rng.normal(size=n_tasks * n_rows)])
    weights = rng.multivariate_normal(MEAN, COVARIANCE, size=n_tasks)
    y = (Z * np.repeat(weights, n_rows, axis=0)).sum(axis=1)
    y += rng.normal(scale=NOISE_VARIANCE**0.5, size=len(y))
    return Z, y, np.arange(n_tasks + 1) * n_rows


def ragged(n_features=3, seed=0):
    """Tasks of very different lengths, two of them empty: (Z, y, offsets)."""
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, 4, 0, 1, 70, 9, 2, 0, 5])
    return rng.normal(size=(offsets[-1], n_features)), rng.normal(size=offsets[-1]), offsets


def a_prior(n_features=3, rank=None, seed=1):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_features, rank or n_features))
    return WeightPrior(rng.normal(size=n_features), root @ root.T, 0.7)


class TestLinearStatistics:
    def test_sums_over_each_task(self):
        Z, y, offsets = ragged()
        statistics = LinearStatistics.from_rows(Z, y, offsets)
        for t, (start, stop) in enumerate(pairwise(offsets)):
            rows, targets = Z[start:stop], y[start:stop]
            assert_allclose(statistics.gram[t], rows.T @ rows, atol=1e-12)
            assert_allclose(statistics.moment[t], rows.T @ targets, atol=1e-12)
            assert_allclose(statistics.energy[t], targets @ targets, atol=1e-12)
        assert_array_equal(statistics.n_rows, np.diff(offsets))

    def test_small_blocks_change_nothing(self, monkeypatch):
        Z, y, offsets = ragged()
        whole = LinearStatistics.from_rows(Z, y, offsets)
        before = learn_prior(whole)
        monkeypatch.setattr("skmeta.linear_model._hierarchical._BLOCK", 20)
        assert_allclose(LinearStatistics.from_rows(Z, y, offsets).gram, whole.gram, rtol=1e-12)
        assert_allclose(learn_prior(whole).prior.covariance, before.prior.covariance, rtol=1e-6)

    def test_appended_tasks(self):
        Z, y, offsets = ragged()
        both = LinearStatistics.from_rows(Z, y, offsets)
        cut = offsets[3]
        first = LinearStatistics.from_rows(Z[:cut], y[:cut], offsets[:4])
        second = LinearStatistics.from_rows(Z[cut:], y[cut:], offsets[3:] - cut)
        joined = first + second
        assert len(joined) == len(both)
        assert_allclose(joined.gram, both.gram)
        assert_array_equal(joined[3:].n_rows, second.n_rows)

    def test_different_features_do_not_append(self):
        narrow = LinearStatistics.from_rows(np.ones((1, 1)), np.ones(1), [0, 1])
        wide = LinearStatistics.from_rows(np.ones((1, 2)), np.ones(1), [0, 1])
        with pytest.raises(ValueError, match="same number of features: got 1 and 2"):
            narrow + wide

    @pytest.mark.parametrize(
        ("Z", "y", "offsets", "message"),
        [
            (np.ones(3), np.ones(3), [0, 3], "Z must be 2-D"),
            (np.ones((3, 1)), np.ones(2), [0, 3], "one value per row"),
            (np.ones((3, 1)), np.ones(3), [0, 2], "from 0 to the number of rows, 3"),
            (np.ones((3, 1)), np.ones(3), [], "from 0 to the number of rows, 3"),
            (np.ones((3, 1)), np.ones(3), [0, 2, 1, 3], "must not decrease"),
        ],
    )
    def test_bad_rows(self, Z, y, offsets, message):
        with pytest.raises(ValueError, match=message):
            LinearStatistics.from_rows(Z, y, offsets)


class TestPosterior:
    def test_is_ridge_for_an_isotropic_prior(self):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(12, 4)), rng.normal(size=12)
        ridge = Ridge(alpha=0.5 / 2.0, fit_intercept=False).fit(X, y)
        mean, _ = WeightPrior(np.zeros(4), 2.0 * np.eye(4), 0.5).posterior(X, y)
        assert_allclose(mean, ridge.coef_, rtol=1e-10)

    @pytest.mark.parametrize("rank", [3, 1])
    def test_is_the_conditional_of_the_joint_normal(self, rank):
        rng = np.random.default_rng(2)
        prior = a_prior(rank=rank)
        Z, y = rng.normal(size=(5, 3)), rng.normal(size=5)
        mean, covariance = prior.posterior(Z, y)
        cross = prior.covariance @ Z.T
        gain = cross @ np.linalg.inv(Z @ cross + prior.noise_variance * np.eye(5))
        assert_allclose(mean, prior.mean + gain @ (y - Z @ prior.mean), rtol=1e-8)
        assert_allclose(covariance, prior.covariance - gain @ cross.T, atol=1e-10)

    @pytest.mark.parametrize("rank", [3, 1])
    def test_many_at_once_are_the_same(self, rank):
        Z, y, offsets = ragged()
        prior = a_prior(rank=rank)
        statistics = LinearStatistics.from_rows(Z, y, offsets)
        means, covariances = prior.posterior_many(statistics)
        for t, (start, stop) in enumerate(pairwise(offsets)):
            mean, covariance = prior.posterior(Z[start:stop], y[start:stop])
            assert_allclose(means[t], mean, atol=1e-9)
            assert_allclose(covariances[t], covariance, atol=1e-9)

    def test_without_rows_is_the_prior(self):
        prior = a_prior()
        mean, covariance = prior.posterior(np.empty((0, 3)), np.empty(0))
        assert_array_equal(mean, prior.mean)
        assert_array_equal(covariance, prior.covariance)
        empty = LinearStatistics.from_rows(np.empty((0, 3)), np.empty(0), [0, 0])
        means, covariances = prior.posterior_many(empty)
        assert_array_equal(means[0], prior.mean)
        assert_array_equal(covariances[0], prior.covariance)

    def test_zero_covariance_cannot_be_moved(self):
        prior = WeightPrior(np.ones(2), np.zeros((2, 2)), 1.0)
        mean, covariance = prior.posterior(np.eye(2), np.array([5.0, 5.0]))
        assert_array_equal(mean, np.ones(2))
        assert_array_equal(covariance, np.zeros((2, 2)))

    def test_features_of_very_different_units(self):
        prior = a_prior()
        rng = np.random.default_rng(0)
        Z, y, units = rng.normal(size=(4, 3)), rng.normal(size=4), np.array([1e-9, 1.0, 1e9])
        rescaled = WeightPrior(
            prior.mean / units, prior.covariance / np.outer(units, units), prior.noise_variance
        )
        mean, _ = rescaled.posterior(Z * units, y)
        assert_allclose(mean * units, prior.posterior(Z, y)[0], rtol=1e-8)

    @pytest.mark.parametrize("noise_variance", [1e-8, 1e-20])
    def test_almost_no_noise(self, noise_variance):
        rng = np.random.default_rng(0)
        prior = WeightPrior(np.zeros(5), np.eye(5), noise_variance)
        Z, weights = rng.normal(size=(40, 5)), rng.normal(size=5)
        statistics = LinearStatistics.from_rows(Z, Z @ weights, [0, 3, 40])
        means, _ = prior.posterior_many(statistics)
        assert np.isfinite(means).all()
        assert_allclose(means[1], weights, rtol=1e-6)
        assert_allclose(prior.posterior(Z[3:], Z[3:] @ weights)[0], weights, rtol=1e-6)
        few, _ = prior.posterior(Z[:3], Z[:3] @ weights)
        assert_allclose(Z[:3] @ few, Z[:3] @ weights, atol=1e-6)

    def test_wrong_number_of_features(self):
        with pytest.raises(ValueError, match="Z has 2 features, the prior has 3"):
            a_prior().posterior(np.ones((1, 2)), np.ones(1))
        statistics = LinearStatistics.from_rows(np.ones((1, 2)), np.ones(1), [0, 1])
        with pytest.raises(ValueError, match="statistics have 2 features, the prior has 3"):
            a_prior().posterior_many(statistics)

    @pytest.mark.parametrize(
        ("mean", "covariance", "noise_variance", "message"),
        [
            (np.zeros(2), np.eye(3), 1.0, "covariance must be square with the size of mean"),
            (np.zeros(2), np.full((2, 2), np.nan), 1.0, "must be finite"),
            (np.zeros(2), np.eye(2), 0.0, "noise_variance must be positive: got 0.0"),
        ],
    )
    def test_bad_prior(self, mean, covariance, noise_variance, message):
        with pytest.raises(ValueError, match=message):
            WeightPrior(mean, covariance, noise_variance)


class TestEvidence:
    @pytest.mark.parametrize("rank", [3, 1])
    def test_is_the_density_of_the_marginal(self, rank):
        Z, y, offsets = ragged()
        prior = a_prior(rank=rank)
        values = log_evidence(prior, LinearStatistics.from_rows(Z, y, offsets))
        for t, (start, stop) in enumerate(pairwise(offsets)):
            rows, n_rows = Z[start:stop], stop - start
            covariance = rows @ prior.covariance @ rows.T + prior.noise_variance * np.eye(n_rows)
            expected = (
                multivariate_normal(rows @ prior.mean, covariance).logpdf(y[start:stop])
                if n_rows
                else 0.0
            )
            assert_allclose(values[t], expected, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("structure", ["full", "diagonal"])
    def test_with_the_mean_integrated_out(self, structure):
        Z, y, offsets = ragged()
        filled = LinearStatistics.from_rows(Z, y, np.unique(offsets))
        objective = _PenalisedEvidence(filled, structure)
        factor, noise, mean_variance = np.diag([0.5, 1.0, 2.0]), 0.3, 1.7
        step, _ = objective._mean_step(factor, noise, mean_variance)

        units = np.diag(objective.units)
        weights = units @ factor @ factor.T @ units
        tasks = np.split(Z, np.unique(offsets)[1:-1])
        covariance = block_diag(*[rows @ weights @ rows.T for rows in tasks])
        covariance += mean_variance * Z @ units @ units @ Z.T
        covariance += noise * objective.power * np.eye(len(y))
        expected = multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)
        assert_allclose(step.log_evidence, expected, rtol=1e-9)

    @pytest.mark.parametrize("structure", ["full", "diagonal"])
    def test_plain_em_climbs(self, structure):
        objective = _PenalisedEvidence(LinearStatistics.from_rows(*simulate(15, 4)), structure)
        point, values = objective.start(None), []
        for _ in range(200):
            value, point = objective(point)
            values.append(value)
        assert np.diff(values).min() > -1e-9

        value = objective(point)[0]
        for nudge in 1e-3 * np.eye(len(point)):
            assert objective(point + nudge)[0] < value
            assert objective(point - nudge)[0] < value


class TestLearning:
    def test_recovers_a_known_prior(self):
        prior = learn_prior(LinearStatistics.from_rows(*simulate(4000, 8))).prior
        assert_allclose(prior.mean, MEAN, atol=0.1)
        assert_allclose(prior.covariance, COVARIANCE, atol=0.2)
        assert_allclose(prior.noise_variance, NOISE_VARIANCE, rtol=0.03)

    def test_recovers_variances_from_two_rows_a_task(self):
        prior = learn_prior(LinearStatistics.from_rows(*simulate(4000, 2))).prior
        assert_allclose(prior.covariance, COVARIANCE, atol=0.5)
        assert_allclose(prior.noise_variance, NOISE_VARIANCE, rtol=0.3)

    def test_diagonal_leaves_only_the_mean_correlated(self):
        statistics = LinearStatistics.from_rows(*simulate(2000, 8))
        prior = learn_prior(statistics, "diagonal").prior
        assert abs(prior.covariance[0, 1]) < 1e-3
        assert_allclose(prior.covariance.diagonal(), COVARIANCE.diagonal(), atol=0.3)

    @pytest.mark.parametrize("structure", ["full", "diagonal"])
    def test_objective_never_decreases_and_converges(self, structure):
        learned = learn_prior(LinearStatistics.from_rows(*simulate(12, 5)), structure)
        assert learned.converged
        assert np.diff(learned.objectives).min() >= 0

    def test_acceleration_reaches_the_optimum_of_plain_em(self):
        statistics = LinearStatistics.from_rows(*simulate(20, 3))
        objective = _PenalisedEvidence(statistics, "full")
        point = objective.start(None)
        for _ in range(500):
            value, point = objective(point)
        assert learn_prior(statistics, tol=1e-9).objectives[-1] >= value - 1e-6

    def test_stops_at_max_iter(self):
        learned = learn_prior(LinearStatistics.from_rows(*simulate(12, 5)), max_iter=2)
        assert not learned.converged
        assert len(learned.objectives) == 3

    def test_starts_from_an_earlier_prior(self):
        statistics = LinearStatistics.from_rows(*simulate(100, 5))
        cold = learn_prior(statistics, tol=1e-9)
        warm = learn_prior(statistics, tol=1e-9, init=cold.prior)
        assert warm.objectives[0] > cold.objectives[0]
        assert_allclose(warm.prior.covariance, cold.prior.covariance, rtol=1e-2)

    def test_beats_the_truth_on_its_own_tasks_only_a_little(self):
        train = LinearStatistics.from_rows(*simulate(60, 6, seed=0))
        test = LinearStatistics.from_rows(*simulate(500, 6, seed=1))
        truth = WeightPrior(MEAN, COVARIANCE, NOISE_VARIANCE)
        learned = learn_prior(train).prior
        loss = log_evidence(truth, test).mean() - log_evidence(learned, test).mean()
        assert 0 < loss < 0.15

    def test_predictive_intervals_cover(self):
        prior = learn_prior(LinearStatistics.from_rows(*simulate(40, 6))).prior
        Z, y, _ = simulate(2000, 6, seed=1)
        Z, y = Z.reshape(2000, 6, 2), y.reshape(2000, 6)
        support = LinearStatistics.from_rows(
            Z[:, :3].reshape(-1, 2), y[:, :3].ravel(), np.arange(2001) * 3
        )
        means, covariances = prior.posterior_many(support)
        error = y[:, 3:] - np.einsum("tnd,td->tn", Z[:, 3:], means)
        variance = np.einsum("tnd,tde,tne->tn", Z[:, 3:], covariances, Z[:, 3:])
        inside = np.abs(error) < norm.ppf(0.95) * np.sqrt(variance + prior.noise_variance)
        assert 0.88 < inside.mean() < 0.92

    @settings(max_examples=25, deadline=None)
    @given(
        exponent=st.floats(-12, 30),
        units=st.lists(st.floats(-6, 6), min_size=2, max_size=2),
        structure=st.sampled_from(["full", "diagonal"]),
    )
    def test_scale_equivariance(self, exponent, units, structure):
        scale, units = 10.0**exponent, 10.0 ** np.array(units)
        Z, y, offsets = simulate(13, 5)
        plain = learn_prior(LinearStatistics.from_rows(Z, y, offsets), structure, tol=1e-9)
        rescaled = LinearStatistics.from_rows(Z * units, y * scale, offsets)
        prior = learn_prior(rescaled, structure, tol=1e-9).prior
        ratio = scale / units
        assert_allclose(prior.mean / ratio, plain.prior.mean, rtol=1e-3)
        assert_allclose(
            prior.covariance / np.outer(ratio, ratio), plain.prior.covariance, rtol=1e-2, atol=1e-2
        )
        assert_allclose(prior.noise_variance / scale**2, plain.prior.noise_variance, rtol=1e-3)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"covariance": "spherical"}, "covariance must be"),
            ({"max_iter": 0}, "max_iter must be at least 1: got 0"),
            ({"tol": -1.0}, "tol must not be negative: got -1.0"),
            ({"init": WeightPrior(np.zeros(1), np.eye(1), 1.0)}, "the prior has 1"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            learn_prior(LinearStatistics.from_rows(*simulate(3, 3)), **arguments)

    def test_no_rows(self):
        empty = LinearStatistics.from_rows(np.empty((0, 2)), np.empty(0), [0, 0, 0])
        with pytest.raises(ValueError, match="At least one task must have rows"):
            learn_prior(empty)

    def test_targets_that_overflow(self):
        Z, y, offsets = simulate(3, 3)
        y[0] = np.inf
        with pytest.raises(ValueError, match="must be finite"):
            learn_prior(LinearStatistics.from_rows(Z, y, offsets))


def one_task():
    return simulate(1, 8)


def one_row_tasks():
    return simulate(20, 1)


def one_row():
    return simulate(1, 1)


def more_features_than_rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 20)), rng.normal(size=6), np.array([0, 3, 6])


def duplicated_column():
    Z, y, offsets = simulate(6, 5)
    return np.column_stack([Z, Z[:, 1], 3 * Z[:, 0]]), y, offsets


def zero_column():
    Z, y, offsets = simulate(6, 5)
    return np.column_stack([Z[:, 0], np.zeros(len(y)), Z[:, 1]]), y, offsets


def zero_targets():
    Z, y, offsets = simulate(6, 5)
    return Z, np.zeros_like(y), offsets


def constant_targets():
    Z, y, offsets = simulate(6, 5)
    return Z, np.full_like(y, 7.0), offsets


def no_noise():
    Z, _, offsets = simulate(6, 5)
    return Z, 3.0 * Z[:, 1] - 1.0, offsets


def empty_tasks():
    return ragged()


def only_zero_columns():
    Z, y, offsets = simulate(6, 5)
    return np.zeros_like(Z), y, offsets


DEGENERATE = [
    one_task,
    one_row_tasks,
    one_row,
    more_features_than_rows,
    duplicated_column,
    zero_column,
    zero_targets,
    constant_targets,
    no_noise,
    empty_tasks,
    only_zero_columns,
]


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("structure", ["full", "diagonal"])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e30])
def test_degenerate_tasks(case, structure, scale):
    Z, y, offsets = case()
    statistics = LinearStatistics.from_rows(Z, y * scale, offsets)
    learned = learn_prior(statistics, structure)
    assert learned.converged
    assert np.diff(learned.objectives).min(initial=0) >= 0
    means, covariances = learned.prior.posterior_many(statistics)
    assert np.isfinite(means).all()
    assert np.isfinite(log_evidence(learned.prior, statistics)).all()
    assert np.linalg.eigvalsh(covariances).min() >= -1e-9 * np.abs(covariances).max()


def test_constant_targets_are_predicted():
    prior = learn_prior(LinearStatistics.from_rows(*constant_targets())).prior
    assert_allclose(prior.mean, [7.0, 0.0], atol=0.05)


def test_zero_column_has_no_weight():
    prior = learn_prior(LinearStatistics.from_rows(*zero_column())).prior
    assert prior.mean[1] == 0
    assert_array_equal(prior.covariance[1], np.zeros(3))
    init = learn_prior(LinearStatistics.from_rows(*zero_column()), init=prior).prior
    assert_allclose(init.mean, prior.mean, atol=0.05)


def test_without_features_all_is_noise():
    Z, y, offsets = only_zero_columns()
    prior = learn_prior(LinearStatistics.from_rows(Z, y, offsets)).prior
    assert_array_equal(prior.covariance, np.zeros((2, 2)))
    assert_allclose(prior.noise_variance, np.mean(y**2), rtol=1e-6)


def test_noiseless_tasks_have_little_noise():
    prior = learn_prior(LinearStatistics.from_rows(*no_noise())).prior
    assert_allclose(prior.mean, [-1.0, 3.0], atol=0.01)
    assert prior.noise_variance < 1e-6

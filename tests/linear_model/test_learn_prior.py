"""Learning the prior of linear weights against known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_tasks import COVARIANCE, MEAN, NOISE_VARIANCE, ragged, simulate
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import block_diag
from scipy.stats import multivariate_normal, norm

from skmeta.linear_model._learn_prior import learn_prior
from skmeta.linear_model._penalised_evidence import PenalisedEvidence
from skmeta.linear_model._shape import FULL, Shape
from skmeta.linear_model._statistics import LinearStatistics
from skmeta.linear_model._weight_prior import WeightPrior, log_evidence

DIAGONAL, LOW_RANK = Shape("diagonal"), Shape("low_rank", 1)
SHAPES = [FULL, LOW_RANK, DIAGONAL]
VARYING = [np.array([True, True, True]), np.array([True, False, True]), np.array([False] * 3)]


class TestEvidence:
    @pytest.mark.parametrize("varying", VARYING)
    def test_with_the_mean_integrated_out(self, varying):
        Z, y, offsets = ragged()
        filled = LinearStatistics.from_rows(Z, y, np.unique(offsets))
        objective = PenalisedEvidence(filled, FULL, varying)
        factor, noise, mean_variance = np.diag([0.5, 1.0, 2.0]), 0.3, 1.7
        factor[1, 0] = 0.4
        factor = factor[np.ix_(varying, varying)]
        step, _ = objective._mean_step(factor, noise, mean_variance)

        units = np.diag(objective.units)
        root = units[:, varying] @ factor
        tasks = np.split(Z, np.unique(offsets)[1:-1])
        covariance = block_diag(*[rows @ root @ root.T @ rows.T for rows in tasks])
        covariance += mean_variance * Z @ units @ units @ Z.T
        covariance += noise * objective.power * np.eye(len(y))
        expected = multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)
        assert_allclose(step.log_evidence, expected, rtol=1e-9)

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("varying", VARYING[:2])
    def test_plain_em_climbs(self, shape, varying):
        Z, y, offsets = simulate(15, 4)
        Z = np.column_stack([Z, np.random.default_rng(1).normal(size=len(Z))])
        statistics = LinearStatistics.from_rows(Z, y, offsets)
        objective = PenalisedEvidence(statistics, shape, varying)
        point, values = objective.start(None), []
        for _ in range(2000 if shape == LOW_RANK else 200):
            value, point = objective(point)
            values.append(value)
        assert np.diff(values).min() > -1e-9

        # A variance of factor analysis may end on the boundary, at zero: its logarithm goes on.
        value = objective(point)[0] + 1e-4 * (shape == LOW_RANK)
        for nudge in 1e-2 * np.eye(len(point)):
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
        prior = learn_prior(statistics, DIAGONAL).prior
        assert abs(prior.covariance[0, 1]) < 1e-3
        assert_allclose(prior.covariance.diagonal(), COVARIANCE.diagonal(), atol=0.3)

    def test_low_rank_recovers_the_common_direction(self):
        rng = np.random.default_rng(0)
        loading, own = np.array([1.0, -1.0, 0.5, 2.0]), np.array([0.2, 0.1, 0.3, 0.2])
        weights = rng.normal(size=(3000, 1)) * loading + rng.normal(size=(3000, 4)) * own**0.5
        Z = rng.normal(size=(30_000, 4))
        y = np.sum(Z * np.repeat(weights, 10, axis=0), axis=1) + 0.3 * rng.normal(size=30_000)
        statistics = LinearStatistics.from_rows(Z, y, np.arange(3001) * 10)
        prior = learn_prior(statistics, LOW_RANK).prior
        assert_allclose(prior.covariance, np.outer(loading, loading) + np.diag(own), atol=0.15)

    def test_low_rank_of_enough_directions_is_full(self):
        statistics = LinearStatistics.from_rows(*simulate(40, 6))
        full = learn_prior(statistics, FULL, tol=1e-9)
        same = learn_prior(statistics, Shape("low_rank", 2), tol=1e-9)
        assert_array_equal(same.prior.covariance, full.prior.covariance)
        # Two weights have as many numbers in a covariance of one direction as in a full one.
        near = learn_prior(statistics, LOW_RANK, tol=1e-9, max_iter=2000)
        assert_allclose(near.objectives[-1], full.objectives[-1], atol=1e-3)
        assert_allclose(near.prior.covariance, full.prior.covariance, rtol=0.02)

    def test_fixed_effects_do_not_vary(self):
        varying = np.array([True, False])
        learned = learn_prior(LinearStatistics.from_rows(*simulate(30, 6)), varying=varying)
        assert_array_equal(learned.prior.covariance[1], np.zeros(2))
        assert_array_equal(learned.fixed_covariance[0], np.zeros(2))
        assert learned.fixed_covariance[1, 1] > 0

    def test_all_fixed_is_ridge_regression(self):
        Z, y, offsets = simulate(30, 6)
        statistics = LinearStatistics.from_rows(Z, y, offsets)
        learned = learn_prior(statistics, varying=np.zeros(2, dtype=bool))
        least_squares = np.linalg.lstsq(Z, y)[0]
        assert_allclose(learned.prior.mean, least_squares, rtol=0.02)
        residual = np.mean((y - Z @ least_squares) ** 2)
        assert_allclose(learned.prior.noise_variance, residual, rtol=0.02)
        inverse = np.linalg.inv(Z.T @ Z) * learned.prior.noise_variance
        assert_allclose(learned.fixed_covariance, inverse, rtol=0.03, atol=1e-4)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_objective_never_decreases_and_converges(self, shape):
        learned = learn_prior(LinearStatistics.from_rows(*simulate(12, 5)), shape)
        assert learned.converged
        assert np.diff(learned.objectives).min() >= 0

    def test_acceleration_reaches_the_optimum_of_plain_em(self):
        statistics = LinearStatistics.from_rows(*simulate(20, 3))
        objective = PenalisedEvidence(statistics, FULL)
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
        shape=st.sampled_from(SHAPES),
    )
    def test_scale_equivariance(self, exponent, units, shape):
        scale, units = 10.0**exponent, 10.0 ** np.array(units)
        Z, y, offsets = simulate(13, 5)
        plain = learn_prior(LinearStatistics.from_rows(Z, y, offsets), shape, tol=1e-9)
        rescaled = LinearStatistics.from_rows(Z * units, y * scale, offsets)
        prior = learn_prior(rescaled, shape, tol=1e-9).prior
        ratio = scale / units
        assert_allclose(prior.mean / ratio, plain.prior.mean, rtol=1e-3)
        assert_allclose(
            prior.covariance / np.outer(ratio, ratio), plain.prior.covariance, rtol=1e-2, atol=1e-2
        )
        assert_allclose(prior.noise_variance / scale**2, plain.prior.noise_variance, rtol=1e-3)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
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
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e30])
def test_degenerate_tasks(case, shape, scale):
    Z, y, offsets = case()
    statistics = LinearStatistics.from_rows(Z, y * scale, offsets)
    learned = learn_prior(statistics, shape)
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

"""Posterior and evidence of a task's weights against known answers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from linear_tasks import ragged
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.linear_model import Ridge

from skmeta.linear_model._statistics import LinearStatistics
from skmeta.linear_model._weight_prior import WeightPrior, log_evidence


def a_prior(n_features=3, rank=None, seed=1):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_features, rank or n_features))
    return WeightPrior(rng.normal(size=n_features), root @ root.T, 0.7)


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

"""The prior over configurations: known answers, gaps, guard."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from skmeta.model_selection import HyperparameterPrior
from skmeta.model_selection._search._encoding import ConfigurationEncoder
from skmeta.model_selection._search._ensemble import Ensemble, expected_regret_reduction
from skmeta.model_selection._search._gaussian import condition, fit_gaussian
from skmeta.model_selection._search._guard import (
    TargetProcess,
    TargetSurrogate,
    expected_improvement,
    leave_one_out_log_density,
)
from skmeta.model_selection._search._kernel import ConfigurationKernel, _loss, fit_kernel
from skmeta.model_selection._search._portfolio import greedy_portfolio, normalised_regret

CONFIGS = [{"C": float(c)} for c in np.logspace(-3, 3, 12)]


def smooth_table(n_datasets=40, seed=0):
    """Scores that peak at a place which differs between datasets."""
    rng = np.random.default_rng(seed)
    place = rng.normal(0.6, 0.1, size=(n_datasets, 1))
    return 0.9 - rng.uniform(0.3, 0.6, (n_datasets, 1)) * (np.linspace(0, 1, 12) - place) ** 2


def random_covariance(n, seed=0):
    root = np.random.default_rng(seed).normal(size=(n, n + 2))
    return root @ root.T / n


class TestPortfolio:
    def test_regret_is_zero_for_the_best_and_one_for_the_worst(self):
        regret = normalised_regret(np.array([[0.9, 0.5, 0.7], [0.3, 0.3, 0.3]]))
        assert_allclose(regret, [[0, 1, 0.5], [0, 0, 0]])

    def test_second_member_complements_the_first(self):
        # The first is good nearly everywhere, the second nearly as good on the SAME datasets;
        # the third is bad in general but best where the first fails.
        scores = np.array([[1.0, 0.95, 0.0]] * 3 + [[0.0, 0.0, 1.0]])
        assert_array_equal(greedy_portfolio(scores, 2), [0, 2])

    def test_members_differ(self):
        members = greedy_portfolio(np.random.default_rng(0).random((5, 8)), 8)
        assert sorted(members) == list(range(8))


class TestGaussian:
    def test_posterior_is_that_of_scikit_learn(self):
        x = np.linspace(0, 1, 9)[:, None]
        kernel, seen, values = RBF(0.3), np.array([1, 4, 7]), np.array([0.3, -1.0, 0.5])
        reference = GaussianProcessRegressor(kernel, alpha=0.01, optimizer=None)
        reference.fit(x[seen], values)
        mean, covariance = condition(np.zeros(9), kernel(x), seen, values, noise=0.01)
        expected_mean, expected_covariance = reference.predict(x, return_cov=True)
        assert_allclose(mean, expected_mean, atol=1e-10)
        assert_allclose(covariance, expected_covariance, atol=1e-10)

    def test_complete_rows_give_the_shrunken_covariance(self):
        rows = np.random.default_rng(0).normal(size=(30, 4))
        mean, covariance = fit_gaussian(rows, np.eye(4), strength=10.0, noise=0.1)
        assert_allclose(mean, rows.mean(axis=0))
        empirical = np.cov(rows.T, bias=True)
        assert_allclose(covariance, (10 * np.eye(4) + 30 * empirical) / 40)

    def test_gaps_are_learned_across(self):
        """The moments of complete rows are found from rows with gaps."""
        rng = np.random.default_rng(0)
        truth = random_covariance(5)
        rows = rng.multivariate_normal(np.arange(5.0), truth, size=2000)
        rows[:, 1:][rng.random((2000, 4)) < 0.3] = np.nan
        mean, covariance = fit_gaussian(rows, np.diag(np.diag(truth)), strength=1.0, noise=1e-6)
        assert_allclose(mean, np.arange(5.0), atol=0.1)
        assert np.abs(covariance - truth).max() < 0.2 * np.abs(truth).max()


class TestKernel:
    def test_gradient_is_that_of_finite_differences(self):
        rng = np.random.default_rng(0)
        blocks = [
            (rng.random((6, 3)), rng.normal(size=(4, 6))),
            (rng.random((5, 3)), rng.normal(size=(1, 5))),
        ]
        theta = rng.normal(0, 0.3, size=7)
        gradient = approx_fprime(theta, lambda t: _loss(t, blocks)[0], 1e-6)
        assert_allclose(_loss(theta, blocks)[1], gradient, rtol=1e-3, atol=1e-4)

    def test_what_does_not_matter_gets_a_long_scale(self):
        """Scores that depend on the first of two hyperparameters alone."""
        x = np.random.default_rng(0).random((30, 2))
        truth = ConfigurationKernel(np.array([0.3, 1e6]), np.array([0.5, 1.0, 0.0, 0.1]))
        covariance = truth(x, x)
        rows = np.random.default_rng(1).multivariate_normal(np.zeros(30), covariance, size=200)
        found = fit_kernel([(x, rows)])
        assert found.length_scales[1] > 5 * found.length_scales[0]
        assert found.variance == pytest.approx(np.mean(rows**2))
        error = np.abs(found(x, x) - covariance).max()
        assert error < 0.3 * covariance.max()

    def test_encoding(self):
        configs = [{"C": 0.01, "kernel": "rbf", "gamma": 1.0}, {"C": 1.0, "kernel": "linear"}]
        encoder = ConfigurationEncoder([*configs, {"C": 100.0, "kernel": "rbf", "gamma": 3.0}])
        encoded = encoder.encode([*configs, {"C": 1e9, "kernel": "new"}])
        assert encoder.names == ["C", "gamma", "kernel"]
        half = np.sqrt(0.5)
        expected = [[0, 0, 0, 1, 0, half], [0, 0.5, 0.5, 0, half, 0], [0, 1, 0.5, 0, 0, 0]]
        assert_allclose(encoded, expected)


class TestEnsemble:
    def test_rows_agree_with_evidence_and_weights_prefer_like_rows(self):
        rows = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
        ensemble = Ensemble(rows, np.eye(3), noise=0.1, sharpness=1.0)
        moved, weights = ensemble.update(np.array([1]), np.array([0.9]))
        assert_allclose(moved[:, 1], 0.9)
        assert weights.sum() == pytest.approx(1)
        assert weights.argmax() == 1

    def test_moved_draws_have_the_posterior_moments(self):
        """Matheron's rule: draws of the prior become draws of the posterior."""
        covariance, rng = random_covariance(4), np.random.default_rng(0)
        rows = rng.multivariate_normal(np.zeros(4), covariance, size=100_000)
        seen, values = np.array([0, 2]), np.array([1.0, -0.5])
        moved, weights = Ensemble(rows, covariance, 1e-9, sharpness=0.0).update(seen, values)
        mean, posterior = condition(np.zeros(4), covariance, seen, values, 1e-9)
        assert_allclose(weights @ moved, mean, atol=0.02)
        assert_allclose(np.cov(moved.T), posterior, atol=0.05)

    def test_without_evidence_it_is_the_portfolio(self):
        rows = np.random.default_rng(0).random((20, 6))
        reduction = expected_regret_reduction(rows, np.full(20, 1 / 20), -np.inf)
        assert reduction.argmax() == greedy_portfolio(rows, 1)[0]


class TestGuard:
    def test_leave_one_out_density_is_that_of_refitting(self):
        covariance, values = random_covariance(6) + np.eye(6), np.arange(6.0) - 2.5
        parts = []
        for out in range(6):
            rest = np.delete(np.arange(6), out)
            mean, posterior = condition(np.zeros(6), covariance, rest, values[rest], 0.0)
            parts.append(((values[out] - mean[out]) ** 2, posterior[out, out]))
        error, variance = np.array(parts).T
        # Four residuals of the expected size count beside the six that were seen.
        variance *= (4 + np.sum(error / variance)) / (4 + 6)
        expected = -0.5 * np.sum(np.log(2 * np.pi * variance) + error / variance)
        assert leave_one_out_log_density(values, covariance) == pytest.approx(expected)

    def test_expected_improvement_by_simulation(self):
        draws = np.random.default_rng(0).normal(0.2, 0.5, size=400_000)
        expected = np.maximum(draws - 0.4, 0).mean()
        found = expected_improvement(np.array([0.2]), np.array([0.5]), 0.4)
        assert_allclose(found, expected, rtol=0.01)

    def test_target_surrogate_ignores_offset_and_scale(self):
        tried, scores = np.array([0, 3, 4]), np.array([0.1, 0.5, 0.2])
        kernel = random_covariance(6) + np.eye(6)
        mean, std = TargetProcess(kernel, tried, scores, 0.01).posterior()
        other_mean, other_std = TargetProcess(kernel, tried, 7 + 3 * scores, 0.01).posterior()
        assert_allclose(other_mean, 7 + 3 * mean)
        assert_allclose(other_std, 3 * std)

    def test_the_kernel_that_predicts_counts(self):
        """Of two kernels one says that neighbours are alike, which they are."""
        x = np.linspace(0, 1, 20)[:, None]
        smooth, own = RBF(0.3)(x), np.eye(20)
        tried, scores = np.arange(0, 20, 2), np.sin(3 * x[::2, 0])
        right = TargetSurrogate([smooth], tried, scores, 0.01).expected_improvement(0.9)
        both = TargetSurrogate([smooth, own], tried, scores, 0.01)
        assert_allclose(both.expected_improvement(0.9), right, atol=1e-4)
        wrong = TargetSurrogate([own], tried, scores, 0.01)
        assert wrong.log_density < both.log_density

    def test_a_misleading_past_is_distrusted(self):
        """Every other configuration was bad in the past; on one new dataset none of them is."""
        wiggle = 0.2 * (np.arange(12) % 2)
        prior = HyperparameterPrior(random_state=0).fit(smooth_table() - wiggle, CONFIGS)
        tried, smooth = np.array([0, 11, 5, 8, 2, 6, 3, 9]), smooth_table(1, seed=9)[0]
        assert prior.transfer_weight(tried, (smooth - wiggle)[tried]) > 0.9
        assert prior.transfer_weight(tried, smooth[tried]) < 0.1


class TestPrior:
    def test_finds_the_best_sooner_than_chance(self):
        prior = HyperparameterPrior(random_state=0).fit(smooth_table(), CONFIGS)
        for row in smooth_table(10, seed=5):
            tried = []
            for _ in range(3):
                tried.append(prior.propose(tried, row[tried]))
            assert row.max() - row[tried].max() < 0.01

    @pytest.mark.parametrize("configs", [CONFIGS, None])
    def test_gaps_and_few_datasets(self, configs):
        table = smooth_table(3)
        table[np.random.default_rng(0).random(table.shape) < 0.5] = np.nan
        prior = HyperparameterPrior(random_state=0).fit(table, configs)
        mean, covariance = prior.posterior([0, 5], [0.5, 0.9])
        assert np.isfinite(mean).all()
        assert np.linalg.eigvalsh(covariance).min() > -1e-10
        assert sorted(prior.portfolio_) == list(range(12))

    def test_never_repeats_and_says_when_all_are_tried(self):
        prior = HyperparameterPrior(random_state=0).fit(smooth_table(4), CONFIGS)
        tried = []
        for _ in CONFIGS:
            tried.append(prior.propose(tried, np.zeros(len(tried))))
        assert sorted(tried) == list(range(12))
        with pytest.raises(ValueError, match="All 12 configurations were tried"):
            prior.propose(tried, np.zeros(12))

    def test_one_seed_repeats_to_the_bit(self):
        table = smooth_table(5)
        table[:, ::3] = np.nan
        prior = HyperparameterPrior(random_state=7)
        acquisitions = [
            clone(prior).fit(table, CONFIGS).acquisition([1, 4], [0.8, 0.7]) for _ in range(2)
        ]
        assert_array_equal(*acquisitions)

    def test_constant_scores(self):
        prior = HyperparameterPrior(random_state=0).fit(np.full((3, 12), 0.5), CONFIGS)
        assert prior.propose([0, 1, 2, 3], [0.5, 0.5, 0.5, 0.5]) > 3

    def test_errors(self):
        prior = HyperparameterPrior()
        with pytest.raises(NotFittedError):
            prior.propose([0], [0.5])
        with pytest.raises(ValueError, match="scores has 12 columns but configs 2 items"):
            prior.fit(smooth_table(), CONFIGS[:2])
        with pytest.raises(ValueError, match=r"without any score: rows \[1\]"):
            prior.fit([[1.0, 0.5], [np.nan, np.nan]])
        prior.fit(smooth_table(), CONFIGS)
        with pytest.raises(ValueError, match="leave failed trials out"):
            prior.propose([0], [np.nan])
        with pytest.raises(ValueError, match="2 tried configurations but 1 scores"):
            prior.propose([0, 1], [0.5])
        with pytest.raises(ValueError, match="must index the 12 configurations"):
            prior.propose([12], [0.5])

"""Machines that correct a function: known answers and optimality conditions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC, SVR

from skmeta.svm._biased import fit_margin, fit_tube


def problem(seed, n_rows, kernel):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3))
    gram = rbf_kernel(X) if kernel == "rbf" else X @ X.T
    sign = np.where(rng.random(n_rows) < 0.5, -1.0, 1.0)
    return gram, sign, rng.normal(scale=2.0, size=n_rows)


problems = {
    "seed": st.integers(0, 10_000),
    "n_rows": st.integers(2, 25),
    "log_C": st.floats(-2, 1),  # libsvm takes minutes beyond
    "kernel": st.sampled_from(["linear", "rbf"]),
}


class TestMargin:
    @settings(max_examples=40, deadline=None)
    @given(**problems)
    def test_without_prior_is_svc(self, seed, n_rows, log_C, kernel):
        gram, sign, _ = problem(seed, n_rows, kernel)
        assume(len(set(sign)) == 2)
        dual, intercept = fit_margin(gram, sign, np.zeros(n_rows), 10**log_C)
        svc = SVC(kernel="precomputed", C=10**log_C, tol=1e-7).fit(gram, sign)
        assert_allclose(gram @ dual + intercept, svc.decision_function(gram), atol=1e-3)

    @settings(max_examples=60, deadline=None)
    @given(**problems)
    def test_meets_the_optimality_conditions(self, seed, n_rows, log_C, kernel):
        gram, sign, prior = problem(seed, n_rows, kernel)
        assume(len(set(sign)) == 2)
        C = 10**log_C
        dual, intercept = fit_margin(gram, sign, prior, C)
        alpha, margin = sign * dual, sign * (prior + gram @ dual + intercept)
        assert abs(dual.sum()) < 1e-6 * C
        assert alpha.min() > -1e-6 * C
        assert alpha.max() < (1 + 1e-6) * C
        # Rows beyond their margin count nothing, rows that miss it count C.
        assert (alpha[margin > 1 + 1e-4] < 1e-6 * C).all()
        assert_allclose(alpha[margin < 1 - 1e-4], C, rtol=1e-6)

    def test_prior_that_is_right_stays(self):
        gram, sign, _ = problem(0, 10, "rbf")
        dual, intercept = fit_margin(gram, sign, 1.5 * sign, 1.0)
        assert_array_equal(dual, np.zeros(10))
        assert_allclose(intercept, 0.0, atol=1e-7)

    @pytest.mark.parametrize("side", [-1.0, 1.0])
    def test_rows_of_one_class_move_the_intercept(self, side):
        prior = side * np.array([0.2, 3.0])
        dual, intercept = fit_margin(np.eye(2), np.full(2, side), prior, 1.0)
        assert_array_equal(dual, np.zeros(2))
        assert_allclose(intercept, side * 0.8)
        assert fit_margin(np.eye(2), np.full(2, side), 2 * side * np.ones(2), 1.0).intercept == 0


class TestTube:
    @settings(max_examples=20, deadline=None)
    @given(**problems)
    def test_is_svr_on_the_residuals(self, seed, n_rows, log_C, kernel):
        gram, y, prior = problem(seed, n_rows, kernel)
        C, residual = 10**log_C, y - prior
        svr = SVR(kernel="precomputed", C=C, tol=1e-7).fit(gram, residual)
        theirs = np.zeros(n_rows)
        theirs[svr.support_] = svr.dual_coef_[0]

        def objective(dual, intercept):
            outside = np.maximum(np.abs(residual - gram @ dual - intercept) - 0.1, 0)
            return 0.5 * dual @ gram @ dual + C * outside.sum()

        dual, intercept = fit_tube(gram, y, prior, C, 0.1)
        assert_allclose(gram @ dual, gram @ theirs, atol=1e-3)
        # The intercept need not be unique.
        assert objective(dual, intercept) < objective(theirs, svr.intercept_[0]) + 1e-4

    def test_prior_within_the_tube_stays(self):
        gram, y, _ = problem(0, 10, "rbf")
        dual, intercept = fit_tube(gram, y, y + 0.05 * y, 1.0, 0.1)
        assert_array_equal(dual, np.zeros(10))
        assert abs(intercept) < 0.1


class TestHardProblems:
    @pytest.mark.parametrize("C", [1e-4, 1.0, 1e5])
    def test_linear_kernel_of_many_rows(self, C):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(80, 2))
        sign = np.sign(X[:, 0] + rng.normal(size=80))
        dual, intercept = fit_margin(X @ X.T, sign, np.zeros(80), C)
        margin, alpha = sign * (X @ X.T @ dual + intercept), sign * dual
        assert (alpha[margin > 1 + 1e-3] < 1e-4 * C).all()
        assert_allclose(alpha[margin < 1 - 1e-3], C, rtol=1e-4)

    def test_kernel_of_zeros(self):
        sign = np.array([-1.0, 1.0, 1.0])
        dual, intercept = fit_margin(np.zeros((3, 3)), sign, np.zeros(3), 1.0)
        assert np.isfinite(dual).all()
        assert -1 - 1e-6 <= intercept <= 1 + 1e-6

    def test_duplicate_rows_with_either_label(self):
        sign = np.array([-1.0, 1.0])
        dual, intercept = fit_margin(np.ones((2, 2)), sign, np.zeros(2), 1.0)
        assert_allclose(dual.sum(), 0.0, atol=1e-9)
        assert abs(intercept) <= 1 + 1e-6

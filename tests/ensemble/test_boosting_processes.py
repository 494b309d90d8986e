"""The processes of boosting: derivatives, limits, and agreement with scikit-learn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from scipy.stats import multivariate_t
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    ConstantKernel,
    DotProduct,
    RationalQuadratic,
    WhiteKernel,
)

from skmeta.ensemble._component import Inputs
from skmeta.ensemble._mixing import episodes, mixing_weights
from skmeta.ensemble._padding import stacks
from skmeta.ensemble._residual_kernel import KernelLayout, ResidualKernel
from skmeta.ensemble._softmax_learning import LogitResiduals
from skmeta.ensemble._softmax_learning import _Evidence as LogitEvidence
from skmeta.ensemble._softmax_process import Labels, Prior, find_mode, posterior
from skmeta.ensemble._student_learning import StudentResiduals, learn_student
from skmeta.ensemble._student_learning import _Evidence as StudentEvidence
from skmeta.ensemble._student_process import StudentPosterior, student_evidence
from skmeta.linear_model._softmax import contrasts, softmax_of_normal

ROW_LISTS = [np.arange(0, 6), np.arange(6, 13), np.arange(13, 14), np.arange(14, 30)]


def kernel_with(n_columns, *, amplitude=True, **parts):
    """A kernel whose parts are off but for those given, as logarithms of variances."""
    layout = KernelLayout(n_columns, amplitude=amplitude)
    theta = np.zeros(layout.size)
    for name in ("intercept", "slope", "smooth", "noise"):
        if name in layout.slots:
            layout.part(theta, name)[:] = -40.0
    for name, value in parts.items():
        layout.part(theta, name)[:] = value
    return ResidualKernel(layout, theta)


def process_with(kernel, n_columns, freedom=np.inf):
    return StudentResiduals(kernel, np.zeros(n_columns + 1), freedom, 1.0)


def evidence_of(kind):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(30, 3))
    if kind == "numbers":
        return StudentEvidence(Inputs(Z, rng.normal(size=(30, 1))), rng.normal(size=30), ROW_LISTS)
    n_classes = {"two classes": 2, "four classes": 4}[kind]
    inputs = Inputs(Z, rng.normal(size=(30, n_classes - 1)))
    return LogitEvidence(inputs, rng.integers(0, n_classes, 30), ROW_LISTS)


@pytest.mark.parametrize("kind", ["numbers", "two classes", "four classes"])
def test_derivatives_of_the_evidence_are_those_of_finite_differences(kind):
    evidence = evidence_of(kind)
    rng = np.random.default_rng(1)
    theta = evidence.centre + 0.3 * rng.normal(size=len(evidence.centre))
    steps = 1e-4 * np.eye(len(theta))
    numeric = [(evidence(theta + e)[0] - evidence(theta - e)[0]) / 2e-4 for e in steps]
    assert_allclose(evidence(theta)[1], numeric, rtol=1e-5, atol=1e-6)


def test_evidence_is_the_density_of_a_multivariate_t():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    covariance, residual, freedom = root @ root.T + np.eye(4), rng.normal(size=4), 3.0
    padded, rest = np.zeros((1, 6, 6)), np.zeros((1, 6))
    padded[0, :4, :4], rest[0, :4] = covariance, residual
    found = student_evidence(padded, rest, (np.arange(6) < 4)[None], freedom)
    shape = covariance * freedom / (freedom + 2)
    assert_allclose(found.value, multivariate_t(shape=shape, df=freedom + 2).logpdf(residual))
    gaussian = student_evidence(padded, rest, (np.arange(6) < 4)[None], np.inf)
    nearly = student_evidence(padded, rest, (np.arange(6) < 4)[None], 1e9)
    assert_allclose(nearly.value, gaussian.value, rtol=1e-6)


def test_posterior_is_that_of_scikit_learns_gaussian_process():
    rng = np.random.default_rng(0)
    X, y, X_query = rng.normal(size=(12, 2)), rng.normal(size=12), rng.normal(size=(5, 2))
    kernel = kernel_with(
        2, intercept=np.log(0.7), slope=np.log(0.5), smooth=np.log(1.3), noise=np.log(0.2)
    )
    theirs = (
        ConstantKernel(0.7)
        + ConstantKernel(0.5) * DotProduct(sigma_0=1e-9, sigma_0_bounds="fixed")
        + ConstantKernel(1.3) * RationalQuadratic(length_scale=np.sqrt(2.0), alpha=1.0)
        + WhiteKernel(0.2 + 1e-4)
    )
    gp = GaussianProcessRegressor(theirs, alpha=0.0, optimizer=None).fit(X, y)
    mean, variance = StudentPosterior(kernel, np.inf, X, y)(X_query)
    expected, std = gp.predict(X_query, return_std=True)
    assert_allclose(mean, expected, rtol=1e-8)
    assert_allclose(variance, std**2, rtol=1e-8)
    assert_allclose(StudentPosterior(kernel, 4.0, X, y)(X_query)[0], expected, rtol=1e-8)


def test_constant_kernel_is_a_random_intercept():
    residual = np.array([1.0, 2.0, 3.0, 2.0])
    kernel = kernel_with(1, intercept=np.log(0.5), noise=np.log(2.0 - 1e-4))
    support = Inputs(np.zeros((4, 1)), np.full((4, 1), 10.0))
    adapted = process_with(kernel, 1).adapt(support, 10.0 + residual)
    mean, variance, _ = adapted(Inputs(np.ones((1, 1)), np.full((1, 1), 20.0)))
    shrinkage = 4 * 0.5 / (4 * 0.5 + 2.0)
    assert_allclose(mean, 20.0 + shrinkage * residual.mean())
    assert_allclose(variance, 0.5 * (1 - shrinkage) + 2.0)


def test_without_variance_nothing_is_adapted():
    rng = np.random.default_rng(0)
    support = Inputs(rng.normal(size=(6, 2)), rng.normal(size=(6, 1)))
    adapted = process_with(kernel_with(2, noise=0.0), 2).adapt(support, rng.normal(size=6))
    assert_allclose(adapted(support)[0], support.prior[:, 0], atol=1e-12)
    logits = LogitResiduals(kernel_with(2, amplitude=False), np.zeros((3, 1)), np.ones(1))
    proba = logits.adapt(support, np.array([0, 1, 1, 1, 1, 1]))(support)
    assert_allclose(proba[:, 1], expit(support.prior[:, 0]), atol=1e-12)


def test_two_classes_are_those_of_scikit_learns_gaussian_process():
    rng = np.random.default_rng(0)
    X, X_query = rng.normal(size=(15, 2)), rng.normal(size=(6, 2))
    y = (X[:, 0] + 0.3 * rng.normal(size=15) > 0).astype(int)
    kernel = kernel_with(2, amplitude=False, smooth=np.log(4.0))
    theirs = ConstantKernel(4.0) * RationalQuadratic(length_scale=np.sqrt(2.0), alpha=1.0)
    gp = GaussianProcessClassifier(theirs, optimizer=None).fit(X, y)
    labels = Labels(y[None], np.ones((1, 15), dtype=bool), np.zeros((1, 1, 15)))
    mode = find_mode(Prior(kernel(X, X)[None], np.ones(1)), labels)
    assert_allclose(mode.log_evidence[0], gp.log_marginal_likelihood_value_, rtol=1e-8)
    cross = Prior(kernel(X_query, X)[None], np.ones(1))
    proba = softmax_of_normal(*posterior(mode, cross, kernel.variance(X_query)))
    assert_allclose(proba, gp.predict_proba(X_query), atol=0.01)  # they differ by the integral


@pytest.mark.parametrize("n_classes", [3, 5])
def test_parts_of_the_precision_are_those_of_one_large_matrix(n_classes):
    rng = np.random.default_rng(0)
    n = 7
    X, variances = rng.normal(size=(n, 2)), rng.uniform(0.5, 2.0, n_classes)
    kernel = kernel_with(2, amplitude=False, smooth=0.0, intercept=0.0)(X, X)
    inside = np.ones((1, n), dtype=bool)
    labels = Labels(rng.integers(0, n_classes, (1, n)), inside, rng.normal(size=(1, n_classes, n)))
    prior = Prior(kernel[None], variances)
    mode = find_mode(prior, labels)
    p, size = mode.proba[0], n * n_classes
    covariance = np.kron(np.diag(variances), kernel)
    stacked = np.concatenate([np.diag(one) for one in p])
    information = np.diag(p.ravel()) - stacked @ stacked.T
    precision = np.linalg.solve(np.eye(size) + information @ covariance, information)
    vector = rng.normal(size=size)
    parts = mode.precision.apply(vector.reshape(1, n_classes, n))
    assert_allclose(parts.ravel(), precision @ vector, atol=1e-10)
    blocks = precision.reshape(n_classes, n, n_classes, n)
    own = np.einsum("lnlm->lnm", blocks)
    assert_allclose(mode.precision.of_logits()[0], own, atol=1e-10)
    score = np.eye(n_classes)[labels.codes[0]].T - p
    assert_allclose(mode.dual[0], score, atol=1e-5)  # the mode is where the derivative vanishes
    logits = labels.offset[0] + (covariance @ mode.dual.ravel()).reshape(n_classes, n)
    fit = np.log(softmax(logits, axis=0)[labels.codes[0], np.arange(n)]).sum()
    fit -= 0.5 * mode.dual.ravel() @ covariance @ mode.dual.ravel()
    fit -= 0.5 * np.linalg.slogdet(np.eye(size) + information @ covariance)[1]
    assert_allclose(mode.log_evidence[0], fit, rtol=1e-10)
    _, found = posterior(mode, prior, np.diag(kernel))
    rest = (covariance - covariance @ precision @ covariance).reshape(blocks.shape)
    assert_allclose(found, np.einsum("lnmn->nlm", rest), atol=1e-10)


def test_many_classes_with_tight_processes_are_the_softmax_of_their_offset():
    rng = np.random.default_rng(0)
    prior = rng.normal(size=(5, 2))
    process = LogitResiduals(kernel_with(1, amplitude=False), np.zeros((2, 2)), np.ones(3))
    inputs = Inputs(np.zeros((5, 1)), prior)
    proba = process.adapt(inputs, np.array([0, 1, 2, 2, 2]))(inputs)
    assert_allclose(proba, softmax(prior @ contrasts(3).T, axis=1), atol=1e-4)


def test_variances_are_recovered():
    rng = np.random.default_rng(0)
    n_tasks, n = 200, 8
    Z = rng.normal(size=(n_tasks * n, 1))
    task = np.repeat(np.arange(n_tasks), n)
    level, slope = rng.normal(0, 2.0, n_tasks), rng.normal(0, 1.0, n_tasks)
    y = level[task] + slope[task] * Z[:, 0] + rng.normal(0, 0.5, len(task))
    lists = np.split(np.arange(len(y)), n_tasks)
    process = learn_student(Inputs(Z, np.zeros((len(y), 1))), y, lists)
    row = np.zeros((1, 1))
    assert_allclose(process.scale**2 * process.kernel.noise, 0.25, rtol=0.2)
    at_zero = process.scale**2 * process.kernel.variance(row)[0]
    assert_allclose(at_zero, 4.0, rtol=0.3)
    assert_allclose(process.scale**2 * process.kernel.variance(row + 2.0)[0], 8.0, rtol=0.4)
    assert process.freedom > 8


@pytest.mark.parametrize("freedom", [np.inf, 2.0])
def test_padding_does_not_matter(freedom):
    rng = np.random.default_rng(0)
    lists = [np.arange(0, 7), np.arange(7, 15)]
    Z, y = rng.normal(size=(15, 2)), rng.normal(size=15)
    kernel = kernel_with(2, intercept=0.0, smooth=0.0, noise=0.0)
    (stack,) = stacks(lists)
    rows = Z[stack.rows]
    covariance = kernel(rows, rows) + kernel.noise * np.eye(8)
    together = student_evidence(covariance, y[stack.rows], stack.inside, freedom).value
    alone = 0.0
    for one in lists:
        own = kernel(Z[one], Z[one]) + kernel.noise * np.eye(len(one))
        inside = np.ones((1, len(one)), dtype=bool)
        alone += student_evidence(own[None], y[one][None], inside, freedom).value
    assert_allclose(together, alone)


def test_first_supports_are_the_first_rows():
    lists = [np.arange(10), np.arange(10, 22)]
    drawn = list(episodes(lists, 10, "first", np.random.default_rng(0)))
    assert [e.support.tolist() for e in drawn] == [list(range(10, 20))]  # the other is too small
    for episode in episodes(lists, 5, "random", np.random.default_rng(0)):
        assert len(episode.support) == 5
        assert not set(episode.support) & set(episode.query)


def test_mixing_weights_prefer_the_better_component():
    one = np.ones(5)
    neither_pooled = np.array([False, False])
    weights = mixing_weights(lambda w: float(w @ [1.0, 0.2]) * one, neither_pooled)
    assert_allclose(weights.sum(), 1.0)
    assert weights[1] > 0.9
    assert_allclose(mixing_weights(lambda w: one, neither_pooled), [0.5, 0.5])

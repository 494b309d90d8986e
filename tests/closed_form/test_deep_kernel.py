"""Gaussian processes: their limit, intervals that hold, and what arrives later."""

import numpy as np
import pytest
from interval_checks import check_coverage
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from skmeta import DeepKernelRegressor, TaskCollection
from skmeta.datasets import make_linear_tasks, make_sinusoid_tasks


def fixed(**options):
    return DeepKernelRegressor(
        module=None, preprocessor=None, normalize_y=False, learn_prior=False, **options
    )


@pytest.mark.parametrize("n_rows", [1, 6, 30])
def test_the_limit_is_the_gaussian_process_of_scikit_learn(n_rows):
    tasks = make_linear_tasks(5, n_rows, random_state=0)
    meta = fixed(length_scale=1.5, noise=0.05).fit(tasks)
    X_query = np.random.default_rng(0).normal(size=(7, 3))
    theirs = GaussianProcessRegressor(RBF(1.5) + WhiteKernel(0.05), alpha=0, optimizer=None)
    for model, task in zip(meta.fit_adapt_many(tasks), tasks, strict=True):
        expected = theirs.fit(task.X, task.y).predict(X_query, return_std=True)
        found = model.predict(X_query, return_std=True)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        meta.predict(X_query, return_std=True), [[0.0] * 7, [np.sqrt(1.05)] * 7], rtol=1e-6
    )


@pytest.fixture(scope="module")
def processes():
    """A family in which the model is exact, and what it has learned of it."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-3, 3, size=(500, 20, 1))
    covariance = 4.0 * np.exp(-0.5 * (X - X.transpose(0, 2, 1)) ** 2 / 0.8**2)
    factor = np.linalg.cholesky(covariance + 0.3**2 * np.eye(20))
    y = 5.0 + (factor @ rng.standard_normal((500, 20, 1)))[..., 0]
    tasks = TaskCollection(X.reshape(-1, 1), y.ravel(), np.arange(501) * 20)
    meta = DeepKernelRegressor(
        module=None, preprocessor=None, lr=0.01, max_epochs=25, random_state=0
    )
    return meta.fit(tasks[:300]), tasks[300:]


def test_the_kernel_of_a_family_is_learned(processes):
    meta, _ = processes
    process = meta.net_.module_.learner
    assert process.log_length_scale.exp().item() == pytest.approx(0.8, rel=0.15)
    scale = meta.y_scale_[0]
    assert scale * process.log_amplitude.exp().sqrt().item() == pytest.approx(2.0, rel=0.15)
    assert scale * process.noise.sqrt().item() == pytest.approx(0.3, rel=0.15)


@pytest.mark.parametrize("n_support", [1, 5, 15])
def test_intervals_cover_what_they_say(processes, n_support):
    check_coverage(*processes, n_support)


def test_rows_one_by_one(processes):
    meta, tasks = processes
    X, y = tasks[0].X, tasks[0].y
    model = meta
    for row in range(10):
        model = model.partial_adapt(X[row : row + 1], y[row : row + 1])
    whole = meta.fit_adapt(X[:10], y[:10])
    for one, all_ in zip(
        model.predict(X, return_std=True), whole.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_allclose(one, all_, rtol=1e-8)


@pytest.mark.parametrize("kernel", ["rbf", "cosine", "linear"])
def test_kernels_over_an_embedding(kernel):
    tasks = make_sinusoid_tasks(100, random_state=0)
    meta = DeepKernelRegressor(kernel=kernel, max_epochs=3, random_state=0).fit(tasks)
    losses = meta.net_.history_[:, "train_loss"]
    assert losses[-1] < losses[0]
    mean, std = meta.fit_adapt(tasks[0].X, tasks[0].y).predict(tasks[0].X, return_std=True)
    assert np.isfinite(mean).all()
    assert (std > 0).all()


def test_both_objectives_learn():
    tasks = make_linear_tasks(200, 12, random_state=0)
    options = {"module": None, "lr": 0.03, "max_epochs": 10, "random_state": 0}
    X = tasks[0].X
    predicted = []
    for objective in ("marginal", "predictive"):
        meta = DeepKernelRegressor(objective=objective, **options).fit(tasks)
        losses = meta.net_.history_[:, "valid_loss"]
        assert losses[-1] < losses[0]
        predicted.append(meta.fit_adapt(X[:6], tasks[0].y[:6]).predict(X))
    assert np.corrcoef(predicted)[0, 1] > 0.95

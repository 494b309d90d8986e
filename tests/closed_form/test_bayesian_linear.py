"""Bayesian linear regression: intervals that hold, quantiles, and what arrives later."""

import numpy as np
import pytest
from interval_checks import check_coverage
from scipy.stats import norm

from skmeta import BayesianLinearRegressor
from skmeta.datasets import make_linear_tasks, make_sinusoid_tasks


@pytest.fixture(scope="module")
def linear():
    """A family in which the model is exact, and what it has learned of it."""
    tasks = make_linear_tasks(900, 20, spread=0.5, noise=0.3, random_state=0)
    meta = BayesianLinearRegressor(
        module=None, preprocessor=None, n_support=3, lr=0.02, max_epochs=20, random_state=0
    )
    return meta.fit(tasks[:600]), tasks[600:]


@pytest.mark.parametrize("n_support", [1, 5, 15])
def test_intervals_cover_what_they_say(linear, n_support):
    check_coverage(*linear, n_support)


def test_noise_and_prior_are_learned(linear):
    meta, _ = linear
    module = meta.net_.module_.learner
    noise = module.noise.sqrt().item() * meta.y_scale_[0]
    assert noise == pytest.approx(0.3, rel=0.1)
    spread = module.prior_root_lower.tril(-1) + module.prior_root_log_diagonal.exp().diag()
    covariance = (spread @ spread.T).detach().numpy() * meta.y_scale_[0] ** 2
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), 0.5, rtol=0.2)


def test_quantiles_are_those_of_mean_and_deviation(linear):
    meta, tasks = linear
    model = meta.fit_adapt(tasks[0].X[:4], tasks[0].y[:4])
    mean, std = model.predict(tasks[0].X, return_std=True)
    quantiles = model.predict_quantiles(tasks[0].X, [0.1, 0.5])
    np.testing.assert_allclose(quantiles[:, 0], mean + std * norm.ppf(0.1))
    np.testing.assert_allclose(quantiles[:, 1], mean)
    assert model.predict_quantiles(tasks[0].X, 0.3).shape == (20, 1)
    np.testing.assert_array_equal(model.predict(tasks[0].X), mean)
    for wrong in ([0.0], [1.5], [[0.1]]):
        with pytest.raises(ValueError, match="quantiles must lie between 0 and 1"):
            model.predict_quantiles(tasks[0].X, wrong)


def test_the_deviation_shrinks_to_the_noise(linear):
    meta, tasks = linear
    X = tasks[0].X[-3:]
    deviations = [meta.predict(X, return_std=True)[1]]
    for n_support in (1, 5, 15):
        model = meta.fit_adapt(tasks[0].X[:n_support], tasks[0].y[:n_support])
        deviations.append(model.predict(X, return_std=True)[1])
    assert (np.diff(deviations, axis=0) < 0).all()
    assert (deviations[-1] > 0.25).all()


def test_rows_one_by_one(linear):
    meta, tasks = linear
    X, y = tasks[0].X, tasks[0].y
    model = meta
    for row in range(10):
        model = model.partial_adapt(X[row : row + 1], y[row : row + 1])
    whole = meta.fit_adapt(X[:10], y[:10])
    for one, all_ in zip(
        model.predict(X, return_std=True), whole.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_allclose(one, all_, rtol=1e-8)
    assert model.n_support_ == 10


def test_several_outputs():
    tasks = make_sinusoid_tasks(20, random_state=0)
    both = tasks.with_storage(y=np.column_stack([tasks.y, 10 - 3 * tasks.y]))
    meta = BayesianLinearRegressor(max_epochs=2, random_state=0).fit(both)
    model = meta.fit_adapt(both[0].X, both[0].y)
    mean, std = model.predict(both[0].X, return_std=True)
    assert mean.shape == std.shape == (20, 2)
    assert model.predict_quantiles(both[0].X).shape == (20, 2, 3)
    assert (std[:, 1] > std[:, 0]).all()


def test_both_objectives_learn():
    tasks = make_linear_tasks(200, 12, random_state=0)
    options = {"module": None, "lr": 0.03, "max_epochs": 10, "random_state": 0}
    X = tasks[0].X
    predicted = []
    for objective in ("marginal", "predictive"):
        meta = BayesianLinearRegressor(objective=objective, **options).fit(tasks)
        losses = meta.net_.history_[:, "valid_loss"]
        assert losses[-1] < losses[0]
        predicted.append(meta.fit_adapt(X[:6], tasks[0].y[:6]).predict(X))
    assert np.corrcoef(predicted)[0, 1] > 0.95

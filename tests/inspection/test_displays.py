"""Displays of a prior over hyperparameters: known importances and densities."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from optuna.distributions import CategoricalDistribution, FloatDistribution

from skmeta.inspection import GoodValuesDisplay, HyperparameterImportanceDisplay
from skmeta.model_selection import HyperparameterPrior

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

SPACE = {
    "C": FloatDistribution(1e-3, 1e3, log=True),
    "idle": FloatDistribution(0, 1),
    "kernel": CategoricalDistribution(["linear", "rbf"]),
}


def studies(score, n_studies=6, n_trials=60):
    """Random searches over two numbers on a log scale and a choice."""
    found = {}
    for seed in range(n_studies):
        rng = np.random.default_rng(seed)
        configs = [
            {
                "C": float(10 ** rng.uniform(-3, 3)),
                "idle": float(rng.random()),
                "kernel": ["linear", "rbf"][rng.integers(2)],
            }
            for _ in range(n_trials)
        ]
        found[f"dataset {seed}"] = (configs, np.array([score(c, seed) for c in configs]))
    return found


def one_matters(config, seed):
    return -((np.log10(config["C"]) - 0.1 * seed) ** 2)


def conditional(config, seed):
    """`idle` is there for one kernel alone, and matters there."""
    if config["kernel"] == "linear":
        del config["idle"]
        return 0.0
    return config["idle"]


@pytest.fixture
def pyplot():
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_only_what_matters_is_important():
    prior = HyperparameterPrior(random_state=0).fit_studies(studies(one_matters), SPACE)
    display = HyperparameterImportanceDisplay.from_prior(prior)
    assert display.names == ["C", "idle", "kernel"]
    assert display.datasets == [f"dataset {seed}" for seed in range(6)]
    assert display.importances.shape == (6, 3)
    assert (display.importances[:, 0] > 0.9).all()
    assert (display.importances[:, 1:] < 0.1).all()


def test_shares_of_an_additive_function():
    """Two uniform hyperparameters with slopes one and two: variances are one to four."""
    rng = np.random.default_rng(0)
    configs = [{"a": a, "b": b} for a, b in rng.random((80, 2))]
    scores = [[c["a"] + 2 * c["b"] + level for c in configs] for level in range(5)]
    prior = HyperparameterPrior(random_state=0).fit(scores, configs)
    display = HyperparameterImportanceDisplay.from_prior(prior, n_samples=512)
    assert_allclose(display.importances, [[0.2, 0.8]] * 5, atol=0.05)


def test_a_conditional_hyperparameter():
    prior = HyperparameterPrior(random_state=0).fit_studies(studies(conditional), SPACE)
    display = HyperparameterImportanceDisplay.from_prior(prior)
    mean = dict(zip(display.names, display.importances.mean(axis=0), strict=True))
    assert mean["kernel"] == pytest.approx(0.8, abs=0.1)
    assert mean["idle"] == pytest.approx(0.4, abs=0.1)
    assert mean["C"] < 0.05


def test_one_seed_repeats():
    prior = HyperparameterPrior(random_state=0).fit_studies(studies(one_matters), SPACE)
    found = [HyperparameterImportanceDisplay.from_prior(prior).importances for _ in range(2)]
    assert_array_equal(*found)


def test_good_values():
    prior = HyperparameterPrior(random_state=0).fit_studies(studies(one_matters), SPACE)
    display = GoodValuesDisplay.from_prior(prior, top=0.1)
    values, weights = display.good["C"]
    assert len(values) == 36
    assert weights.sum() == pytest.approx(1)
    assert np.abs(np.log10(values) - 0.25).max() < 1
    assert len(display.tried["kernel"][0]) == 360


def test_datasets_weigh_the_same_however_many_trials():
    past = studies(one_matters, n_studies=2, n_trials=20)
    configs, scores = past["dataset 0"]
    past["dataset 0"] = (configs[:4], scores[:4])
    prior = HyperparameterPrior(random_state=0).fit_studies(past)
    _, weights = GoodValuesDisplay.from_prior(prior, top=0.5).good["C"]
    assert_allclose(weights, [0.25] * 2 + [0.05] * 10)


@pytest.mark.parametrize("display", [GoodValuesDisplay, HyperparameterImportanceDisplay])
def test_plot(display, pyplot):
    prior = HyperparameterPrior(random_state=0).fit_studies(studies(one_matters), SPACE)
    plain = display.from_prior(prior)
    assert plain.plot() is plain
    assert plain.figure_ is plain.ax_.figure
    figure, axes = pyplot.subplots(1, 2)
    assert plain.plot(ax=axes[1]).figure_ is figure
    figure.canvas.draw()


def test_densities_hold_all_the_mass(pyplot):
    prior = HyperparameterPrior(random_state=0).fit_studies(studies(one_matters), SPACE)
    display = GoodValuesDisplay.from_prior(prior, names=["idle"]).plot()
    (line,) = display.axes_[0].lines
    assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(1, abs=0.02)


def test_errors(pyplot):
    table = np.random.default_rng(0).random((4, 5))
    for display in (GoodValuesDisplay, HyperparameterImportanceDisplay):
        with pytest.raises(ValueError, match="fit it with configs"):
            display.from_prior(HyperparameterPrior().fit(table))
    prior = HyperparameterPrior().fit(np.ones((4, 5)), [{"C": float(i)} for i in range(5)])
    with pytest.raises(ValueError, match=r"Unknown hyperparameters \['D'\]"):
        GoodValuesDisplay.from_prior(prior, names=["D"])
    with pytest.raises(ValueError, match="top must be"):
        GoodValuesDisplay.from_prior(prior, top=0)
    with pytest.raises(ValueError, match="power of two, got 100"):
        HyperparameterImportanceDisplay.from_prior(prior, n_samples=100)
    with pytest.raises(ValueError, match="no importance to show"):
        HyperparameterImportanceDisplay.from_prior(prior).plot()


def test_matplotlib_is_imported_for_a_picture_alone():
    code = "import sys, skmeta.inspection; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

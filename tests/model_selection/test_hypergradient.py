"""Hypergradients are exact, descend, and lead to a prior that new datasets can use."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from optuna.distributions import FloatDistribution
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from skmeta import HypergradientSearchCV, Task
from skmeta.model_selection._hypergradient._descent import descend, mean_relative_loss
from skmeta.model_selection._hypergradient._unroll import Outcome, train

SPACE = {"lr": loguniform(1e-4, 10.0), "optimizer__weight_decay": loguniform(1e-6, 0.1)}


class Net(nn.Sequential):
    """Smooth, so that finite differences are near; in any precision."""

    def __init__(self, n_inputs=4, n_outputs=2, dropout=0.0, dtype=torch.float32):
        super().__init__(
            nn.Linear(n_inputs, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, n_outputs)
        )
        self.to(dtype)


def make_net(**params):
    options = {"criterion": nn.CrossEntropyLoss, "max_epochs": 3, "batch_size": 10, "lr": 0.1}
    return NeuralNetClassifier(Net, **options | {"train_split": None, "verbose": 0} | params)


def make_dataset(seed, n_features=4, dtype="float32"):
    X, y = make_classification(
        60, n_features, n_informative=3, n_redundant=0, random_state=seed, flip_y=0.05
    )
    return X.astype(dtype), y


# ---------------------------------------------------------------------- derivatives

OPTIMIZERS = {
    "SGD": {"optimizer": torch.optim.SGD, "lr": 0.2},
    "momentum": {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "lr": 0.05},
    "Nesterov": {
        "optimizer": torch.optim.SGD, "optimizer__momentum": 0.8, "optimizer__nesterov": True,
        "lr": 0.05,
    },
    "dropout": {"optimizer": torch.optim.SGD, "module__dropout": 0.3, "lr": 0.2},
    "Adam": {"optimizer": torch.optim.Adam, "lr": 0.02},
    "AdamW": {"optimizer": torch.optim.AdamW, "lr": 0.02},
}  # fmt: skip


@pytest.fixture(params=OPTIMIZERS)
def net64(request):
    return make_net(module__dtype=torch.float64, **OPTIMIZERS[request.param])


def rows64():
    X, y = make_dataset(0, dtype="float64")
    return X[:40], y[:40], X[40:], y[40:]


def test_derivatives_equal_finite_differences(net64):
    values = {"lr": net64.lr, "optimizer__weight_decay": 0.03}
    found = train(net64, rows64(), values, seed=1)
    for k, name in enumerate(values):
        ends = [
            train(
                net64, rows64(), values | {name: values[name] * np.exp(shift)}, seed=1,
                with_gradient=False,
            ).relative
            for shift in (1e-5, -1e-5)
        ]  # fmt: skip
        assert found.gradient[k] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-9)


def test_training_is_that_of_skorch(net64):
    X, y, X_valid, y_valid = rows64()
    values = {"lr": net64.lr, "optimizer__weight_decay": 0.03}
    torch.manual_seed(1)
    fitted = clone(net64).set_params(**values).fit(X, y)
    with torch.no_grad():
        logits = fitted.forward(X_valid)
    expected = nn.functional.cross_entropy(logits, torch.as_tensor(y_valid))
    found = train(net64, (X, y, X_valid, y_valid), values, seed=1)
    assert found.loss == pytest.approx(float(expected), rel=1e-12)


def test_a_gradient_of_zero_has_derivatives_under_adam():
    net = make_net(optimizer=torch.optim.Adam)
    X, y = make_dataset(0)
    X = np.concatenate([X, np.zeros((60, 1), np.float32)], axis=1)  # no gradient for its weights
    net.set_params(module__n_inputs=5)
    found = train(net, (X[:40], y[:40], X[40:], y[40:]), {"lr": 0.01}, seed=0)
    assert np.isfinite(found.gradient).all()


def test_a_diverging_training_has_no_derivative():
    X, y = make_regression(40, 4, random_state=0)
    X, y = X.astype(np.float32), y.astype(np.float32)[:, None]
    net = NeuralNetRegressor(Net, module__n_outputs=1, train_split=None, verbose=0, max_epochs=20)
    found = train(net, (X, y, X, y), {"lr": 1e4}, seed=0)
    assert found.loss == np.inf
    assert found.gradient is None


def test_global_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(make_net(), (*make_dataset(0), *make_dataset(1)), {"lr": 0.1}, seed=0)
    assert torch.equal(torch.rand(3), expected)


# ---------------------------------------------------------------------- descent


def test_descent_finds_the_minimum_of_a_mean():
    centres = np.array([[0.0, 2.0], [1.0, 4.0]])

    def run(point, step):
        return [
            Outcome(
                0.1 * np.sum((point - c) ** 2), 0.1 * np.sum((point - c) ** 2), 0.2 * (point - c)
            )
            for c in centres
        ]

    bounds, is_rate = np.array([[-9.0, 9.0], [-9.0, 2.5]]), np.array([True, False])
    point, path = descend(run, np.array([-2.0, -2.0]), bounds, 40, 0.5, is_rate)
    assert point == pytest.approx([0.5, 2.5], abs=0.05)  # the second one stops at its bound
    assert len(path.points) == len(path.outcomes) == 40


def test_divergence_lowers_the_learning_rate_alone():
    def run(point, step):
        return [Outcome(np.inf, np.inf)]

    bounds, is_rate = np.array([[-9.0, 9.0]] * 2), np.array([True, False])
    point, _ = descend(run, np.zeros(2), bounds, 3, 0.5, is_rate)
    assert point[0] < -0.5
    assert point[1] == 0


def test_a_loss_worse_than_without_training_counts_as_none():
    outcomes = [Outcome(np.inf, np.inf), Outcome(0.2, 0.5)]
    assert mean_relative_loss(outcomes) == pytest.approx(0.75)


# ---------------------------------------------------------------------- datasets


@pytest.fixture(scope="module")
def learned():
    datasets = [Task(*make_dataset(seed), name=str(seed)) for seed in range(4)]
    start = make_net(lr=1e-2, max_epochs=6)
    return HypergradientSearchCV(
        start, {**SPACE, "batch_size": [10, 20]}, n_steps=8, step_size=1.0, random_state=0
    ).fit(datasets)


def test_prior_is_better_than_where_it_began(learned):
    for number in range(2):
        losses = learned.path_["mean_loss"][learned.path_["choice"] == number]
        assert losses[-3:].mean() < losses[0] - 0.1
    assert learned.prior_["batch_size"] == [10, 20][learned.choice_losses_.argmin()]
    assert learned.prior_["lr"] > 0.01
    assert not hasattr(learned, "best_params_")


def test_new_dataset_begins_at_the_prior(learned):
    before = pickle.dumps(learned.prior_)
    X, y = make_dataset(9)
    best = learned.fit_adapt(X, y)
    assert pickle.dumps(learned.prior_) == before
    results = best.cv_results_
    assert len(results["params"]) == learned.n_adapt_steps + 1
    assert results["params"][0] == pytest.approx(learned.prior_)
    assert best.best_score_ == results["mean_test_score"].max()
    assert best.best_params_ == results["params"][best.best_index_]
    assert best.score(X, y) > 0.8
    assert best.predict_proba(X).shape == (60, 2)
    assert list(best.classes_) == [0, 1]


def test_prior_as_it_is(learned):
    best = clone(learned).set_params(n_adapt_steps=0, prior=learned.prior_).fit(*make_dataset(9))
    assert best.best_params_ == pytest.approx(learned.prior_)


def test_same_seed_same_result(learned):
    X, y = make_dataset(9)
    first, second = learned.fit_adapt(X, y), learned.fit_adapt(X, y)
    assert first.best_params_ == second.best_params_
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_one_dataset_without_a_prior():
    search = HypergradientSearchCV(
        make_net(lr=1e-3), {"lr": FloatDistribution(1e-4, 10, log=True)}, n_steps=8, random_state=0
    ).fit(*make_dataset(0))
    assert search.best_params_["lr"] > 5e-3
    assert search.cv_results_["params"][0]["lr"] == pytest.approx(1e-3)
    assert search.prior_ is None


class SetSizes(Callback):
    def on_train_begin(self, net, X, y):
        net.set_params(module__n_inputs=X.shape[1])


def test_pipeline_with_datasets_of_different_widths():
    net = make_net(callbacks=[SetSizes])
    model = Pipeline([("scale", StandardScaler()), ("net", net)])
    space = {"net__lr": loguniform(1e-3, 10), "scale__with_mean": [True, False]}
    search = HypergradientSearchCV(model, space, n_steps=2, random_state=0)
    search.fit([Task(*make_dataset(seed, 4 + seed)) for seed in range(3)])
    assert set(search.prior_) == set(space)
    best = search.fit_adapt(*make_dataset(8, 9))
    assert best.best_estimator_["net"].module_[0].in_features == 9


def test_regression():
    X, y = make_regression(60, 4, random_state=0)
    X, y = X.astype(np.float32), (y / y.std()).astype(np.float32)[:, None]
    net = NeuralNetRegressor(Net, module__n_outputs=1, train_split=None, verbose=0, lr=1e-3)
    search = HypergradientSearchCV(net, SPACE, n_steps=6, random_state=0).fit(X, y)
    assert search.best_score_ > search.cv_results_["mean_test_score"][0]
    assert search.predict(X).shape == (60, 1)


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"module__dropout": uniform(0, 1)}, "no derivative|derivatives by lr"),
        ({"lr": uniform(0.1, 1)}, "logarithmic scale"),
        ({"batch_size": [8, 16]}, "no range for the learning rate"),
    ],
)
def test_spaces_that_have_no_derivative(space, message):
    with pytest.raises(ValueError, match=message):
        HypergradientSearchCV(make_net(), space).fit(*make_dataset(0))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer": torch.optim.RMSprop}, "SGD, Adam, AdamW"),
        ({"optimizer__dampening": 0.1}, r"Options \['dampening'\] of SGD"),
        ({"callbacks": [LRScheduler("StepLR", step_size=1)]}, "callback 'LRScheduler'"),
        ({"optimizer__param_groups": [("0.*", {"lr": 0.1})]}, "param_groups"),
    ],
)
def test_training_that_cannot_be_followed(params, message):
    with pytest.raises(ValueError, match=message):
        HypergradientSearchCV(make_net(**params), SPACE).fit(*make_dataset(0))


def test_prior_of_another_space():
    search = HypergradientSearchCV(make_net(), SPACE, prior={"lr": 0.1})
    with pytest.raises(ValueError, match=r"prior has no value for \['optimizer__weight_decay'\]"):
        search.fit(*make_dataset(0))


def test_datasets_have_their_own_targets(learned):
    datasets = [Task(*make_dataset(0))]
    with pytest.raises(ValueError, match="y must be None"):
        clone(learned).fit(datasets, [0, 1])
    with pytest.raises(ValueError, match="one dataset"):
        learned.fit_adapt(datasets)


def test_torch_is_not_imported_with_the_package():
    code = "import sys, skmeta, skmeta.model_selection; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

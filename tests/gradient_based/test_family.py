"""What all gradient-based learners have in common, on problems whose right answer is known."""

from functools import partial

import numpy as np
import pytest
from torch import nn

import skmeta
from skmeta import TaskCollection, make_n_way_tasks
from skmeta.base import few_shot_scores
from skmeta.datasets import make_linear_tasks, make_sinusoid_tasks
from skmeta.nets import MLP, ConvNet

FAMILY = [
    "MAML",
    "MetaSGD",
    "MetaGradientDescent",
    "ANIL",
    "BiasMAML",
    "CAVIA",
    "Reptile",
    "IMAML",
    "LearnedOptimizer",
    "BayesianMAML",
]


@pytest.fixture(params=FAMILY)
def name(request):
    return request.param


def regressor(name, **options):
    return getattr(skmeta, f"{name}Regressor")(random_state=0, **options)


def classifier(name, **options):
    return getattr(skmeta, f"{name}Classifier")(random_state=0, **options)


@pytest.fixture(scope="module")
def boundaries():
    """Two classes that mean the same in all tasks, with a boundary in another place in each."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(150, 30, 1))
    y = np.where(X[..., 0] > rng.uniform(-1, 1, size=(150, 1)), "above", "below")
    return TaskCollection(X.reshape(-1, 1), y.ravel(), np.arange(0, 4501, 30))


def test_random_intercepts_are_learned(name):
    # The one thing that each of them can adapt: y = x + a, with another a in each task.
    rng = np.random.default_rng(0)
    X, shift = rng.normal(size=(80, 20, 1)), rng.normal(size=(80, 1))
    tasks = TaskCollection(X.reshape(-1, 1), (X[..., 0] + shift).ravel(), np.arange(0, 1601, 20))
    meta = regressor(name, module=nn.Linear, inner_lr=0.2, lr=0.05, max_epochs=25)
    if name == "CAVIA":
        meta.set_params(module="auto", inner_lr=1.0, lr=0.01)
    meta.fit(tasks[:60])
    scores = few_shot_scores(meta, tasks[60:], n_support=10, scoring="r2")
    assert np.median(scores) > 0.8
    prior = few_shot_scores(meta, tasks[60:], n_support=0, scoring="r2")
    assert np.median(prior) < np.median(scores) - 0.1


def test_shared_classes(name, boundaries):
    meta = classifier(name, max_epochs=15, lr=0.01).fit(boundaries[:100])
    before = few_shot_scores(meta, boundaries[100:], n_support=0).mean()
    after = few_shot_scores(meta, boundaries[100:], n_support=10).mean()
    assert after > before + 0.02
    assert after > 0.75
    assert set(meta.classes_) == {"above", "below"}


def test_classes_of_the_tasks_own(name):
    rng = np.random.default_rng(0)
    centers, y = 2 * rng.normal(size=(20, 4)), np.repeat(np.arange(20), 20)
    X = centers[y] + 0.3 * rng.normal(size=(400, 4))
    shape = {"n_way": 3, "n_support": 5, "n_query": 5, "random_state": 0}
    train = make_n_way_tasks(X[y < 14], y[y < 14], n_tasks=120, **shape)
    test = make_n_way_tasks(X[y > 13], y[y > 13], n_tasks=50, **shape)
    # One hidden layer; an offset for each class behind a shared network cannot tell new classes
    # apart, which is why BiasMAML adapts the biases inside as well.
    meta = classifier(name, max_epochs=15, lr=0.01, inner_lr=0.5).fit(train)
    assert meta.score(test) > (0.5 if name in ("BiasMAML", "CAVIA") else 0.8)


@pytest.mark.parametrize(
    "layers",
    [
        (nn.BatchNorm1d(8), nn.Tanh()),
        (nn.LayerNorm(8), nn.Dropout(0.2), nn.Tanh()),
    ],
    ids=["batch norm", "layer norm and dropout"],
)
def test_user_modules(name, layers):
    def network(n_inputs, n_outputs):
        return nn.Sequential(nn.Linear(n_inputs, 8), *layers, nn.Linear(8, n_outputs))

    tasks = make_linear_tasks(20, 12, 2, random_state=0)
    meta = regressor(name, module=network, max_epochs=3, inner_lr=0.05).fit(tasks)
    X, y = tasks.X.reshape(20, 12, 2), tasks.y.reshape(20, 12)
    models = meta.fit_adapt_many(TaskCollection(tasks.X[:18], tasks.y[:18], [0, 5, 12, 18]))
    alone = meta.fit_adapt(X[0, :5], y[0, :5])
    # batch normalisation sees the rows of the task alone, whatever else is in the batch
    np.testing.assert_allclose(models[0].predict(X[1]), alone.predict(X[1]), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(alone.predict(X[1]), alone.predict(X[1]))


def test_conv4(name):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 256)), np.repeat(np.arange(6), 10)
    X[np.arange(60), y * 7] += 10
    tasks = make_n_way_tasks(X, y, n_way=2, n_support=2, n_query=3, n_tasks=8, random_state=0)
    n_context = 2
    shape = (1 + n_context, 16, 16) if name == "CAVIA" else (1, 16, 16)
    meta = classifier(
        name, module=_conv4(shape), max_epochs=1, n_steps=2, inner_lr=0.1, preprocessor=None
    )
    if name == "CAVIA":
        meta.set_params(n_context=n_context)
    model = meta.fit(tasks).fit_adapt(X[:20], y[:20])
    assert model.predict_proba(X[:5]).shape == (5, 2)
    assert np.isfinite(model.predict_proba(X[:5])).all()


def _conv4(shape):
    return lambda n_inputs, n_outputs: ConvNet(shape, n_outputs, n_channels=4)


def test_several_outputs(name):
    tasks = make_linear_tasks(20, 12, 2, random_state=0)
    both = np.column_stack([tasks.y, 10 - 2 * tasks.y])
    meta = regressor(name, max_epochs=30).fit(tasks.with_storage(y=both))
    predicted = meta.fit_adapt(tasks.X[:10], both[:10]).predict(tasks.X[:12])
    assert predicted.shape == (12, 2)
    assert np.isfinite(predicted).all()


def test_weights_of_rows_count(name):
    tasks = make_linear_tasks(20, 12, 2, noise=0.5, random_state=0)
    meta = regressor(name, max_epochs=5).fit(tasks)
    X, y = tasks.X[:6], tasks.y[:6]
    once = meta.fit_adapt(X, y, sample_weight=[1, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(once.predict(X), meta.fit_adapt(X[:3], y[:3]).predict(X), atol=1e-7)
    assert not np.allclose(once.predict(X), meta.fit_adapt(X, y).predict(X), atol=1e-6)


def test_rare_classes_count_as_much_when_balanced(name, boundaries):
    meta = classifier(name, max_epochs=3, class_weight="balanced").fit(boundaries)
    X = np.array([[-1.5], [1.5], [1.4], [1.3], [1.2]])
    y = np.array(["below", "above", "above", "above", "above"])
    balanced = meta.fit_adapt(X, y)
    weights = np.where(y == "below", 4.0, 1.0)
    same = meta.set_params(class_weight=None).fit_adapt(X, y, sample_weight=weights)
    np.testing.assert_allclose(balanced.predict_proba(X), same.predict_proba(X), atol=1e-7)


def test_every_parameter_is_documented(name):
    for estimator in (regressor(name), classifier(name)):
        doc = type(estimator).__doc__
        assert "{{" not in doc
        for parameter in estimator.get_params():
            documented = [line for line in doc.splitlines() if line.startswith("    ")]
            assert any(
                parameter in line.split(" : ")[0].replace(",", " ").split()
                for line in documented
                if " : " in line
            ), parameter


def test_adapted_states_hold_what_the_task_has_of_its_own():
    tasks = make_sinusoid_tasks(10, random_state=0)
    expected = {
        "ANIL": {"weight", "bias"},
        "BiasMAML": {f"layers.{i}.bias" for i in range(3)},
        "CAVIA": {"context"},
        "MAML": {f"layers.{i}.{part}" for i in range(3) for part in ("weight", "bias")},
    }
    for name, names in expected.items():
        model = regressor(name, max_epochs=1).fit(tasks).fit_adapt(tasks[0].X, tasks[0].y)
        assert set(model.state_) == {f"backbone.{part}" for part in names}


@pytest.mark.parametrize("parameter", ["inner_lr", "n_steps", "n_adapt_steps"])
def test_bad_parameters_get_a_clear_error(name, parameter):
    tasks = make_sinusoid_tasks(5, random_state=0)
    with pytest.raises(ValueError, match=parameter):
        regressor(name, **{parameter: -1}).fit(tasks)


def test_networks_on_another_task_than_the_defaults():
    tasks = make_sinusoid_tasks(10, random_state=0)
    network = partial(MLP, hidden_sizes=(5,), activation="tanh")
    meta = regressor("ANIL", module=network, max_epochs=1).fit(tasks)
    assert meta.state_["backbone.weight"].shape == (1, 1, 5)
    bare = nn.Sequential(nn.Linear(1, 1, bias=False))
    with pytest.raises(ValueError, match="Sequential has no biases to adapt"):
        regressor("BiasMAML", module=bare, max_epochs=1).fit(tasks)

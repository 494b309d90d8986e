import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.datasets import make_blobs
from sklearn.gaussian_process.kernels import RBF

from skmeta import (
    HyperNetworkClassifier,
    HyperNetworkRegressor,
    NeuralProcessClassifier,
    NeuralProcessRegressor,
    TaskCollection,
    make_n_way_tasks,
    split_support_query,
)
from skmeta.datasets import make_linear_tasks, make_sinusoid_tasks
from skmeta.nets import MLP


def gaussian_processes(n_tasks, n_rows, seed, noise=0.2):
    """Draws from a Gaussian process that is known: a kernel of length one, and noise."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(n_tasks, n_rows, 1))
    kernel = RBF(1.0)
    y = [
        rng.multivariate_normal(np.zeros(n_rows), kernel(x) + noise**2 * np.eye(n_rows)) for x in X
    ]
    return TaskCollection(X.reshape(-1, 1), np.ravel(y), np.arange(n_tasks + 1) * n_rows)


@pytest.fixture(scope="module")
def of_gaussian_process():
    meta = NeuralProcessRegressor(max_epochs=12, patience=None, train_split=None, random_state=0)
    return meta.fit(gaussian_processes(1500, 30, seed=0))


@pytest.mark.slow
def test_intervals_cover_what_they_say(of_gaussian_process):
    support, query = split_support_query(gaussian_processes(300, 40, seed=1), 10)
    inside = []
    for model, task in zip(of_gaussian_process.fit_adapt_many(support), query, strict=True):
        low, high = model.predict_quantiles(task.X, [0.1, 0.9]).T
        inside.append((low <= task.y) & (task.y <= high))
    assert 0.7 < np.mean(inside) < 0.9


@pytest.mark.slow
def test_the_prior_is_that_of_the_process(of_gaussian_process):
    """Before any support: mean zero and variance 1.04."""
    mean, std = of_gaussian_process.predict(np.linspace(-2, 2, 9)[:, None], return_std=True)
    assert_allclose(mean, 0.0, atol=0.2)
    assert_allclose(std, np.sqrt(1.04), rtol=0.15)


@pytest.mark.slow
def test_a_support_lowers_the_error_and_the_deviation(of_gaussian_process):
    support, query = split_support_query(gaussian_processes(100, 40, seed=2), 20)
    models = of_gaussian_process.fit_adapt_many(support)
    predicted = [
        model.predict(q.X, return_std=True) for model, q in zip(models, query, strict=True)
    ]
    error = np.mean([(m - q.y) ** 2 for (m, _), q in zip(predicted, query, strict=True)])
    assert error < 0.35  # of 1.04 before
    assert np.mean([s for _, s in predicted]) < 0.7


def test_quantiles_are_those_of_the_normal():
    meta = NeuralProcessRegressor(max_epochs=2, random_state=0).fit(make_linear_tasks(20))
    mean, std = meta.predict(np.eye(3), return_std=True)
    assert_allclose(meta.predict_quantiles(np.eye(3), 0.975)[:, 0], mean + norm.ppf(0.975) * std)
    with pytest.raises(ValueError, match="between 0 and 1"):
        meta.predict_quantiles(np.eye(3), [0.5, 1.0])


@pytest.mark.parametrize("encoder", ["mean", "attention"])
def test_rows_one_by_one_are_rows_at_once(encoder):
    tasks = make_linear_tasks(20, random_state=0)
    model = meta = NeuralProcessRegressor(encoder=encoder, max_epochs=2, random_state=0).fit(tasks)
    X, y = tasks[0].X[:4], tasks[0].y[:4]
    for i in range(4):
        model = model.partial_adapt(X[i : i + 1], y[i : i + 1])
    assert model.n_support_ == 4
    assert_allclose(model.predict(X), meta.fit_adapt(X, y).predict(X))


def test_classes_of_the_task_need_all_rows_at_once():
    X, y = make_blobs(60, n_features=2, centers=6, random_state=0)
    train = make_n_way_tasks(X, y, n_way=2, n_support=3, n_query=3, n_tasks=8, random_state=0)
    meta = NeuralProcessClassifier(max_epochs=1, random_state=0).fit(train)
    with pytest.raises(ValueError, match="mean the same"):
        meta.fit_adapt(X[:9], y[:9]).partial_adapt(X[9:12], y[9:12])


def test_a_transformer_needs_all_rows_at_once():
    assert not hasattr(NeuralProcessRegressor(encoder="transformer"), "partial_adapt")


@pytest.mark.parametrize("learner", [NeuralProcessClassifier, HyperNetworkClassifier])
def test_any_number_of_new_classes_in_any_order(learner):
    X, y = make_blobs(900, n_features=2, centers=30, cluster_std=0.5, random_state=0)
    train = make_n_way_tasks(
        X[y < 24], y[y < 24], n_way=3, n_support=5, n_query=10, n_tasks=400, random_state=0
    )
    meta = learner(max_epochs=15, random_state=0).fit(train)
    new = np.flatnonzero(y > 25)
    support, query = new[:40], new[40:]
    model = meta.fit_adapt(X[support], y[support])
    assert model.score(X[query], y[query]) > 0.8
    renamed = meta.fit_adapt(X[support], -y[support]).predict_proba(X[query])
    assert_allclose(renamed[:, ::-1], model.predict_proba(X[query]), rtol=1e-6)


@pytest.mark.parametrize("learner", [NeuralProcessRegressor, HyperNetworkRegressor])
def test_several_outputs(learner):
    tasks = make_linear_tasks(20, random_state=0)
    tasks = tasks.with_storage(y=np.column_stack([tasks.y, 100 - tasks.y]))
    meta = learner(max_epochs=2, random_state=0).fit(tasks)
    mean, std = meta.fit_adapt(tasks.X[:5], tasks.y[:5]).predict(tasks.X[:7], return_std=True)
    assert mean.shape == std.shape == (7, 2)
    assert meta.predict_quantiles(tasks.X[:7], [0.1, 0.9]).shape == (7, 2, 2)


def test_networks_of_the_user():
    tasks = make_linear_tasks(20, random_state=0)
    for learner in (NeuralProcessRegressor, HyperNetworkRegressor):
        meta = learner(module=MLP, max_epochs=1, random_state=0).fit(tasks)
        assert np.isfinite(meta.fit_adapt(tasks.X[:5], tasks.y[:5]).predict(tasks.X[:3])).all()


def test_supports_of_training_have_all_sizes():
    meta = NeuralProcessRegressor(n_support=4, max_epochs=1).fit(make_sinusoid_tasks(200))
    meta._seed = 0
    dataset = meta._make_dataset(make_sinusoid_tasks(200))
    sizes = dataset.__getitems__(range(200)).inputs["mask"].sum(dim=1)
    assert set(sizes.tolist()) == {0, 1, 2, 3, 4}
    dataset.epoch = 1
    assert dataset.__getitems__(range(200)).inputs["mask"].sum(dim=1).tolist() != sizes.tolist()


@pytest.mark.slow
def test_a_hypernetwork_learns_lines():
    tasks = make_linear_tasks(300, 30, random_state=0)
    meta = HyperNetworkRegressor(max_epochs=40, random_state=0).fit(tasks[:200])
    assert meta.score(tasks[200:]) > 0.9

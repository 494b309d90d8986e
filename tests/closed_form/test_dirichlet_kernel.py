"""Gaussian process classification: calibrated probabilities, and what arrives later."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from skmeta import DeepKernelClassifier, Task, TaskCollection, make_n_way_tasks, split_support_query

APPROXIMATIONS = ["dirichlet", "laplace"]


@pytest.fixture(scope="module", params=APPROXIMATIONS)
def processes(request):
    """Tasks with smooth boundaries of their own, noisy, and what was learned of them."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(500, 24, 2))
    frequency, phase = rng.normal(size=(2, 500, 1, 2))
    logits = 3.0 * np.sin((X * frequency + phase).sum(axis=2))
    y = (rng.random((500, 24)) < 1 / (1 + np.exp(-logits))).astype(int)
    tasks = TaskCollection(X.reshape(-1, 2), y.ravel(), np.arange(501) * 24)
    meta = DeepKernelClassifier(
        module=None,
        approximation=request.param,
        preprocessor=None,
        lr=0.01,
        max_epochs=15,
        random_state=0,
    )
    return meta.fit(tasks[:300]), tasks[300:]


@pytest.mark.parametrize("n_support", [4, 12])
def test_probabilities_are_calibrated(processes, n_support):
    meta, tasks = processes
    support, query = split_support_query(tasks, n_support)
    pairs = zip(meta.fit_adapt_many(support), query, strict=True)
    proba = np.concatenate([model.predict_proba(task.X)[:, 1] for model, task in pairs])
    y = np.concatenate([task.y for task in query])
    bins = np.digitize(proba, [0.2, 0.4, 0.6, 0.8])
    for code in range(5):
        inside = bins == code
        if inside.sum() > 100:
            assert abs(proba[inside].mean() - y[inside].mean()) < 0.1
    assert -np.log(np.where(y, proba, 1 - proba)).mean() < np.log(2)


def test_rows_one_by_one(processes):
    meta, tasks = processes
    X, y = tasks[0].X, tasks[0].y
    model = meta
    for row in range(10):
        model = model.partial_adapt(X[row : row + 1], y[row : row + 1])
    whole = meta.fit_adapt(X[:10], y[:10])
    assert_allclose(model.predict_proba(X), whole.predict_proba(X), rtol=1e-8)


@pytest.mark.parametrize("approximation", APPROXIMATIONS)
@pytest.mark.parametrize("kernel", ["rbf", "cosine", "linear", "spectral_mixture"])
def test_new_classes_that_arrive_later(kernel, approximation):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(20), 15)
    X = 4.0 * rng.normal(size=(20, 4))[y] + rng.normal(size=(300, 4))
    train = make_n_way_tasks(X[y < 15], y[y < 15], n_way=3, n_query=5, n_tasks=60, random_state=0)
    meta = DeepKernelClassifier(
        kernel=kernel, approximation=approximation, max_epochs=3, random_state=0
    ).fit(train)
    losses = meta.net_.history_[:, "train_loss"]
    assert losses[-1] < losses[0]
    rows = np.flatnonzero(y >= 15)[::5]
    model = meta
    for part in np.array_split(rows[::-1], 6):
        model = model.partial_adapt(X[part], y[part])
    whole = meta.fit_adapt(X[rows], y[rows])
    assert_array_equal(model.classes_, [15, 16, 17, 18, 19])
    assert_allclose(model.predict_proba(X), whole.predict_proba(X), rtol=1e-6, atol=1e-12)
    assert whole.score(X[y >= 15], y[y >= 15]) > 0.8


def test_laplace_is_that_of_scikit_learn_for_two_classes():
    """One process of the difference, with twice the kernel."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    y = np.where(X[:, 0] + 0.3 * rng.normal(size=40) > 0, "yes", "no")
    meta = DeepKernelClassifier(
        module=None,
        length_scale=0.8,
        approximation="laplace",
        learn_prior=False,
        preprocessor=None,
    ).fit([Task(X, y)])
    theirs = GaussianProcessClassifier(ConstantKernel(8.0) * RBF(0.8), optimizer=None)
    ours = meta.fit_adapt(X, y)
    theirs.fit(X, y)
    # Two approximations of the integral of a sigmoid over a normal distribution.
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=0.02)
    assert_array_equal(ours.predict(X), theirs.predict(X))

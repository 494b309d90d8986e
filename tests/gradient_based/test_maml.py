"""MAML on problems whose right answer is known."""

import numpy as np
import pytest
from skorch.callbacks import LRScheduler

from skmeta import MAMLClassifier, MAMLRegressor, TaskCollection, make_n_way_tasks
from skmeta.base import few_shot_scores
from skmeta.datasets import make_sinusoid_tasks


def _sinusoid_errors(meta, n_steps):
    """Mean squared error over 600 unseen tasks, 10 support and 100 query rows each."""
    tasks = make_sinusoid_tasks(600, 110, random_state=1000)
    X, y = tasks.X.reshape(600, 110, 1), tasks.y.reshape(600, 110)
    support = TaskCollection(X[:, :10].reshape(-1, 1), y[:, :10].ravel(), np.arange(0, 6001, 10))
    models = meta.set_params(n_adapt_steps=n_steps).fit_adapt_many(support)
    predicted = np.array([model.predict(x) for model, x in zip(models, X[:, 10:], strict=True)])
    return np.mean((predicted - y[:, 10:]) ** 2)


@pytest.mark.slow
def test_sinusoids_of_the_paper():
    # The published setting but for the outer learning rate, which is higher and decays, for speed.
    meta = MAMLRegressor(
        inner_lr=0.01,
        n_steps=1,
        n_query=10,
        lr=3e-3,
        max_epochs=9,
        batch_size=25,
        train_split=None,
        callbacks=[LRScheduler("CosineAnnealingLR", T_max=9)],
        preprocessor=None,
        normalize_y=False,
        random_state=0,
    ).fit(make_sinusoid_tasks(40_000, 20, random_state=0))
    assert _sinusoid_errors(meta, 0) > 2.0
    assert _sinusoid_errors(meta, 1) < 0.45
    assert _sinusoid_errors(meta, 10) < 0.15


def test_first_order_trains_other_weights():
    tasks = make_sinusoid_tasks(50, random_state=0)
    second = MAMLRegressor(max_epochs=3, random_state=0).fit(tasks)
    first = MAMLRegressor(max_epochs=3, first_order=True, random_state=0).fit(tasks)
    x = np.linspace(-5, 5, 20)[:, None]
    assert not np.allclose(first.predict(x), second.predict(x), rtol=1e-3)


def test_meta_training_helps_where_a_new_network_learns_nothing():
    # Two points determine amplitude and phase; without a prior they determine nothing.
    tasks = make_sinusoid_tasks(2000, random_state=0)
    meta = MAMLRegressor(n_support=5, max_epochs=15, random_state=0)
    trained, new = (
        few_shot_scores(
            meta.fit(tasks), tasks[:100], n_support=5, scoring="neg_mean_squared_error"
        ),
        few_shot_scores(
            MAMLRegressor(n_support=5, max_epochs=1, lr=1e-12, random_state=0).fit(tasks),
            tasks[:100],
            n_support=5,
            scoring="neg_mean_squared_error",
        ),
    )
    assert trained.mean() > 0.6 * new.mean()


def test_shared_classes_and_an_imbalanced_support():
    # In every task the boundary is another one; the classes mean the same.
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(200, 30, 1))
    y = np.where(X[..., 0] > rng.uniform(-1, 1, size=(200, 1)), "above", "below")
    tasks = TaskCollection(X.reshape(-1, 1), y.ravel(), np.arange(0, 6001, 30))
    meta = MAMLClassifier(max_epochs=40, inner_lr=0.5, random_state=0).fit(tasks[:150])
    before = few_shot_scores(meta, tasks[150:], n_support=0).mean()
    after = few_shot_scores(meta, tasks[150:], n_support=10).mean()
    assert after > before + 0.05
    assert after > 0.85


def test_classes_of_the_tasks_own():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(20, 4))
    y = np.repeat(np.arange(20), 20)
    X = centers[y] + 0.3 * rng.normal(size=(400, 4))
    train = make_n_way_tasks(
        X[y < 14], y[y < 14], n_way=3, n_support=5, n_query=5, n_tasks=300, random_state=0
    )
    test = make_n_way_tasks(
        X[y > 13], y[y > 13], n_way=3, n_support=5, n_query=5, n_tasks=100, random_state=0
    )
    meta = MAMLClassifier(max_epochs=15, inner_lr=0.5, random_state=0).fit(train)
    assert meta.score(test) > 0.85

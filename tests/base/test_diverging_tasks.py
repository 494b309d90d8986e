"""Adapting to many tasks of which some diverge: they are named, and the others are not lost."""

import pickle

import numpy as np
import pytest

from skmeta import (
    BaseMetaLearner,
    MAMLRegressor,
    MetaRegressorMixin,
    MetaStackingRegressor,
    PooledRegressor,
    TaskCollection,
    TaskwiseRegressor,
    TrainingDivergedError,
)
from skmeta.datasets import make_linear_tasks

N_TASKS, N_ROWS = 300, 6
TASKS = make_linear_tasks(N_TASKS, N_ROWS, 2, noise=0.1, random_state=0)
BAD = [3, 170, 299]  # of three of the batches in which networks adapt
NAMES = np.array([f"shop {i}" for i in range(N_TASKS)])


@pytest.fixture(scope="module")
def tasks():
    """Three tasks have rows so far from all others that gradient steps explode."""
    scale = np.ones(N_TASKS)
    scale[BAD] = 1e80
    X = TASKS.X * np.repeat(scale, N_ROWS)[:, None]
    return TaskCollection(X, TASKS.y, TASKS.offsets, names=NAMES)


@pytest.fixture(scope="module")
def meta():
    return MAMLRegressor(max_epochs=1, random_state=0, preprocessor=None).fit(TASKS[:40])


class Fragile(MetaRegressorMixin, BaseMetaLearner):
    """Adapts to one task after the other, and diverges on targets above a hundred."""

    def _fit_tasks(self, tasks):
        self.mean_ = tasks.y.mean()

    def _adapt(self, X, y):
        if len(y) and y.max() > 100:
            raise TrainingDivergedError("The target is too large.")
        self.level_ = y.mean() if len(y) else self.mean_

    def predict(self, X):
        return np.full(len(self._validate_query(X)), self.level_)


def test_the_error_names_the_tasks(meta, tasks):
    with pytest.raises(
        TrainingDivergedError, match="3 of 300 tasks diverged: shop 3, shop 170, shop 299; weights"
    ) as caught:
        meta.fit_adapt_many(tasks)
    assert caught.value.tasks == (3, 170, 299)
    assert pickle.loads(pickle.dumps(caught.value)).tasks == (3, 170, 299)
    with pytest.raises(TrainingDivergedError, match="Adapting to the support diverged") as caught:
        meta.fit_adapt(tasks[3].X, tasks[3].y)
    assert caught.value.tasks == ()


def test_the_others_are_adapted_to(meta, tasks):
    with pytest.warns(UserWarning, match="shop 3, shop 170, shop 299"):
        models = meta.fit_adapt_many(tasks, on_error="warn")
    assert [i for i, model in enumerate(models) if model is None] == BAD
    for i in (0, 4, 169, 171, 298):
        alone = meta.fit_adapt(tasks[i].X, tasks[i].y)
        assert models[i].n_support_ == N_ROWS
        np.testing.assert_allclose(models[i].predict(TASKS.X[:5]), alone.predict(TASKS.X[:5]))


def test_a_learner_that_adapts_to_one_task_at_a_time():
    y = np.repeat(np.arange(5.0), 2)
    y[[2, 9]] = 1000.0
    tasks = TaskCollection(np.zeros((10, 1)), y, np.arange(0, 11, 2))
    meta = Fragile().fit(TASKS)
    with pytest.warns(UserWarning, match="too large"):
        models = meta.fit_adapt_many(
            TaskCollection(np.zeros((10, 2)), y, tasks.offsets), on_error="warn"
        )
    assert [model and model.level_ for model in models] == [0.0, None, 2.0, 3.0, None]


def test_a_stack_leaves_out_what_a_candidate_diverges_on():
    candidates = [("fragile", Fragile()), ("pooled", PooledRegressor("linear"))]
    stack = MetaStackingRegressor(candidates, guard=False, n_folds=2).fit(TASKS[:20])
    stack.weights_[:] = 0.5  # whatever it learned: both adapt
    stack._adapt(TASKS.X[:0], TASKS.y[:0])
    y = TASKS.y.copy()
    y[TASKS.offsets[4]] = 1000.0
    tasks = TASKS.with_storage(y=y)[:8]
    with pytest.warns(UserWarning, match="1 of 8 tasks diverged: 4"):
        models = stack.fit_adapt_many(tasks, on_error="warn")
    assert [model is None for model in models] == [i == 4 for i in range(8)]
    assert np.isfinite(models[5].predict(TASKS.X[:3])).all()


def test_a_table_with_a_task_that_diverges():
    y = TASKS.y[: 10 * N_ROWS].copy()
    y[4 * N_ROWS] = 1000.0
    X = np.column_stack([TASKS.row_task, TASKS.X])[: len(y)]
    with pytest.warns(UserWarning, match="1 of 10 tasks diverged: 4"):
        model = TaskwiseRegressor(Fragile()).fit(X, y)
    assert sorted(model.models_) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    np.testing.assert_allclose(model.predict(X[4 * N_ROWS :][:2]), y.mean())


def test_on_error_is_checked(meta):
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'warn', got 'ignore'"):
        meta.fit_adapt_many(TASKS, on_error="ignore")

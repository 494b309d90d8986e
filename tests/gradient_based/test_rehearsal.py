"""Streams of tasks: what is kept of the past, and what it is good for."""

import pickle
from itertools import pairwise

import numpy as np
import pytest

from skmeta import MAMLClassifier, MAMLRegressor, TaskCollection, make_n_way_tasks
from skmeta.base import few_shot_scores
from skmeta.datasets import make_sinusoid_tasks
from skmeta.gradient_based._rehearsal import Rehearsal


def numbered(first, last):
    """Tasks of two rows that hold their number."""
    X = np.repeat(np.arange(first, last, dtype=float), 2)[:, None]
    return TaskCollection(X, X[:, 0], np.arange(0, len(X) + 1, 2))


def stream(size, seed, bounds=(0, 5, 9, 30)):
    kept = Rehearsal(size, seed)
    for first, last in pairwise(bounds):
        kept = kept.add(numbered(first, last))
    return kept


def test_all_or_none_or_at_most_as_many_as_asked_for():
    assert stream(None, 0).tasks.X[::2, 0].tolist() == list(range(30))
    assert stream(0, 0).tasks is None
    assert len(stream(7, 0).tasks) == 7
    assert len(stream(100, 0).tasks) == 30


def test_every_task_of_the_stream_is_kept_with_the_same_probability():
    kept = np.concatenate([stream(6, seed).tasks.X[::2, 0] for seed in range(500)])
    counts = np.bincount(kept.astype(int), minlength=30)
    assert counts.sum() == 3000
    assert np.abs(counts - 100).max() < 45  # five deviations


def test_adding_leaves_what_was_kept_as_it_was():
    first = stream(5, 0)
    before = first.tasks.X.copy()
    first.add(numbered(30, 60))
    np.testing.assert_array_equal(first.tasks.X, before)


def test_rehearsed_tasks_are_split_like_the_new_ones():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 3)), np.repeat(np.arange(10), 10)
    tasks = make_n_way_tasks(X, y, n_way=2, n_support=1, n_query=4, n_tasks=5, random_state=0)
    joined = Rehearsal(None, 0).add(tasks).join(tasks[:2])
    assert len(joined) == 7
    assert joined.with_storage(joined.X)[1:].default_split == (2, 8)
    assert not joined.shared_target
    np.testing.assert_array_equal(joined[1].X, tasks[1].X)
    meta = MAMLClassifier(max_epochs=1, random_state=0, buffer_size=4)
    meta.partial_fit(tasks[:3]).partial_fit(tasks[3:])
    assert pickle.loads(pickle.dumps(meta)).fit_adapt(X[:20], y[:20]).predict(X[:3]).shape == (3,)


def test_without_a_buffer_only_new_tasks_count():
    tasks = make_sinusoid_tasks(30, random_state=0)
    options = {"max_epochs": 2, "random_state": 0, "train_split": None}
    plain = MAMLRegressor(**options).partial_fit(tasks[:20]).partial_fit(tasks[20:])
    rehearsing = MAMLRegressor(buffer_size=None, **options).partial_fit(tasks[:20])
    rehearsing.partial_fit(tasks[20:])
    x = np.linspace(-5, 5, 9)[:, None]
    assert not np.allclose(plain.predict(x), rehearsing.predict(x), atol=1e-6)


def test_rehearsing_keeps_what_was_learned_before():
    # First waves of the paper, then constants: what was learned of waves is lost without a buffer.
    waves, test = make_sinusoid_tasks(200, random_state=0), make_sinusoid_tasks(50, random_state=1)
    rng = np.random.default_rng(0)
    levels = np.repeat(rng.normal(size=100), 20)
    constants = TaskCollection(rng.uniform(-5, 5, (2000, 1)), levels, np.arange(0, 2001, 20))
    options = {"max_epochs": 10, "random_state": 0, "train_split": None, "lr": 3e-3}
    errors = {}
    for size in (0, 100):
        meta = MAMLRegressor(buffer_size=size, **options).partial_fit(waves).partial_fit(constants)
        errors[size] = -few_shot_scores(
            meta, test, n_support=10, scoring="neg_mean_squared_error"
        ).mean()
    assert errors[100] < 0.9 * errors[0]


@pytest.mark.parametrize("size", [-1, 2.5, "all"])
def test_bad_sizes_get_a_clear_error(size):
    with pytest.raises(ValueError, match="buffer_size"):
        MAMLRegressor(buffer_size=size).fit(make_sinusoid_tasks(5, random_state=0))

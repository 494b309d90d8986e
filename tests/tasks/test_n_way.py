"""N-way tasks: lazy, reproducible by index."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold

from skmeta import NWayTasks, make_n_way_tasks


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(list("abcdefg"), [30, 8, 9, 20, 8, 12, 40]))
    return np.arange(len(y), dtype=float)[:, None], y


def _make(pool, **options):
    options = {
        "n_way": 3,
        "n_support": 2,
        "n_query": 5,
        "n_tasks": 200,
        "random_state": 0,
    } | options
    return make_n_way_tasks(*pool, **options)


def test_a_task_has_so_many_distinct_rows_of_so_many_classes(pool):
    tasks = _make(pool)
    assert tasks.shape == (200,)
    for task in tasks:
        classes, counts = np.unique(task.y, return_counts=True)
        assert len(classes) == 3
        assert_array_equal(counts, 7)
        assert len(np.unique(task.X)) == 21
        assert_array_equal(pool[1][task.X.ravel().astype(int)], task.y)
        assert_array_equal(np.unique(task.y[:6], return_counts=True)[1], 2)  # support comes first


def test_a_task_depends_on_seed_and_index_alone(pool):
    tasks, larger = _make(pool), _make(pool, n_tasks=10_000)
    part = tasks[[150, 7]]
    assert isinstance(part, NWayTasks)
    assert_array_equal(part[1].X, tasks[7].X)
    assert_array_equal(larger[7].X, tasks[7].X)
    assert_array_equal(part.X, np.concatenate([tasks[150].X, tasks[7].X]))
    assert_array_equal(pickle.loads(pickle.dumps(part))[0].X, tasks[150].X)
    assert not np.array_equal(_make(pool, random_state=1)[7].X, tasks[7].X)


def test_classes_and_rows_are_as_likely(pool):
    tasks = _make(pool, n_tasks=4000)
    rows = tasks.row_index().reshape(4000, -1)
    classes = pool[1][rows]
    shares = [np.mean((classes == c).any(axis=1)) for c in "abcdefg"]
    assert np.abs(np.array(shares) - 3 / 7).max() < 0.04
    counts = np.bincount(rows[classes == "a"], minlength=len(pool[1]))[pool[1] == "a"]
    # 4,000 tasks * 3/7 * 7/30 = 400 draws of each row, in each position
    assert np.abs(counts - 400).max() < 100
    firsts = np.bincount(rows[:, 0][classes[:, 0] == "a"], minlength=len(pool[1]))
    assert np.abs(firsts[pool[1] == "a"] - 4000 / 7 / 30).max() < 25


def test_splitters_slice_it(pool):
    tasks = _make(pool, n_tasks=10)
    for train, test in KFold(5).split(tasks):
        assert (len(tasks[train]), len(tasks[test])) == (8, 2)


def test_a_million_tasks_cost_nothing(pool):
    tasks = _make(pool, n_tasks=1_000_000)
    assert tasks[999_999].n_rows == 21
    assert tasks.default_split == (6, 15)
    assert not tasks.shared_target


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_way": 8}, "only 7"),
        ({"n_query": 7}, "'b' has 8"),
        ({"n_way": 1}, "n_way"),
        ({"n_query": 0}, "n_query"),
        ({"n_tasks": 0}, "n_tasks"),
    ],
)
def test_bad_options(pool, options, message):
    with pytest.raises(ValueError, match=message):
        _make(pool, **options)

"""Support and query: drawn by what rows hold, in proportion, and reproducibly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skmeta import Task, TaskCollection, split_support_query
from skmeta.tasks import SupportQueryDraw


def _tasks(sizes, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    n_rows = sum(sizes)
    return TaskCollection(
        rng.standard_normal((n_rows, 2)),
        rng.integers(n_classes, size=n_rows),
        np.concatenate([[0], np.cumsum(sizes)]),
    )


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    n_support=st.integers(0, 8),
    n_query=st.one_of(st.none(), st.integers(1, 5)),
    stratify=st.booleans(),
    strategy=st.sampled_from(["random", "first"]),
)
def test_support_and_query_are_disjoint_rows_of_the_task(
    sizes, n_support, n_query, stratify, strategy
):
    tasks = _tasks(sizes)
    support, query = split_support_query(
        tasks, n_support, n_query, stratify=stratify, strategy=strategy
    )
    for task, s, q in zip(tasks, support, query, strict=True):
        assert s.n_rows == min(n_support, task.n_rows - 1)
        left = task.n_rows - s.n_rows
        assert q.n_rows == (left if n_query is None else min(left, n_query))
        rows = {tuple(row) for row in task.X}
        assert {tuple(row) for row in s.X} | {tuple(row) for row in q.X} <= rows
        assert not {tuple(row) for row in s.X} & {tuple(row) for row in q.X}
        if strategy == "first":
            assert_array_equal(s.X, task.X[: s.n_rows])


def test_the_split_of_a_task_does_not_depend_on_anything_but_its_rows_and_the_seed():
    tasks = _tasks([10, 12, 9, 20])
    rng = np.random.default_rng(1)
    rows = rng.permutation(tasks.n_rows)
    stored_otherwise = TaskCollection.from_arrays(
        tasks.X[rows], tasks.y[rows], tasks.row_task[rows]
    )[::-1]
    for stratify in (False, True):
        support, _ = split_support_query(tasks, 4, stratify=stratify)
        other, _ = split_support_query(stored_otherwise, 4, stratify=stratify)
        alone, _ = split_support_query(tasks[[2]], 4, stratify=stratify)
        assert_array_equal(support[2].X, other[1].X)
        assert_array_equal(support[2].X, alone[0].X)
        reseeded, _ = split_support_query(tasks, 4, stratify=stratify, random_state=1)
        assert not np.array_equal(support.X, reseeded.X)


def test_a_small_support_is_part_of_a_larger_one():
    tasks = _tasks([15, 15])
    for stratify in (False, True):
        small, _ = split_support_query(tasks, 3, stratify=stratify)
        large, _ = split_support_query(tasks, 7, stratify=stratify)
        assert_array_equal(large[1].X[:3], small[1].X)


@pytest.mark.parametrize("strategy", ["random", "first"])
def test_supports_of_several_sizes_share_their_query(strategy):
    tasks = _tasks([15, 12, 4])
    draws = [split_support_query(tasks, n, query_after=7, strategy=strategy) for n in (0, 3, 7)]
    for support, query in draws:
        assert_array_equal(query.X, draws[-1][1].X)
        assert_array_equal(query.sizes, [8, 5, 1])
        assert not set(support.X[:, 0]) & set(query.X[:, 0])
    assert_array_equal(draws[1][0].sizes, [3, 3, 3])
    assert_array_equal(draws[2][0].sizes, [7, 7, 3])


def test_stratified_support_holds_every_class_and_then_proportions():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    tasks = TaskCollection(np.arange(100.0)[:, None], y, [0, 100])
    for seed in range(20):
        three, _ = split_support_query(tasks, 3, stratify=True, random_state=seed)
        assert sorted(three[0].y) == [0, 1, 2]
        twenty, _ = split_support_query(tasks, 20, stratify=True, random_state=seed)
        assert_array_equal(np.abs(np.bincount(twenty[0].y) - [12, 6, 2]) <= 1, True)


def test_every_row_is_as_likely():
    tasks = _tasks([10] * 500, seed=3)
    draw = SupportQueryDraw(tasks, 3)
    counts = np.zeros(10)
    for epoch in range(10):
        counts += np.bincount(draw(epoch=epoch)[0].rows % 10, minlength=10)
    # 5,000 draws of 3 out of 10: the standard deviation of a count is 32
    assert np.abs(counts - 1500).max() < 5 * 32


def test_identical_tables_in_different_tasks_get_different_draws():
    # the same questions asked of every person: only the answers differ
    X = np.tile(np.arange(20.0)[:, None], (50, 1))
    y = np.random.default_rng(0).integers(2, size=1000)
    support, _ = split_support_query(TaskCollection(X, y, np.arange(0, 1001, 20)), 2)
    assert len({tuple(task.X.ravel()) for task in support}) > 25


def test_tasks_of_different_widths():
    tasks = TaskCollection.from_tasks(
        [Task(np.eye(6)[:, :2], np.arange(6)), Task(np.eye(5)[:, :3], np.arange(5))]
    )
    support, query = split_support_query(tasks, 2)
    assert_array_equal(support.sizes, [2, 2])
    assert_array_equal(query.sizes, [4, 3])
    assert_array_equal(support.widths, [2, 3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_support": -1}, "n_support must be"),
        ({"n_support": 1.5}, "n_support must be"),
        ({"n_support": 1, "n_query": 0}, "n_query must be"),
        ({"n_support": 1, "query_after": -1}, "query_after must be"),
        ({"n_support": 1, "strategy": "last"}, "strategy must be"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        split_support_query(_tasks([4]), **options)

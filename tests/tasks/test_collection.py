"""Task collections: stored flat, sliced like arrays."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold, train_test_split

from skmeta import Task, TaskCollection


@pytest.fixture
def tasks():
    X = np.arange(24.0).reshape(12, 2)
    return TaskCollection.from_arrays(X, np.arange(12), np.repeat(["c", "a", "b"], [3, 5, 4]))


def test_tasks_are_sorted_by_id_and_keep_their_rows(tasks):
    assert tasks.shape == (3,)
    assert_array_equal(tasks.names, ["a", "b", "c"])
    assert_array_equal(tasks.sizes, [5, 4, 3])
    assert_array_equal(tasks[0].y, [3, 4, 5, 6, 7])
    assert_array_equal(tasks.y, [3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2])
    assert_array_equal(tasks.X[:, 0], 2 * tasks.y)
    assert_array_equal(tasks.offsets, [0, 5, 9, 12])
    assert_array_equal(tasks.row_task, [0] * 5 + [1] * 4 + [2] * 3)


@given(
    task_id=st.lists(st.integers(-3, 3), min_size=1, max_size=30),
    key=st.lists(st.integers(0, 100), max_size=5),
)
def test_grouping_and_slicing_agree_with_a_dictionary(task_id, key):
    y = np.arange(len(task_id))
    tasks = TaskCollection.from_arrays(y[:, None], y, task_id)
    groups = {t: [i for i, other in enumerate(task_id) if other == t] for t in sorted(set(task_id))}
    assert [task.name for task in tasks] == list(groups)
    assert [task.y.tolist() for task in tasks] == list(groups.values())
    key = [k % len(tasks) for k in key]
    part = tasks[key]
    assert isinstance(part, TaskCollection)
    assert [task.name for task in part] == [list(groups)[k] for k in key]
    assert part.y.tolist() == [i for k in key for i in list(groups.values())[k]]


@pytest.mark.parametrize(
    ("key", "names"),
    [
        (slice(1, None), ["b", "c"]),
        (np.array([2, 0]), ["c", "a"]),
        ([True, False, True], ["a", "c"]),
        ((np.array([1]), ...), ["b"]),
        (slice(None, None, -1), ["c", "b", "a"]),
        ([], []),
    ],
)
def test_slices_keep_the_type(tasks, key, names):
    part = tasks[key]
    assert isinstance(part, TaskCollection)
    assert part.names.tolist() == names
    assert_array_equal(part.X[:, 0], 2 * part.y)


def test_an_integer_gives_a_task(tasks):
    for key in (1, -2, np.int64(1), (1, ...)):
        assert isinstance(tasks[key], Task)
        assert tasks[key].name == "b"


@pytest.mark.parametrize("key", [3, -4, (0, 0), [True], 1.5, [[0]], "a"])
def test_bad_keys(tasks, key):
    with pytest.raises(IndexError):
        tasks[key]


def test_a_task_is_no_sequence(tasks):
    task = tasks[0]
    assert not hasattr(task, "__len__")
    assert not hasattr(task, "__getitem__")
    with pytest.raises(AttributeError, match="cannot assign"):
        task.y = None


def test_views_share_memory(tasks):
    assert np.shares_memory(tasks[1].X, tasks.storage[0])
    assert np.shares_memory(tasks[:2][0].X, tasks.storage[0])


def test_grouped_rows_are_not_copied():
    X = np.zeros((6, 2))
    tasks = TaskCollection.from_arrays(X, np.zeros(6), ["b", "b", "a", "a", "c", "c"])
    assert np.shares_memory(tasks[0].X, X)


def test_a_slice_pickles_its_own_rows():
    tasks = TaskCollection(np.zeros((10_000, 2)), np.zeros(10_000), np.arange(0, 10_001, 10))
    assert len(pickle.dumps(tasks[:2])) < 5_000
    copy = pickle.loads(pickle.dumps(tasks[3:5]))
    assert_array_equal(copy.names, [3, 4])


def test_memory_mapping(tmp_path):
    tasks = TaskCollection(
        np.arange(3000.0).reshape(1000, 3), np.zeros(1000), np.arange(0, 1001, 10)
    )
    joblib.dump(tasks, tmp_path / "tasks")
    mapped = joblib.load(tmp_path / "tasks", mmap_mode="r")
    assert isinstance(mapped.storage[0], np.memmap)
    assert isinstance(mapped[5].X, np.memmap)
    assert_array_equal(mapped[5:8].X, tasks[5:8].X)


def test_splitters(tasks):
    train, test = train_test_split(tasks, test_size=1, random_state=0)
    assert isinstance(train, TaskCollection)
    assert (len(train), len(test)) == (2, 1)
    for train, test in KFold(3).split(tasks):
        assert tasks[train].n_rows + tasks[test].n_rows == tasks.n_rows


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_there_and_back(library):
    df = library.DataFrame(
        {"ward": ["b", "a", "b"], "age": [1.5, None, 2.5], "sex": ["f", "m", None], "y": [1, 2, 3]}
    )
    tasks = TaskCollection.from_frame(df, target="y", task="ward")
    assert isinstance(tasks.X, library.DataFrame)
    assert list(tasks[1].X.columns) == ["age", "sex"]
    assert_array_equal(tasks[1].y, [1, 3])
    back = tasks.to_frame(target="y", task="ward")
    assert isinstance(back, library.DataFrame)
    assert list(back.columns) == ["ward", "y", "age", "sex"]
    assert back["y"].to_list() == [2, 1, 3]


def test_several_targets():
    df = pd.DataFrame({"t": [1, 1, 2], "a": [1.0, 2, 3], "u": [4.0, 5, 6], "v": [7.0, 8, 9]})
    tasks = TaskCollection.from_frame(df, target=["u", "v"], task="t")
    assert tasks.y.shape == (3, 2)
    assert list(tasks.to_frame(target=["u", "v"]).columns) == ["task", "u", "v", "a"]
    with pytest.raises(ValueError, match="2 column"):
        tasks.to_frame()


def test_arrays_become_a_frame_of_choice(tasks):
    assert isinstance(tasks.to_frame(), pd.DataFrame)
    assert isinstance(tasks.to_frame(backend="polars"), pl.DataFrame)


def test_different_widths_are_reported():
    tasks = TaskCollection.from_tasks(
        [
            Task(np.zeros((2, 3)), [0, 1]),
            Task(np.ones((4, 5)), list("abab")),
            Task([[1, 2, 3]], [2]),
        ]
    )
    assert repr(tasks) == "TaskCollection(n_tasks=3, n_rows=7, n_features=3 to 5)"
    assert_array_equal(tasks.widths, [3, 5, 3])
    assert not tasks.has_equal_widths
    assert not tasks.shared_target
    assert tasks[1].y.tolist() == list("abab")
    with pytest.raises(ValueError, match="3 to 5 features"):
        _ = tasks.X
    equal = tasks[[0, 2]]
    assert equal.has_equal_widths
    assert_array_equal(equal.y, [0, 1, 2])
    assert pickle.loads(pickle.dumps(tasks)).widths.tolist() == [3, 5, 3]


def test_names_may_be_anything():
    names = [("ward", 1), ("ward", 2)]
    tasks = TaskCollection.from_tasks([Task([[0]], [0], name) for name in names])
    assert [task.name for task in tasks] == names
    mixed = TaskCollection.from_tasks([Task([[0]], [0], "a"), Task([[0]], [0], 1)])
    assert [task.name for task in mixed] == ["a", 1]


BAD = [
    (lambda: Task([1, 2], [1, 2]), ValueError, "two-dimensional"),
    (lambda: Task([[1], [2]], [1]), ValueError, "X has 2, y has 1"),
    (lambda: Task([[1]], [[[1]]]), ValueError, "y must be one-dimensional"),
    (lambda: TaskCollection([[1]], [1], [0, 2]), ValueError, "offsets"),
    (lambda: TaskCollection([[1], [2]], [1, 2], [0, 2, 1, 2]), ValueError, "decrease"),
    (lambda: TaskCollection([[1]], [1], [0, 1], names=["a", "b"]), ValueError, "one name"),
    (lambda: TaskCollection.from_arrays([[1]], [1], [1, 2]), ValueError, "task_id must hold"),
    (lambda: TaskCollection.from_arrays([[1]], [1], [np.nan]), ValueError, "missing in 1 of 1"),
    (lambda: TaskCollection.from_arrays([[1]], [1], [None]), ValueError, "missing in 1 of 1"),
    (
        lambda: TaskCollection.from_arrays([[1], [2]], [1, 2], np.array(["a", 1], dtype=object)),
        TypeError,
        "mixes types",
    ),
    (lambda: TaskCollection.from_tasks([]), ValueError, "at least one"),
    (lambda: TaskCollection.from_tasks([1]), TypeError, "got int at position 0"),
    (lambda: TaskCollection.from_frame([[1]], target="y", task="t"), TypeError, "data frame"),
    (
        lambda: TaskCollection.from_frame(pd.DataFrame({"a": [1]}), target="y", task="a"),
        ValueError,
        "no column named 'y'",
    ),
    (
        lambda: Task(pd.DataFrame([[1, 2]], columns=["a", "a"]), [1]),
        ValueError,
        "duplicate column names: a",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_sparse_rows_are_refused():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match="toarray"):
        Task(csr_array(np.eye(2)), [0, 1])

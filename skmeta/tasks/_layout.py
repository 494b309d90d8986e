"""Where tasks lie in a flat table: offsets, names and the selection of some of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from skmeta.tasks._table import column_names, is_frame
from skmeta.tasks._task import Task


def offsets_of(sizes: np.ndarray) -> np.ndarray:
    """Where each task starts, and the last one ends, when they lie one after the other."""
    return np.concatenate([[0], np.cumsum(sizes)])


def runs(task_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and value of each run of equal ids."""
    if not len(task_id):
        return np.zeros(0, dtype=np.int64), task_id
    starts = np.concatenate([[0], np.flatnonzero(task_id[1:] != task_id[:-1]) + 1])
    return starts, task_id[starts]


def storage_kind(task: Task) -> tuple:
    """Tasks of the same kind are stored in one block."""
    outputs = task.y.shape[1:]
    is_text = task.y.dtype.kind not in "fiub"  # numbers and strings would all become strings
    return is_frame(task.X), task.n_features, column_names(task.X), outputs, is_text


def check_offsets(offsets: Any, n_rows: int) -> np.ndarray:
    """Offsets as an array, if they cut `n_rows` rows into tasks."""
    offsets = np.asarray(offsets, dtype=np.int64)
    if offsets.ndim != 1 or len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != n_rows:
        raise ValueError(f"offsets must be one-dimensional and go from 0 to {n_rows}.")
    if np.any(np.diff(offsets) < 0):
        raise ValueError("offsets must not decrease.")
    return offsets


def check_names(names: Any, n_tasks: int) -> np.ndarray:
    """Names as an array, one for each task; numbers by default."""
    if names is None:
        return np.arange(n_tasks)
    if isinstance(names, np.ndarray):
        array = names
    elif len({type(name) for name in names} & {str, int, float}) == len({*map(type, names)}) == 1:
        array = np.asarray(names)
    else:  # anything hashable may be a name; numpy must not take tuples apart or merge types
        array = np.empty(len(names), dtype=object)
        array[:] = names
    if array.shape != (n_tasks,):
        raise ValueError(f"names must hold one name for each of {n_tasks} tasks.")
    return array


def check_task_id(task_id: Any, n_rows: int) -> np.ndarray:
    """The task of each row as an array that can be sorted, without gaps."""
    task_id = np.asarray(task_id)
    if task_id.shape != (n_rows,):
        raise ValueError(
            f"task_id must hold one value for each of {n_rows} rows, got shape {task_id.shape}."
        )
    missing = (
        np.array([value is None or value != value for value in task_id], dtype=bool)
        if task_id.dtype == object
        else task_id != task_id
    )
    if missing.any():
        raise ValueError(f"task_id is missing in {missing.sum()} of {n_rows} rows.")
    if task_id.dtype == object:
        try:
            return np.unique(task_id)[np.unique(task_id, return_inverse=True)[1]]
        except TypeError as error:
            raise TypeError("task_id mixes types that cannot be sorted together.") from error
    return task_id


def check_selection(key: Any, n_tasks: int) -> np.ndarray:
    """An array of integers, or a mask, that selects tasks."""
    index = np.asarray(key)
    if index.dtype == bool and index.shape != (n_tasks,):
        raise IndexError(f"A mask must have {n_tasks} entries, got shape {index.shape}.")
    if index.size == 0:
        return np.zeros(0, dtype=np.int64)
    if index.ndim != 1 or index.dtype.kind not in "iub":
        raise IndexError(
            "Tasks are selected by an integer, a slice, or a one-dimensional array of integers "
            f"or booleans, got {key!r}."
        )
    return index

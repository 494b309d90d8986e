"""Rows of tasks as one data frame, with columns for the target and for the task."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from skmeta.tasks._table import as_table, is_frame


def split_frame(df: Any, target: Any, task: str) -> tuple[Any, np.ndarray, np.ndarray]:
    """Features, as a frame of the same kind; the target; and the task of each row.

    Raises
    ------
    TypeError
        If `df` is no data frame.
    ValueError
        If it lacks one of the columns.
    """
    if not is_frame(df):
        raise TypeError(f"df must be a data frame, got {type(df).__name__}.")
    frame = nw.from_native(as_table(df, "df"))
    targets = [target] if isinstance(target, str) else list(target)
    missing = [name for name in [*targets, task] if name not in frame.columns]
    if missing:
        raise ValueError(
            f"df has no column named {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, frame.columns))}."
        )
    y = frame.get_column(target) if isinstance(target, str) else frame.select(targets)
    X = frame.drop([*targets, task]).to_native()
    return X, y.to_numpy(), frame.get_column(task).to_numpy()


def join_frame(
    X: Any, y: np.ndarray, task_id: np.ndarray, *, target: Any, task: str, backend: Any
) -> Any:
    """One frame of all; its kind is that of `X` by default, or pandas.

    Raises
    ------
    ValueError
        If `target` does not name each column of `y`.
    """
    y = y.reshape(len(y), -1)
    targets = [target] if isinstance(target, str) else list(target)
    if len(targets) != y.shape[1]:
        raise ValueError(f"target must name {y.shape[1]} column(s), got {targets!r}.")
    features = nw.from_native(X).to_dict(as_series=False) if is_frame(X) else None
    if features is None:
        features = {f"x{j}": column for j, column in enumerate(np.asarray(X).T)}
    if backend is None:
        backend = nw.get_native_namespace(X).__name__ if is_frame(X) else "pandas"
    data = {task: task_id} | dict(zip(targets, y.T, strict=True)) | features
    return nw.from_dict(data, backend=backend).to_native()

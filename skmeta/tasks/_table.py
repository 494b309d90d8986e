"""The few things a task collection asks of a table, be it a numpy array or a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse


def is_frame(X: Any) -> bool:
    """Whether `X` is a data frame (pandas, polars, pyarrow, ...) rather than an array."""
    return nw.dependencies.is_into_dataframe(X)


def as_table(X: Any, input_name: str = "X") -> Any:
    """Return `X` as a two-dimensional array or a data frame, without copying its rows.

    Raises
    ------
    TypeError
        If `X` is sparse.
    ValueError
        If `X` is not two-dimensional, or is a frame with two columns of the same name.
    """
    if is_frame(X):
        _check_distinct_columns(X, input_name)
        return X
    if issparse(X):
        raise TypeError(
            f"{input_name} is a sparse {type(X).__name__}; dense data is required. "
            f"Use `{input_name}.toarray()` if it fits in memory."
        )
    array = np.asanyarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"{input_name} must be two-dimensional (rows, features), got an array of shape "
            f"{array.shape}. Reshape your data using array.reshape(-1, 1) if it has a single "
            "feature, or flatten each row (an image, say) into one."
        )
    return array


def as_target(y: Any, n_rows: int) -> np.ndarray:
    """Return `y` as an array with `n_rows` rows of one or several outputs.

    Raises
    ------
    ValueError
        If `y` has another number of rows, or more than two dimensions.
    """
    target = np.asanyarray(y)
    if target.ndim not in (1, 2):
        raise ValueError(
            "y must be one-dimensional, or (rows, outputs) for several outputs, got an array of "
            f"shape {target.shape}."
        )
    if len(target) != n_rows:
        raise ValueError(
            f"X and y have inconsistent numbers of rows: X has {n_rows}, y has {len(target)}."
        )
    return target


def take_rows(X: Any, rows: np.ndarray | slice) -> Any:
    """The given rows of an array or a frame; a slice gives a view where the container can."""
    if not is_frame(X):
        return X[rows]
    if isinstance(rows, slice):
        return nw.from_native(X)[rows].to_native()
    return nw.from_native(X)[np.asarray(rows).tolist(), :].to_native()


def column_names(X: Any) -> tuple[str, ...] | None:
    """Names of a frame's columns, None for an array."""
    return tuple(nw.from_native(X).columns) if is_frame(X) else None


def columns(X: Any) -> list[np.ndarray]:
    """The columns of an array or a frame as one-dimensional numpy arrays."""
    if is_frame(X):
        return [series.to_numpy() for series in nw.from_native(X).iter_columns()]
    return list(np.asarray(X).T)


def concatenate(tables: Sequence[Any]) -> Any:
    """Stack arrays or frames with the same columns on top of one another."""
    if len(tables) == 1:
        return tables[0]
    if is_frame(tables[0]):
        return nw.concat([nw.from_native(t) for t in tables], how="vertical").to_native()
    return np.concatenate(tables)


def _check_distinct_columns(X: Any, input_name: str) -> None:
    names = list(getattr(X, "columns", ()))  # narwhals itself refuses a frame with duplicates
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"{input_name} has duplicate column names: {', '.join(repeated)}. Column names must be "
            "unique."
        )

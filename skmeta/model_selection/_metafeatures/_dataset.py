"""A dataset as meta-features see it: numbers, categories and a target, whatever the table held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skmeta.base import TablePreprocessor
from skmeta.tasks._table import as_table, take_rows

# So few distinct whole numbers are classes, however few the rows.
_FEW = 10


@dataclass(frozen=True)
class Dataset:
    """A table and its target.

    Parameters
    ----------
    numbers : ndarray of shape (n_rows, n_numeric)
        NaN for a gap.
    categories : ndarray of shape (n_rows, n_categorical) of int
        Codes; -1 for a gap.
    encoded : ndarray of shape (n_rows, n_encoded)
        The table as a learner sees it: imputed, scaled and one-hot encoded.
    target : ndarray of shape (n_rows,)
        Class codes 0, 1, ... or numbers.
    is_classification : bool
    n_rows : int
        Rows of the whole table, of which the arrays hold a sample.
    """

    numbers: np.ndarray
    categories: np.ndarray
    encoded: np.ndarray
    target: np.ndarray
    is_classification: bool
    n_rows: int

    @property
    def n_columns(self) -> int:
        """Columns of the table."""
        return self.numbers.shape[1] + self.categories.shape[1]


def read_dataset(X: Any, y: Any, kind: str, max_rows: int, random_state: Any) -> Dataset:
    """Check a table and take a sample of its rows.

    Parameters
    ----------
    X : array-like or data frame of shape (n_rows, n_features)
    y : array-like of shape (n_rows,)
    kind : {"auto", "classification", "regression"}
    max_rows : int
    random_state : int, RandomState instance or None

    Returns
    -------
    dataset : Dataset
    """
    X, y = as_table(X), column_or_1d(y)
    check_consistent_length(X, y)
    if y.dtype.kind == "f":
        assert_all_finite(y, input_name="y")
    n_rows = len(y)
    is_classification = _is_classification(y, kind)
    if n_rows > max_rows:
        rows = check_random_state(random_state).choice(n_rows, max_rows, replace=False)
        X, y = take_rows(X, np.sort(rows)), y[np.sort(rows)]
    preprocessor = TablePreprocessor().fit(X)
    numbers, categories = preprocessor._split(X)
    return Dataset(
        numbers=numbers,
        categories=_codes(categories),
        encoded=preprocessor.transform(X),
        target=_read_target(y, is_classification),
        is_classification=is_classification,
        n_rows=n_rows,
    )


def _is_classification(y: np.ndarray, kind: str) -> bool:
    if kind != "auto":
        return kind == "classification"
    if type_of_target(y, input_name="y").startswith("continuous"):
        return False
    # Whole numbers may count something (age, sales): classes are fewer than rows by far.
    n_distinct = len(np.unique(y))
    return y.dtype.kind not in "iuf" or n_distinct <= max(_FEW, len(y) / 10)


def _read_target(y: np.ndarray, is_classification: bool) -> np.ndarray:
    if is_classification:
        return np.unique(y, return_inverse=True)[1]
    return np.asarray(y, dtype=np.float64)


def _codes(categories: np.ndarray) -> np.ndarray:
    """Strings as codes, and a gap as -1."""
    codes = np.empty(categories.shape, dtype=np.intp)
    for j, column in enumerate(categories.T):
        is_gap = np.array([value is None for value in column], dtype=bool)
        codes[is_gap, j] = -1
        codes[~is_gap, j] = np.unique(column[~is_gap].astype(str), return_inverse=True)[1]
    return codes

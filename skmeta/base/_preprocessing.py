"""Turning a real table (numbers, strings, gaps) into numbers: the default preprocessor."""

from __future__ import annotations

from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from skmeta.tasks._table import as_table, columns, is_frame


class TablePreprocessor(TransformerMixin, BaseEstimator):
    """Impute and scale numbers, one-hot encode strings.

    Numbers are imputed by the median, with an indicator for each column that had gaps, and
    standardised. Strings and categories are one-hot encoded; a gap is a category of its own, rare
    and unseen categories share one. This is what `preprocessor="auto"` stands for. The work is done
    by scikit-learn's transformers; this class decides which column goes where.

    Parameters
    ----------
    max_categories : int, default=20
        Categories of a column that get an indicator each; the rest share one.

    Attributes
    ----------
    is_categorical_ : ndarray of shape (n_features_in_,) of bool
        Which columns are treated as categories.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmeta.base import TablePreprocessor
    >>> X = pd.DataFrame({"age": [20.0, 40.0, None], "ward": ["a", "b", "a"]})
    >>> TablePreprocessor().fit_transform(X).shape
    (3, 4)
    """

    def __init__(self, max_categories: int = 20):
        self.max_categories = max_categories

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn medians, scales and categories.

        Parameters
        ----------
        X : array-like or data frame of shape (n_rows, n_features)
        y : None
            Ignored.

        Returns
        -------
        self : TablePreprocessor
        """
        X = self._validate(X, reset=True)
        kinds = [_is_categorical(column) for column in _typed_columns(_typed(X))]
        self.is_categorical_ = np.array(kinds, dtype=bool)
        numbers, categories = self._split(X)
        self.numeric_, self.categorical_ = self._make_transformers()
        if numbers.shape[1]:
            self.numeric_.fit(numbers)
        if categories.shape[1]:
            self.categorical_.fit(categories)
        return self

    def _make_transformers(self) -> tuple[Any, Any]:
        """Transformers of the numbers and of the categories; a subclass may have others."""
        numeric = make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
        )
        categorical = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=self.max_categories,
            sparse_output=False,
        )
        return numeric, categorical

    def transform(self, X: Any) -> np.ndarray:
        """Turn a table into numbers.

        Parameters
        ----------
        X : array-like or data frame of shape (n_rows, n_features)

        Returns
        -------
        Z : ndarray of shape (n_rows, n_columns) of float64

        Raises
        ------
        ValueError
            If a column of numbers holds something else, or infinity.
        """
        check_is_fitted(self)
        numbers, categories = self._split(self._validate(X, reset=False))
        parts = []
        if numbers.shape[1]:
            parts.append(self.numeric_.transform(numbers))
        if categories.shape[1]:
            parts.append(self.categorical_.transform(categories))
        return np.hstack(parts)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns that `transform` makes.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of `X`; by default those seen in `fit`, or x0, x1, ...

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        if input_features is None:
            default = [f"x{j}" for j in range(self.n_features_in_)]
            input_features = getattr(self, "feature_names_in_", default)
        names, parts = np.asarray(input_features, dtype=object), []
        if not self.is_categorical_.all():
            parts.append(self.numeric_.get_feature_names_out(names[~self.is_categorical_]))
        if self.is_categorical_.any():
            parts.append(self.categorical_.get_feature_names_out(names[self.is_categorical_]))
        return np.concatenate(parts)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _validate(self, X: Any, reset: bool) -> Any:
        if is_frame(X):
            return validate_data(self, as_table(X), reset=reset, skip_check_array=True)
        return validate_data(self, X, dtype=None, ensure_all_finite="allow-nan", reset=reset)

    def _split(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Numbers, and categories as strings."""
        table = _typed(X)
        numbers = self._numbers_at_once(table)
        if numbers is not None and not self.is_categorical_.any():
            return numbers, np.empty((len(numbers), 0), dtype=object)
        of_columns, categories = [], []
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        for name, column, is_categorical in zip(
            names, _typed_columns(table), self.is_categorical_, strict=True
        ):
            if is_categorical:
                categories.append(_as_categories(column))
            elif numbers is None:
                of_columns.append(_as_numbers(column, name))
        n_rows = X.shape[0]
        if numbers is None:
            numbers = _stack(of_columns, n_rows, np.float64)
        return numbers, _stack(categories, n_rows, object)

    def _numbers_at_once(self, table: Any) -> np.ndarray | None:
        """All columns of numbers in one go, which takes a fraction of the time of one by one.

        None if some of them are of a kind that has to be looked at value by value, or if one of
        them holds infinity and has to be named.
        """
        if self.is_categorical_.all():
            return None
        chosen = np.flatnonzero(~self.is_categorical_)
        if isinstance(table, nw.DataFrame):
            block = table[:, chosen.tolist()].to_numpy()
        else:
            block = table[:, chosen]
        if block.dtype.kind not in "fiub":
            return None
        block = block.astype(np.float64)
        return None if np.isinf(block).any() else block


def _typed(X: Any) -> Any:
    """A frame that gives narwhals' columns; an array as it is."""
    return nw.from_native(X) if is_frame(X) else X


def _typed_columns(table: Any) -> list[Any]:
    """Columns that know their type: narwhals series of a frame, numpy columns of an array."""
    return list(table.iter_columns()) if isinstance(table, nw.DataFrame) else columns(table)


def _is_categorical(column: Any) -> bool:
    if isinstance(column, nw.Series):
        if column.dtype.is_numeric() or column.dtype == nw.Boolean:
            return False
        if column.dtype.is_temporal():
            raise TypeError(
                f"Column {column.name!r} holds dates or times ({column.dtype}). Turn it into "
                "numbers first, days since a given day for example."
            )
        if column.dtype in (nw.String, nw.Categorical) or isinstance(column.dtype, nw.Enum):
            return True
        column = column.to_numpy()
    if column.dtype.kind != "O":
        return column.dtype.kind in "US"
    return any(isinstance(value, str) for value in column)


def _as_numbers(column: Any, name: Any) -> np.ndarray:
    try:
        if isinstance(column, nw.Series):
            if column.dtype.is_numeric() or column.dtype == nw.Boolean:
                column = column.cast(nw.Float64)
            column = column.to_numpy()
        if column.dtype.kind == "O":
            column = np.array([np.nan if _is_missing(v) else v for v in column], dtype=object)
        numbers = column.astype(np.float64)
    except ValueError as error:
        raise ValueError(f"Column {name!r} held numbers in training: {error}") from error
    if np.isinf(numbers).any():
        raise ValueError(f"Column {name!r} of X contains infinity.")
    return numbers


def _as_categories(column: Any) -> np.ndarray:
    """Strings, with None for a gap."""
    values = column.to_numpy() if isinstance(column, nw.Series) else column
    missing = np.array([_is_missing(value) for value in values], dtype=bool)
    categories = values.astype(str).astype(object)
    categories[missing] = None
    return categories


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    is_equal = value == value  # NaN differs from itself; pandas.NA gives itself
    return not isinstance(is_equal, bool | np.bool_) or not is_equal


def _stack(parts: list[np.ndarray], n_rows: int, dtype: Any) -> np.ndarray:
    return np.column_stack(parts) if parts else np.empty((n_rows, 0), dtype=dtype)

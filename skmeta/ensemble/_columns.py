"""Columns as trees want them (gaps and categories kept), and as kernels want them (scaled)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from skmeta.base import TablePreprocessor

Array = NDArray[np.floating]

# HistGradientBoosting takes 255 categories of a column at most.
_MAX_CODES = 250
# Indicators of a column in a kernel; columns of a kernel, beyond which they are projected.
_MAX_INDICATORS, _MAX_COLUMNS = 15, 40
# A value far from all others must not rule a linear kernel.
_CLIP = 8.0


class TreePreprocessor(TablePreprocessor):
    """Numbers as they are, with their gaps; categories as codes, in the last columns.

    This is what `preprocessor="auto"` stands for in boosting, which handles gaps and categories
    itself. A gap in a category is a category of its own; one that training tasks did not have is a
    gap.

    Parameters
    ----------
    max_categories : int, default=250
        Categories of a column that get a code each; the rest share one.
    """

    def __init__(self, max_categories: int = _MAX_CODES):
        super().__init__(max_categories=max_categories)

    def _make_transformers(self) -> tuple[Any, Any]:
        numeric = FunctionTransformer(feature_names_out="one-to-one")
        categorical = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            max_categories=self.max_categories,
        )
        return numeric, categorical

    @property
    def n_categorical(self) -> int:
        """How many of the last columns are codes."""
        return int(self.is_categorical_.sum())


class DenseColumns:
    """Scaled columns without gaps, made from those for trees; categories become indicators.

    Parameters
    ----------
    n_categorical : int
        How many of the last columns are codes.
    max_columns : int or None, default=40
        More columns than this are projected to this many; None keeps them all.
    """

    def __init__(self, n_categorical: int, max_columns: int | None = _MAX_COLUMNS) -> None:
        self.n_categorical = n_categorical
        self.max_columns = max_columns

    def fit(self, T: Array) -> Self:
        """Learn medians, scales, and a projection if columns are many."""
        d = T.shape[1] - self.n_categorical
        numeric = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        indicators = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=_MAX_INDICATORS,
            sparse_output=False,
        )
        parts = [(numeric, slice(0, d)), (indicators, slice(d, T.shape[1]))]
        chosen = [part for part in parts if part[1].stop > part[1].start]
        self._scale = make_pipeline(make_column_transformer(*chosen), StandardScaler())
        Z = self._scale.fit_transform(T)
        self._projection = None
        if self.max_columns is not None and Z.shape[1] > self.max_columns:
            self._projection = PCA(self.max_columns, svd_solver="full").fit(Z)
            self._power = float(self._projection.transform(Z).std()) or 1.0
        return self

    def __call__(self, T: Array) -> Array:
        """Columns of shape (n_rows, n_columns)."""
        if not len(T):
            T = np.zeros((1, T.shape[1]))
            return self(T)[:0]
        Z = np.clip(self._scale.transform(T), -_CLIP, _CLIP)
        return Z if self._projection is None else self._projection.transform(Z) / self._power

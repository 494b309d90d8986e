"""Learners whose rows go to trees as they are, and scaled to all else."""

from __future__ import annotations

from typing import Any

import numpy as np

from skmeta.base import BaseMetaLearner, TablePreprocessor
from skmeta.ensemble._columns import DenseColumns, TreePreprocessor
from skmeta.ensemble._pooled import Rows


class TreeRowsLearner(BaseMetaLearner):
    """Base class: leaves gaps and categories to trees where `preprocessor="auto"`."""

    preprocessor: Any

    _dense: DenseColumns  # fitted on the rows of the training tasks

    @property
    def _n_categorical(self) -> int:
        """How many of the last columns are codes of categories."""
        return getattr(self.preprocessor_, "n_categorical", 0)

    def _rows(self, X: np.ndarray) -> Rows:
        return Rows(X, self._dense(X))

    def _make_auto_preprocessor(self) -> TablePreprocessor:
        return TreePreprocessor()

    def _transform(self, X: Any) -> np.ndarray:
        if isinstance(self.preprocessor_, TreePreprocessor):  # gaps are left to the trees
            return self.preprocessor_.transform(X).astype(np.float64, copy=False)
        return super()._transform(X)

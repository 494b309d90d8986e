"""What linear meta-learners have in common: their parameters, and which weights vary over tasks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from skmeta.base import BaseMetaLearner, TablePreprocessor
from skmeta.linear_model._shape import Structure

_INDICATOR = "missingindicator_"  # what scikit-learn's imputers put before a column's name
# Largest size of the matrices of the tasks' weights; what is computed from them takes some more.
_MAX_BYTES = 2**31


def is_too_wide(n_tasks: int, n_weights: int) -> bool:
    """Whether matrices of so many weights would not fit, one for each task."""
    return 8 * n_tasks * n_weights**2 > _MAX_BYTES


class BaseMetaLinear(BaseMetaLearner):
    """Base class: weights that vary over tasks with a learned covariance, and fixed ones."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaLearner._parameter_constraints,
        "random_effects": [StrOptions({"all", "intercept"}), "array-like"],
        "covariance": [StrOptions({"auto", "evidence", "full", "low_rank", "diagonal"})],
        "rank": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    random_effects: Literal["all", "intercept"] | Sequence[str | int]
    covariance: Literal["auto", "evidence"] | Structure
    rank: int | Literal["auto"]
    fit_intercept: bool
    max_iter: int
    tol: float

    def _design(self, X: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(X)), X]) if self.fit_intercept else X

    def _check_width(self, n_tasks: int, n_weights: int) -> None:
        if is_too_wide(n_tasks, n_weights):
            raise ValueError(
                f"{type(self).__name__} keeps {n_weights} x {n_weights} numbers for each task, "
                f"which are too many for {n_tasks} tasks. Make fewer columns, for example by a "
                "preprocessor that ends with a PCA."
            )

    def _check_converged(self, converged: bool) -> None:
        if not converged:
            warnings.warn(
                f"Learning did not converge in max_iter={self.max_iter} iterations. Increase it, "
                "or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )

    # ------------------------------------------------------------------ random effects

    def _varying(self) -> NDArray[np.bool_]:
        """Which columns of the design matrix have weights that vary over tasks."""
        intercept = [True] * self.fit_intercept
        if isinstance(self.random_effects, str):
            if self.random_effects == "intercept" and not self.fit_intercept:
                raise ValueError('random_effects="intercept" needs fit_intercept=True.')
            is_all = self.random_effects == "all"
            return np.array(intercept + [is_all] * self._n_columns, dtype=bool)
        wanted = {self._feature(feature) for feature in self.random_effects}
        if not wanted and not self.fit_intercept:
            raise ValueError("random_effects names no feature, and there is no intercept.")
        return np.array(intercept + [j in wanted for j in self._origins()], dtype=bool)

    def _feature(self, feature: Any) -> int:
        """Number of a feature that is given by name or number."""
        names = list(getattr(self, "feature_names_in_", []))
        if isinstance(feature, str):
            if feature not in names:
                raise ValueError(
                    f"random_effects names a feature that X does not have: {feature!r}; the names "
                    f"of its features are {names or 'not known'}."
                )
            return names.index(feature)
        is_number = isinstance(feature, Integral) and not isinstance(feature, bool)
        if not is_number or not 0 <= feature < self.n_features_in_:
            raise ValueError(
                f"random_effects must hold names or numbers of features, from 0 to "
                f"{self.n_features_in_ - 1}: got {feature!r}."
            )
        return int(feature)

    def _origins(self) -> list[int]:
        """The feature of `X` that each column comes from."""
        if isinstance(self.preprocessor_, TablePreprocessor):
            marks = [f"<{j}>" for j in range(self.n_features_in_)]
            columns = self.preprocessor_.get_feature_names_out(marks)
            return [int(c.removeprefix(_INDICATOR)[1:].split(">")[0]) for c in columns]
        if self._n_columns != self.n_features_in_:
            raise ValueError(
                f"random_effects names features, of which the preprocessor makes {self._n_columns} "
                f"columns out of {self.n_features_in_}: it is not known which come from which. "
                'Take preprocessor="auto", or one that keeps the columns.'
            )
        return list(range(self._n_columns))

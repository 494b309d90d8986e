"""Probabilities from decision values, by a calibration learned on rows the machine has not seen."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

Array = NDArray[np.floating]


class Calibration(NamedTuple):
    """Platt's sigmoid, which all classes share [1]_.

    References
    ----------
    .. [1] Platt (1999). Probabilistic outputs for support vector machines and comparisons to
       regularized likelihood methods. Advances in Large Margin Classifiers, 61-74.
    """

    slope: float = 2.0
    offset: float = 0.0

    @classmethod
    def fit(cls, values: Array, signs: Array) -> Self:
        """Fit the sigmoid.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_outputs)
            Decision values: one column for two classes, otherwise one for each class.
        signs : ndarray of shape (n_rows, n_outputs)
            -1 and 1.

        Returns
        -------
        calibration : Calibration
            The default one where there is nothing to learn from; its slope is never negative.
        """
        if len(np.unique(signs)) < 2:
            return cls()
        model = LogisticRegression(C=10.0).fit(values.reshape(-1, 1), signs.ravel())
        return cls(max(float(model.coef_[0, 0]), 1e-3), float(model.intercept_[0]))

    def proba(self, values: Array) -> Array:
        """Probabilities of the classes, of shape (n_rows, n_classes)."""
        if values.shape[1] == 1:
            first = expit(-self.slope * values - self.offset)
            return np.hstack([first, 1 - first])
        against_rest = expit(self.slope * values + self.offset) + np.finfo(np.float64).tiny
        return against_rest / against_rest.sum(axis=1, keepdims=True)

    def log_loss(self, values: Array, signs: Array) -> float:
        """Mean of the negative log probability of the class of each row."""
        proba = self.proba(values)
        truth = np.hstack([-signs, signs]) if signs.shape[1] == 1 else signs
        return float(-np.log(np.maximum(proba[truth > 0], 1e-12)).mean())

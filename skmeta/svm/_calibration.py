"""Probabilities from decision values, by a calibration learned on rows the machine has not seen.

A support of few rows says more than the decision values of the machine that is fitted on it: how
frequent each class is in the task, which a machine with rows of one class alone cannot weigh. And
the values of the shared function remain worth something. The log odds of a class are therefore
a weighted sum of three things, and the weights depend on the number of support rows.
"""

from __future__ import annotations

from bisect import bisect
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

Array = NDArray[np.floating]

# The weights of the evidence are worth so little beforehand that a few rows outweigh it.
_PENALTY = 0.1


class Evidence(NamedTuple):
    """What is known of some rows, for each output."""

    values: Array  # (n_rows, n_outputs), of the adapted machine
    shared: Array  # (n_rows, n_outputs), of the shared function
    odds: Array  # (n_rows, n_outputs), see `support_odds`

    def stacked(self) -> Array:
        """All of it, of shape (n_rows * n_outputs, 3)."""
        return np.column_stack([part.ravel() for part in self])


def support_odds(targets: Array, rate: Array) -> Array:
    """How much more frequent classes are in a support than in all tasks, as a logarithm of odds.

    Parameters
    ----------
    targets : ndarray of shape (n_support, n_outputs)
        Signs, -1 and 1.
    rate : ndarray of shape (n_outputs,)
        How frequent the sign 1 is in all tasks. It counts as one row.

    Returns
    -------
    odds : ndarray of shape (n_outputs,)
        Zero without any row.

    Examples
    --------
    >>> import numpy as np
    >>> support_odds(np.array([[1.0], [1.0], [-1.0]]), rate=np.array([0.5])).round(2)
    array([0.51])
    """
    ups, downs = np.sum(targets > 0, axis=0), np.sum(targets < 0, axis=0)
    return np.log(ups + rate) - np.log(downs + 1 - rate) - np.log(rate / (1 - rate))


class Calibration(NamedTuple):
    """Log odds of a class, as Platt's sigmoid [1]_ of several things; all classes share it.

    References
    ----------
    .. [1] Platt (1999). Probabilistic outputs for support vector machines and comparisons to
       regularized likelihood methods. Advances in Large Margin Classifiers, 61-74.
    """

    by_value: float = 2.0
    by_shared: float = 0.0
    by_odds: float = 0.0
    offset: float = 0.0

    @classmethod
    def fit(cls, evidence: Evidence, signs: Array) -> Self:
        """Fit the sigmoid.

        Parameters
        ----------
        evidence : Evidence
            Decision values have one column for two classes, otherwise one for each class.
        signs : ndarray of shape (n_rows, n_outputs)
            -1 and 1.

        Returns
        -------
        calibration : Calibration
            The default one where there is nothing to learn from; no weight is negative.
        """
        if len(np.unique(signs)) < 2:
            return cls()
        sign = signs.ravel()
        # Columns of about the same size, for the sake of the penalty.
        columns = evidence.stacked()
        scale = np.sqrt(np.mean(columns**2, axis=0))
        scale[scale < 1e-9] = 1.0  # nothing but rounding
        columns = columns / scale

        def loss(point: Array) -> tuple[float, Array]:
            weights, offset = point[:3], point[3]
            z = sign * (columns @ weights + offset)
            slope = -sign * expit(-z)
            value = -np.sum(log_expit(z)) + 0.5 * _PENALTY * weights @ weights
            return float(value), np.append(columns.T @ slope + _PENALTY * weights, slope.sum())

        bounds = [(1e-3, None), (0.0, None), (0.0, None), (None, None)]
        start = np.array([1.0, 0.0, 0.0, 0.0])
        point = minimize(loss, start, method="L-BFGS-B", jac=True, bounds=bounds).x
        by_value, by_shared, by_odds = (point[:3] / scale).tolist()
        return cls(by_value, by_shared, by_odds, float(point[3]))

    def proba(self, evidence: Evidence) -> Array:
        """Probabilities of the classes, of shape (n_rows, n_classes)."""
        logits = self.by_value * evidence.values + self.by_shared * evidence.shared
        logits = logits + self.by_odds * evidence.odds + self.offset
        if logits.shape[1] == 1:
            return np.hstack([expit(-logits), expit(logits)])
        against_rest = expit(logits) + np.finfo(np.float64).tiny
        return against_rest / against_rest.sum(axis=1, keepdims=True)

    def log_loss(self, evidence: Evidence, signs: Array) -> float:
        """Mean of the negative log probability of the class of each row."""
        proba = self.proba(evidence)
        truth = np.hstack([-signs, signs]) if signs.shape[1] == 1 else signs
        return float(-np.log(np.maximum(proba[truth > 0], 1e-12)).mean())


class ShotCalibrations(NamedTuple):
    """Calibrations for some numbers of support rows, in rising order."""

    shots: list[int]
    calibrations: list[Calibration]

    def at(self, n_support: int) -> Calibration:
        """For any number of rows: interpolated in its logarithm, constant beyond the ends."""
        right = bisect(self.shots, n_support)
        if right in (0, len(self.shots)):
            return self.calibrations[min(right, len(self.shots) - 1)]
        low, x, high = np.log1p([self.shots[right - 1], n_support, self.shots[right]])
        share = (x - low) / (high - low)
        before, after = np.array(self.calibrations[right - 1 : right + 1])
        return Calibration(*((1 - share) * before + share * after).tolist())

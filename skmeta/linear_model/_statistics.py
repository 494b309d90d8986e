"""Sufficient statistics of linear-Gaussian tasks.

A task enters the learning of a :class:`~skmeta.linear_model._weight_prior.WeightPrior` only through
its :class:`LinearStatistics`, whose size does not depend on its number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skmeta.linear_model._blocks import padded_rows

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class LinearStatistics:
    """Sufficient statistics of linear-Gaussian tasks.

    Squares of the targets are summed, which costs digits when their mean is far larger than their
    spread: centre the targets over all tasks first.

    Parameters
    ----------
    gram : ndarray of shape (n_tasks, n_features, n_features)
        ``Z.T @ Z`` of each task.
    moment : ndarray of shape (n_tasks, n_features)
        ``Z.T @ y`` of each task.
    energy : ndarray of shape (n_tasks,)
        ``y @ y`` of each task.
    n_rows : ndarray of int of shape (n_tasks,)
        Number of rows of each task.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.array([[1.0, 0.0], [1.0, 2.0], [1.0, 1.0]])
    >>> statistics = LinearStatistics.from_rows(Z, np.array([1.0, 3.0, 5.0]), [0, 2, 3])
    >>> statistics.moment
    array([[4., 6.],
           [5., 5.]])
    >>> len(statistics + statistics)
    4
    """

    gram: Array
    moment: Array
    energy: Array
    n_rows: NDArray[np.intp]

    @classmethod
    def from_rows(cls, Z: ArrayLike, y: ArrayLike, offsets: ArrayLike) -> LinearStatistics:
        """Sum up the rows of tasks that lie one after the other.

        Parameters
        ----------
        Z : array-like of shape (n_rows, n_features)
            Design matrix; a model with an intercept has a column of ones.
        y : array-like of shape (n_rows,)
            Targets.
        offsets : array-like of int of shape (n_tasks + 1,)
            Task ``t`` is the rows ``offsets[t]:offsets[t + 1]``. A task may be empty.

        Returns
        -------
        statistics : LinearStatistics

        Raises
        ------
        ValueError
            If the shapes disagree, or the offsets do not run from 0 to the number of rows.
        """
        Z, y = np.asarray(Z, dtype=np.float64), np.asarray(y, dtype=np.float64)
        offsets = np.asarray(offsets, dtype=np.intp)
        check_rows(Z, y)
        if offsets.ndim != 1 or offsets.size == 0 or offsets[0] != 0 or offsets[-1] != len(y):
            raise ValueError(f"offsets must run from 0 to the number of rows, {len(y)}.")
        n_rows = np.diff(offsets)
        if np.any(n_rows < 0):
            raise ValueError("offsets must not decrease.")
        products = np.zeros((len(n_rows), Z.shape[1] + 1, Z.shape[1] + 1))
        for tasks, rows, inside in padded_rows(offsets, Z.shape[1] + 1):
            padded = _padded(Z, y, rows, inside)
            products[tasks] = padded.transpose(0, 2, 1) @ padded
        return cls(products[:, :-1, :-1], products[:, :-1, -1], products[:, -1, -1], n_rows)

    @property
    def n_features(self) -> int:
        """Number of columns of the design matrix."""
        return int(self.moment.shape[1])

    def __len__(self) -> int:
        return len(self.n_rows)

    def __getitem__(self, tasks: slice | NDArray[np.bool_] | NDArray[np.intp]) -> LinearStatistics:
        return LinearStatistics(
            self.gram[tasks], self.moment[tasks], self.energy[tasks], self.n_rows[tasks]
        )

    def columns(self, keep: NDArray[np.bool_]) -> LinearStatistics:
        """The same tasks with some columns of the design matrix only."""
        return LinearStatistics(
            self.gram[:, keep][:, :, keep], self.moment[:, keep], self.energy, self.n_rows
        )

    def __add__(self, other: LinearStatistics) -> LinearStatistics:
        """Append the tasks of ``other``."""
        if not isinstance(other, LinearStatistics):
            return NotImplemented
        if other.n_features != self.n_features:
            raise ValueError(
                f"Both must have the same number of features: got {self.n_features} and "
                f"{other.n_features}."
            )
        return LinearStatistics(
            np.concatenate([self.gram, other.gram]),
            np.concatenate([self.moment, other.moment]),
            np.concatenate([self.energy, other.energy]),
            np.concatenate([self.n_rows, other.n_rows]),
        )


def check_rows(Z: Array, y: Array) -> None:
    if Z.ndim != 2 or y.shape != Z.shape[:1]:
        raise ValueError(
            f"Z must be 2-D and y have one value per row of Z: got shapes {Z.shape} and {y.shape}."
        )


def _padded(Z: Array, y: Array, rows: NDArray[np.intp], inside: NDArray[np.bool_]) -> Array:
    """Rows [Z, y] of a block of tasks, padded with zeros."""
    padded = np.empty((*rows.shape, Z.shape[1] + 1))
    padded[:, :, :-1], padded[:, :, -1] = Z[rows], y[rows]
    padded[~inside] = 0
    return padded

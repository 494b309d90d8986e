"""One task: a small table with its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skmeta.tasks._table import as_table, as_target


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """A small table with its target: one patient, store, user or assay.

    A task is a *sample* of a meta-learner, not a sequence of rows: it has no length and cannot be
    indexed, so that scikit-learn treats a list of tasks as a list of samples.

    Parameters
    ----------
    X : array-like or data frame of shape (n_rows, n_features)
        The rows. Data frames are kept as they are.

    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The target of each row.

    name : hashable, default=None
        What the task is called: the patient's number, the store's name.

    Raises
    ------
    ValueError
        If `X` is not two-dimensional or `y` has another number of rows.

    Examples
    --------
    >>> from skmeta import Task
    >>> Task([[0.0], [1.0], [2.0]], [0.1, 0.9, 2.2], name="store 7")
    Task(name='store 7', n_rows=3, n_features=1)
    """

    X: Any
    y: np.ndarray
    name: Any = None

    def __post_init__(self):
        X = as_table(self.X)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", as_target(self.y, X.shape[0]))

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.X.shape[1]

    def __repr__(self) -> str:
        name = "" if self.name is None else f"name={self.name!r}, "
        return f"Task({name}n_rows={self.n_rows}, n_features={self.n_features})"

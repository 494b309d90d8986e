"""The decision function that tasks share: a machine on the pooled rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

Array = NDArray[np.floating]

# libsvm's time grows with the square of the rows at least.
MAX_ROWS = 3000
# Finer than the defaults: the result must not depend on the order of the rows.
_TOL = 1e-5


KernelFunction: TypeAlias = Callable[[Array, Array], Any]
KernelName: TypeAlias = Literal["linear", "rbf"] | KernelFunction


@dataclass(frozen=True)
class Kernel:
    """Kernel of two sets of rows: "linear", "rbf" of width 1 / sqrt(gamma), or a function."""

    name: KernelName
    gamma: float

    def __call__(self, X: Array, Y: Array) -> Array:
        if not (len(X) and len(Y)):  # which scikit-learn refuses
            return np.zeros((len(X), len(Y)))
        if callable(self.name):
            return self._checked(np.asarray(self.name(X, Y), dtype=np.float64), X, Y)
        if self.name == "linear":
            return linear_kernel(X, Y)
        return rbf_kernel(X, Y, gamma=self.gamma)

    @staticmethod
    def _checked(gram: Array, X: Array, Y: Array) -> Array:
        expected = (len(X), len(Y))
        if gram.shape != expected:
            raise ValueError(f"kernel must give an array of shape {expected}, got {gram.shape}.")
        return gram


Machine: TypeAlias = SVC | SVR | LinearSVC | LinearSVR


class PooledMachines:
    """One machine for each column of the targets, fitted on the rows of all tasks.

    The linear kernel has squared losses, which liblinear minimises in the primal on any number of
    rows; libsvm takes :data:`MAX_ROWS` at most, spread evenly.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
    targets : ndarray of shape (n_rows, n_outputs)
        Signs -1 and 1, one column for each class against the rest; or numbers.
    kernel : Kernel
    is_classifier : bool
    epsilon : float, default=0.0
        Half the width of the tube of regressors.
    """

    def __init__(
        self,
        X: Array,
        targets: Array,
        kernel: Kernel,
        *,
        is_classifier: bool,
        epsilon: float = 0.0,
    ) -> None:
        if kernel.name != "linear" and len(X) > MAX_ROWS:
            rows = np.linspace(0, len(X) - 1, MAX_ROWS).round().astype(np.intp)
            X, targets = X[rows], targets[rows]
        self.machines = [
            float(target[0])
            if is_classifier and np.all(target == target[0])
            else _machine(kernel, is_classifier, epsilon).fit(X, target)
            for target in targets.T
        ]

    def __call__(self, X: Array) -> Array:
        """Decision values, of shape (n_rows, n_outputs)."""
        return np.column_stack([_values(machine, X) for machine in self.machines])


def _machine(kernel: Kernel, is_classifier: bool, epsilon: float) -> Machine:
    if kernel.name == "linear":
        if is_classifier:
            return LinearSVC(dual=False, tol=_TOL)
        loss = "squared_epsilon_insensitive"
        return LinearSVR(loss=loss, epsilon=epsilon, dual=False, tol=_TOL)
    name: Any = kernel if callable(kernel.name) else kernel.name
    if is_classifier:
        return SVC(kernel=name, gamma=kernel.gamma, tol=_TOL)
    return SVR(kernel=name, gamma=kernel.gamma, epsilon=epsilon, tol=_TOL)


def _values(machine: Machine | float, X: Array) -> Array:
    if isinstance(machine, float) or not len(X):
        return np.full(len(X), machine if isinstance(machine, float) else 0.0)
    if isinstance(machine, SVC | LinearSVC):
        return machine.decision_function(X)
    return machine.predict(X)

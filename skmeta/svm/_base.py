"""What meta support vector machines have in common."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmeta.base import BaseMetaLearner
from skmeta.svm._biased import Correction
from skmeta.svm._pooled import Kernel, KernelName, PooledMachines
from skmeta.svm._selection import (
    Episode,
    Setting,
    Validation,
    adapt,
    grid,
    select,
)
from skmeta.tasks import TaskCollection

Array = NDArray[np.floating]
Auto = float | Literal["auto"]


class BaseMetaSVM(BaseMetaLearner):
    """Base class: a function that tasks share, and its correction for each task."""

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaLearner._parameter_constraints,
        "kernel": [StrOptions({"linear", "rbf"}), callable],
        "C": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "gamma": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "trust": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "n_support": [Interval(Integral, 1, None, closed="left")],
    }
    _shared_docs: ClassVar[dict] = {
        "kernel": """
            kernel : {"linear", "rbf"} or callable, default="rbf"
                Kernel of the shared function and of the corrections. A function takes two arrays of
                rows and returns the matrix of kernels between them. One that was computed
                beforehand is looked up: the rows hold numbers of its rows, with
                `preprocessor=None`.""",
        "C": """
            C : float or "auto", default="auto"
                Weight of the rows of a task against the size of the correction. "auto" learns
                it.""",
        "gamma": """
            gamma : float or "auto", default="auto"
                Coefficient of the "rbf" kernel of corrections. "auto" learns it; the shared
                function has one over the features' total variance then.""",
        "trust": """
            trust : float or "auto", default="auto"
                Factor of the shared function, once there are rows of a task. "auto" learns it.""",
        "n_support": """
            n_support : int, default=10
                Rows to adapt to in the validation on training tasks.""",
        "C_": """
            C_, gamma_, trust_ : float
                The parameters in use. With a single training task, which leaves nothing to validate
                on, those that are "auto" are 1, one over the features' total variance, and 1.""",
        "support_vectors_": """
            support_vectors_ : ndarray of shape (n_vectors, n_columns)
                The support vectors, as the preprocessor makes them.""",
        "dual_coef_": """
            dual_coef_ : ndarray of shape (n_outputs, n_vectors)
                Their coefficients in the correction; one output for two classes and for regression,
                otherwise one for each class.""",
        "intercept_": """
            intercept_ : ndarray of shape (n_outputs,)
                Intercepts of the correction.""",
    }

    kernel: KernelName
    C: Auto
    gamma: Auto
    trust: Auto
    n_support: int

    # ------------------------------------------------------------------ what a subclass writes

    @abstractmethod
    def _targets(self, y: np.ndarray) -> Array:
        """One column of targets for each machine, of shape (n_rows, n_outputs)."""

    @abstractmethod
    def _fit_prior(self, X: Array, targets: Array, kernel: Kernel) -> PooledMachines:
        """Learn the function that tasks share."""

    @abstractmethod
    def _correct(self, gram: Array, target: Array, prior: Array, C: float) -> Correction:
        """Correct it on a support, for one output."""

    @abstractmethod
    def _loss(self, values: Array, episodes: list[Episode]) -> float:
        """Loss of decision values on the query rows of episodes."""

    def _learn_from(self, validation: Validation) -> None:
        """Learn something else from episodes of training tasks, with the parameters in use."""

    # ------------------------------------------------------------------ learning

    _n_parts_of_fit = 3

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        X, targets = tasks.X, self._targets(tasks.y)
        power = X.shape[1] * X.var() if X.size else 0.0
        scale = 1 / power if power > 0 else 1.0  # what scikit-learn calls "scale"
        shared = Kernel(self.kernel, scale if self.gamma == "auto" else self.gamma)

        def fit_prior(X: Array, targets: Array) -> PooledMachines:
            return self._fit_prior(X, targets, shared)

        with self._progress.part("pooled machines of folds"):
            validation = Validation(tasks, targets, fit_prior) if len(tasks) > 1 else None
        episodes = validation.episodes(self.n_support, exact=False) if validation else []
        if episodes:
            settings = self._settings(scale)
            with self._progress.part("parameters"):
                setting = select(episodes, settings, self.kernel, self._correct, self._loss)
        else:  # nothing to validate on
            setting = Setting(_or(self.C, 1.0), shared.gamma, _or(self.trust, 1.0))
        self._setting = setting
        self.C_, self.gamma_, self.trust_ = setting
        if validation and episodes:
            self._learn_from(validation)
        with self._progress.part("pooled machines"):
            self._prior = fit_prior(X, targets)

    def _settings(self, scale: float) -> list[Setting]:
        C = [0.1, 1.0, 10.0] if self.C == "auto" else [self.C]
        gamma = [0.25 * scale, scale, 4 * scale] if self.gamma == "auto" else [self.gamma]
        trust = [0.0, 0.5, 1.0] if self.trust == "auto" else [self.trust]
        return grid(C, gamma if self.kernel == "rbf" else gamma[:1], trust)

    # ------------------------------------------------------------------ adapting

    def _adapt(self, X: np.ndarray, y: np.ndarray) -> None:
        gram = Kernel(self.kernel, self.gamma_)(X, X)
        targets = self._targets(y)
        if len(X):
            dual, intercept = adapt(gram, targets, self._prior(X), self._setting, self._correct)
        else:
            dual, intercept = np.zeros_like(targets), np.zeros(targets.shape[1])
        self.support_ = np.flatnonzero(np.any(dual != 0, axis=1))
        self.support_vectors_ = X[self.support_]
        self.dual_coef_, self.intercept_ = dual[self.support_].T, intercept

    def _values(self, X: Any) -> tuple[Array, Array]:
        """Decision values and those of the shared function, of shape (n_query, n_outputs)."""
        X = self._validate_query(X)
        shared = self._prior(X)
        if not self.n_support_:
            return shared, shared
        cross = Kernel(self.kernel, self.gamma_)(X, self.support_vectors_)
        return self.trust_ * shared + cross @ self.dual_coef_.T + self.intercept_, shared


def _or(value: Auto, default: float) -> float:
    return default if value == "auto" else value

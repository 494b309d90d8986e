"""Support vector regression with a function that tasks share."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from skmeta.base import MetaRegressorMixin
from skmeta.base._docstrings import fill_docstring
from skmeta.svm._base import Auto, BaseMetaSVM
from skmeta.svm._biased import Correction, fit_tube
from skmeta.svm._pooled import Kernel, KernelName, PooledMachines
from skmeta.svm._selection import Episode, targets_of
from skmeta.tasks import TaskCollection

Array = NDArray[np.floating]


@fill_docstring
class MetaSVR(MetaRegressorMixin, BaseMetaSVM):
    r"""Support vector regression that corrects a function shared by the tasks.

    `fit` learns a function f0 from the rows of all tasks. `fit_adapt` seeks the smallest correction
    g of it that brings the rows of a new task into a tube of half-width epsilon (biased
    regularisation, [1]_):

    .. math:: \min \tfrac12 \|g\|^2
        + C \sum_i \max(0, |y_i - \tau f_0(x_i) - g(x_i) - b| - \epsilon).

    C, the kernel's gamma and the trust :math:`\tau` in f0 are those that predict best on training
    tasks after adapting to a few of their rows, with an f0 that has not seen them. With a trust of
    0 the adapted machine is :class:`~sklearn.svm.SVR` on a standardised target.

    Parameters
    ----------
    {{kernel}}
    {{C}}
    epsilon : float, default=0.1
        Half the width of the tube, in standard deviations of the target over all training rows.
    {{gamma}}
    {{trust}}
    {{n_support}}
    {{preprocessor}}

    Attributes
    ----------
    {{C_}}
    support_ : ndarray of int of shape (n_vectors,)
        Support rows that correct the shared function: the support vectors. Only these and
        `intercept_` are needed besides it. Empty where all rows were in the tube already.
    {{support_vectors_}}
    {{dual_coef_}}
    {{intercept_}}
    {{common_attributes}}

    Notes
    -----
    The shared function of the "rbf" kernel is fitted on 3,000 rows at most, spread evenly; that of
    the "linear" kernel on all rows, with squared losses. Adapting costs the cube of a task's rows.

    References
    ----------
    .. [1] Yang, Yan & Hauptmann (2007). Cross-domain video concept detection using adaptive SVMs.
       ACM Multimedia, 188-197.

    Examples
    --------
    >>> from skmeta import MetaSVR
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=40, n_rows=30, random_state=0)
    >>> meta = MetaSVR(kernel="linear").fit(tasks[:30])
    >>> new = tasks[35]
    >>> model = meta.fit_adapt(new.X[:10], new.y[:10])
    >>> model.score(new.X[10:], new.y[10:]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseMetaSVM._parameter_constraints,
        "epsilon": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        kernel: KernelName = "rbf",
        C: Auto = "auto",
        epsilon: float = 0.1,
        gamma: Auto = "auto",
        trust: Auto = "auto",
        n_support: int = 10,
        preprocessor: Any = "auto",
    ):
        self.kernel = kernel
        self.C = C
        self.epsilon = epsilon
        self.gamma = gamma
        self.trust = trust
        self.n_support = n_support
        self.preprocessor = preprocessor

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        self._center, self._scale = float(tasks.y.mean()), float(tasks.y.std()) or 1.0
        super()._fit_tasks(tasks)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        y : ndarray of shape (n_query,)
        """
        values = self._values(X)[0][:, 0]
        return self._center + self._scale * values

    # ------------------------------------------------------------------ machines

    def _targets(self, y: np.ndarray) -> Array:
        return ((y - self._center) / self._scale)[:, None]

    def _fit_prior(self, X: Array, targets: Array, kernel: Kernel) -> PooledMachines:
        return PooledMachines(X, targets, kernel, is_classifier=False, epsilon=self.epsilon)

    def _correct(self, gram: Array, target: Array, prior: Array, C: float) -> Correction:
        return fit_tube(gram, target, prior, C, self.epsilon)

    def _loss(self, values: Array, episodes: list[Episode]) -> float:
        return float(np.mean((values - targets_of(episodes)) ** 2))

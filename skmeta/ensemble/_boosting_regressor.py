"""Boosting with a Student-t process of what a task differs by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from skmeta.base import MetaRegressorMixin
from skmeta.base._docstrings import fill_docstring
from skmeta.base._quantiles import check_quantiles
from skmeta.ensemble._boosting import BaseMetaBoosting
from skmeta.ensemble._component import Inputs
from skmeta.ensemble._pooled import PooledModel
from skmeta.ensemble._student_learning import StudentResiduals, learn_student

Array = NDArray[np.floating]


@fill_docstring
class MetaBoostingRegressor(MetaRegressorMixin, BaseMetaBoosting):
    r"""Boosting on all rows, and a process of what a task differs by.

    The rows of task t follow

    .. math:: y = f(x) + w^\top z + g_t(x) + e, \qquad g_t \sim TP(0, k),

    with a pooled model f [3]_, weights w of the columns z (scaled, with f(x) as one more), and for
    each task a Student-t process g [1]_ whose kernel holds a random intercept, random slopes
    (correlated through one factor), and a smooth part with a length scale for each column. Noise
    and process may be larger for some rows than for others. All of it is learned over tasks by
    maximum evidence [2]_, on residuals of an f that has not seen the task. `fit_adapt` gives the
    posterior of g for a new task.

    There are two f, boosted trees and ridge regression, each with its process. A fifth candidate,
    boosted trees, sees what these four say and summaries of the support: its mean target and
    residual, and those near a row. The prediction is a weighted mean of the five, with the weights
    that predict training tasks best. It falls back to f alone where the gain of a mixture is within
    its standard error over tasks (twice that with `support_strategy="first"`).

    Parameters
    ----------
    {{prior}}
    {{n_support}}
    {{support_strategy}}
    max_kernel_rows : int, default=4000
        Rows that processes are learned from, at most: of as many tasks as possible.
    {{preprocessor}}
    {{random_state}}

    Attributes
    ----------
    {{shots_}}
    {{weights_}}
    {{common_attributes}}

    See Also
    --------
    MetaBoostingClassifier : The same for classes.
    MetaRidgeRegressor : Linear, with a full covariance of the weights.

    Notes
    -----
    Adapting costs the cube of a task's rows. More than 40 columns, categories counted by their
    indicators, are projected for the processes, not for the trees.

    References
    ----------
    .. [1] Shah, Wilson & Ghahramani (2014). Student-t processes as alternatives to Gaussian
       processes. AISTATS.
    .. [2] Rasmussen & Williams (2006). Gaussian processes for machine learning. Chapters 2 and 5.
    .. [3] Ke et al. (2017). LightGBM: a highly efficient gradient boosting decision tree. NeurIPS.

    Examples
    --------
    >>> from skmeta import MetaBoostingRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=40, n_rows=20, random_state=0)
    >>> meta = MetaBoostingRegressor(random_state=0).fit(tasks[:30])
    >>> new = tasks[35]
    >>> model = meta.fit_adapt(new.X[:8], new.y[:8])
    >>> mean, std = model.predict(new.X[8:], return_std=True)
    >>> model.score(new.X[8:], new.y[8:]) > meta.score(new.X[8:], new.y[8:])
    True
    """

    def __init__(
        self,
        *,
        prior: Literal["both", "boosting", "linear"] = "both",
        n_support: int = 10,
        support_strategy: Literal["random", "first"] = "random",
        max_kernel_rows: int = 4000,
        preprocessor: Any = "auto",
        random_state: Any = None,
    ):
        self.prior = prior
        self.n_support = n_support
        self.support_strategy = support_strategy
        self.max_kernel_rows = max_kernel_rows
        self.preprocessor = preprocessor
        self.random_state = random_state

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)
        return_std : bool, default=False
            Whether to return the standard deviation of the predictive distribution as well. It
            is that of a new observation: it holds the noise.

        Returns
        -------
        y : ndarray of shape (n_query,)
        std : ndarray of shape (n_query,)
            Only with `return_std=True`.
        """
        mean, std, _ = self._distribution(X)
        return (mean, std) if return_std else mean

    def predict_quantiles(self, X: Any, quantiles: Any = (0.025, 0.5, 0.975)) -> np.ndarray:
        """Predict quantiles of the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)
        quantiles : float or array-like of shape (n_quantiles,), default=(0.025, 0.5, 0.975)
            Probabilities between 0 and 1.

        Returns
        -------
        y : ndarray of shape (n_query, n_quantiles)
            The values below which a new observation lies with these probabilities.

        Raises
        ------
        ValueError
            If a quantile is not between 0 and 1.
        """
        quantiles = check_quantiles(quantiles)
        mean, std, freedom = self._distribution(X)
        unit = std * np.sqrt((freedom - 2) / freedom)
        return mean[:, None] + unit[:, None] * student_t.ppf(quantiles, freedom)

    def _distribution(self, X: Any) -> tuple[Array, Array, float]:
        """Mean and standard deviation, of shape (n_query,), and degrees of freedom."""
        mean, variance, freedom = self._predict_mixture(X)
        return mean, np.sqrt(variance), freedom

    # ------------------------------------------------------------------ processes

    def _n_classes(self) -> None:
        return None

    @property
    def _rows_of_part(self) -> int:
        return 50

    def _to_outputs(self, pooled: PooledModel) -> PooledModel:
        return pooled

    def _learn_process(
        self, inputs: Inputs, y: np.ndarray, row_lists: list[NDArray[np.intp]]
    ) -> StudentResiduals:
        return learn_student(inputs, y, row_lists)

    def _losses(self, y: list[np.ndarray], said: list[list[Any]]) -> Callable[[Array], Array]:
        errors = [np.stack([one[0] for one in of]) - t for of, t in zip(said, y, strict=True)]
        products = np.stack([each @ each.T / each.shape[1] for each in errors])
        products /= products.mean(axis=0).diagonal().min() or 1.0
        return lambda weights: products @ weights @ weights

    def _mix(
        self, said: list[tuple[Array, Array, float]], weights: Array
    ) -> tuple[Array, Array, float]:
        means, variances = (np.stack([one[i] for one in said]) for i in (0, 1))
        mean = weights @ means
        # Others lend their mean; how sure it is, processes know, which come first. Where they are
        # not trusted at all, pooled models go with the variance before adaptation.
        n = len(self._processes)
        sure = slice(0, n) if weights[:n].any() else slice(n, 2 * n)
        if not weights[sure].any():  # trees on summaries alone, whose variance is that of a mixture
            sure = slice(2 * n, None)
        trust = weights[sure] / weights[sure].sum()
        variance = trust @ (variances[sure] + (means[sure] - mean) ** 2)
        return mean, variance, float(trust @ [one[2] for one in said[sure]])

    def _as_columns(self, said: list[tuple[Array, Array, float]]) -> Array:
        return np.column_stack([one[0] for one in said])

    def _compare(self, said: tuple[Array, Array, float], y: np.ndarray) -> tuple[Array, Array]:
        return y[:, None], (y - said[0])[:, None]

    def _tree_target(self, y: np.ndarray, mixed: tuple[Array, Array, float]) -> np.ndarray:
        return y - mixed[0]

    def _tree_candidate(
        self, mixed: tuple[Array, Array, float], found: Array
    ) -> tuple[Array, Array, float]:
        return mixed[0] + found[:, 0], *mixed[1:]

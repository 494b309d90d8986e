"""Boosting with Gaussian processes of what a task's logits differ by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.base import SharedClassesMixin
from skmeta.base._docstrings import fill_docstring
from skmeta.ensemble._boosting import BaseMetaBoosting
from skmeta.ensemble._component import Inputs
from skmeta.ensemble._pooled import Model, PooledModel, Rows
from skmeta.ensemble._softmax_learning import LogitResiduals, learn_logits
from skmeta.linear_model._softmax import contrasts

Array = NDArray[np.floating]

# Logits of a task that its evidence is computed from, at most: the more classes, the fewer rows.
_MAX_LATENT = 90
_LEAST_PROBA = 1e-6


@fill_docstring
class MetaBoostingClassifier(SharedClassesMixin, BaseMetaBoosting):
    r"""Boosting on all rows, and processes of what a task's logits differ by.

    The classes of task t follow

    .. math:: P(y \mid x) = \mathrm{softmax}(f(x) + W^\top z + g_t(x)), \qquad g_t \sim GP(0, k),

    with the logits f of a pooled model [2]_, weights W of the columns z (scaled, with f(x) among
    them), and for each task Gaussian processes g whose kernel holds a random intercept, random
    slopes (correlated through one factor), and a smooth part with a length scale for each column.
    With more than two classes each has a variance of its own. All of it is learned over tasks by
    maximum evidence, in Laplace's approximation [1]_, on logits of an f that has not seen the task.
    `fit_adapt` gives the posterior of g for a new task; probabilities are averaged over it.

    There are two f, boosted trees and logistic regression, each with its processes. A fifth
    candidate, boosted trees, sees what these four say and summaries of the support: its mean target
    and residual, and those near a row. The prediction is a weighted mean of the five, with weights
    that predict training tasks best. It falls back to f alone where the gain of a mixture is within
    its standard error over tasks (twice that with `support_strategy="first"`).

    Parameters
    ----------
    {{prior}}
    {{n_support}}
    {{support_strategy}}
    max_kernel_rows : int, default=8000
        Rows that processes are learned from, at most: of as many tasks as possible.
    {{preprocessor}}
    {{random_state}}

    Attributes
    ----------
    {{classes_}}
    {{shots_}}
    {{weights_}}
    {{common_attributes}}

    See Also
    --------
    MetaBoostingRegressor : The same for a numeric target.
    MetaLogisticRegression : Linear, with a full covariance of the weights.

    Notes
    -----
    Adapting costs the cube of a task's rows, for each class. More than 40 columns,
    categories counted by their indicators, are projected for the processes, not for the trees.

    References
    ----------
    .. [1] Rasmussen & Williams (2006). Gaussian processes for machine learning. Chapters 3 and 5.
    .. [2] Ke et al. (2017). LightGBM: a highly efficient gradient boosting decision tree. NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import log_loss
    >>> from skmeta import MetaBoostingClassifier
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=40, n_rows=20, random_state=0)
    >>> tasks = tasks.with_storage(y=np.where(tasks.y > 0, "ill", "well"))
    >>> meta = MetaBoostingClassifier(random_state=0).fit(tasks[:30])
    >>> def loss(models):
    ...     pairs = zip(models, tasks[30:], strict=True)
    ...     return np.mean([log_loss(t.y[10:], m.predict_proba(t.X[10:])) for m, t in pairs])
    >>> adapted = [meta.fit_adapt(task.X[:10], task.y[:10]) for task in tasks[30:]]
    >>> bool(loss(adapted) < 0.95 * loss([meta] * 10))
    True
    """

    _learns = "a pooled model"

    def __init__(
        self,
        *,
        prior: Literal["both", "boosting", "linear"] = "both",
        n_support: int = 10,
        support_strategy: Literal["random", "first"] = "random",
        max_kernel_rows: int = 8000,
        preprocessor: Any = "auto",
        random_state: Any = None,
    ):
        self.prior = prior
        self.n_support = n_support
        self.support_strategy = support_strategy
        self.max_kernel_rows = max_kernel_rows
        self.preprocessor = preprocessor
        self.random_state = random_state

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        proba : ndarray of shape (n_query, n_classes)
            Averaged over the posterior of the task's logits, so that few rows do not make them
            certain.
        """
        return self._predict_mixture(X)

    # ------------------------------------------------------------------ processes

    @property
    def _rows_of_part(self) -> int:
        return min(40, max(_MAX_LATENT // (len(self.classes_) - 1), 2))

    def _n_classes(self) -> int:
        return len(self.classes_)

    def _to_outputs(self, pooled: PooledModel) -> PooledModel:
        directions = _free_directions(len(self.classes_))
        return PooledModel(_Logits(pooled.model, directions), pooled.out_of_task @ directions)

    def _learn_process(
        self, inputs: Inputs, y: np.ndarray, row_lists: list[NDArray[np.intp]]
    ) -> LogitResiduals:
        return learn_logits(inputs, y, row_lists)

    def _losses(self, y: list[np.ndarray], said: list[list[Any]]) -> Callable[[Array], Array]:
        sizes = np.array([len(part) for part in y])
        starts = np.cumsum(sizes) - sizes
        chosen = np.concatenate(
            [np.stack(of)[:, np.arange(len(t)), t] for of, t in zip(said, y, strict=True)], axis=1
        )
        return lambda weights: -np.add.reduceat(np.log(weights @ chosen), starts) / sizes

    def _mix(self, said: list[Array], weights: Array) -> Array:
        return np.einsum("c,cnk->nk", weights, np.stack(said))

    def _as_columns(self, said: list[Array]) -> Array:
        logs = [np.log(np.clip(proba, _LEAST_PROBA, None)) for proba in said]
        return np.column_stack([one[:, 1:] - one[:, :1] for one in logs])

    def _compare(self, said: Array, y: np.ndarray) -> tuple[Array, Array]:
        target = np.eye(len(self.classes_))[y]
        start = 1 if len(self.classes_) == 2 else 0  # one column says it all
        return target[:, start:], (target - said)[:, start:]

    def _tree_target(self, y: np.ndarray, mixed: Array) -> np.ndarray:
        return y

    def _tree_candidate(self, mixed: Array, found: Array) -> Array:
        return np.exp(found)


class _Logits(NamedTuple):
    """A pooled model whose log probabilities are turned into logits along contrasts."""

    log_proba: Model
    directions: Array

    def __call__(self, rows: Rows) -> Array:
        return self.log_proba(rows) @ self.directions


def _free_directions(n_classes: int) -> Array:
    """From log probabilities to logits along contrasts."""
    return np.array([[-1.0], [1.0]]) if n_classes == 2 else contrasts(n_classes)

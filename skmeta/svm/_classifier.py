"""Support vector classification with a decision function that tasks share."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skmeta.base import MetaClassifierMixin
from skmeta.svm._base import Auto, BaseMetaSVM
from skmeta.svm._biased import Correction, fit_margin
from skmeta.svm._calibration import Calibration
from skmeta.svm._pooled import Kernel, PooledMachines
from skmeta.tasks import TaskCollection

Array = NDArray[np.floating]


class MetaSVC(MetaClassifierMixin, BaseMetaSVM):
    r"""Support vector classification that corrects a decision function shared by the tasks.

    `fit` learns a decision function f0 from the rows of all tasks. `fit_adapt` seeks the smallest
    correction g of it that gives the rows of a new task their margins (biased regularisation,
    [1]_):

    .. math:: \min \tfrac12 \|g\|^2 + C \sum_i \xi_i \quad \text{subject to} \quad
        y_i (\tau f_0(x_i) + g(x_i) + b) \ge 1 - \xi_i, \; \xi_i \ge 0.

    C, the kernel's gamma and the trust :math:`\tau` in f0 are those that predict best on training
    tasks after adapting to a few of their rows, with an f0 that has not seen them. Probabilities
    come from the same rows, by a sigmoid of the decision values [2]_. With a trust of 0 the adapted
    machine is :class:`~sklearn.svm.SVC`. More than two classes are told apart one against the rest.

    Parameters
    ----------
    kernel : {"linear", "rbf"}, default="rbf"
        Kernel of the shared function and of the corrections.
    C : float or "auto", default="auto"
        Weight of the rows of a task against the size of the correction. "auto" learns it.
    gamma : float or "auto", default="auto"
        Coefficient of the "rbf" kernel of corrections. "auto" learns it; the shared function has
        one over the features' total variance then.
    trust : float or "auto", default="auto"
        Factor of the shared function, once there are rows of a task. "auto" learns it.
    n_support : int, default=10
        Rows to adapt to in the validation on training tasks.
    preprocessor : "auto", None or transformer, default="auto"
        Turns raw rows into numbers; fitted on the rows of the training tasks alone. "auto" imputes
        and standardises numbers and one-hot encodes strings; None takes numbers as they are.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the training tasks.
    C_, gamma_, trust_ : float
        The parameters in use. With a single training task, which leaves nothing to validate on,
        those that are "auto" are 1, one over the features' total variance, and 1.
    n_support_ : int
        Number of rows that the estimator has adapted to; 0 for the prior.
    preprocessor_ : transformer or None
        The fitted preprocessor.
    shared_target_ : bool
        Whether the target means the same in all tasks, which it must.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during `fit`, if all were strings.

    Notes
    -----
    The shared function of the "rbf" kernel is fitted on 3,000 rows at most, spread evenly; that of
    the "linear" kernel on all rows, with squared losses. Adapting costs the cube of a task's rows.

    References
    ----------
    .. [1] Yang, Yan & Hauptmann (2007). Cross-domain video concept detection using adaptive SVMs.
       ACM Multimedia, 188-197.
    .. [2] Platt (1999). Probabilistic outputs for support vector machines and comparisons to
       regularized likelihood methods. Advances in Large Margin Classifiers, 61-74.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta import MetaSVC, split_support_query
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=40, n_rows=40, random_state=0)
    >>> tasks = tasks.with_storage(y=np.where(tasks.y > 0, "ill", "well"))
    >>> meta = MetaSVC().fit(tasks[:30])
    >>> support, query = split_support_query(tasks[30:], 15)
    >>> models = meta.fit_adapt_many(support)
    >>> scores = [model.score(q.X, q.y) for model, q in zip(models, query)]
    >>> bool(np.mean(scores) > np.mean([meta.score(q.X, q.y) for q in query]))
    True
    """

    def __init__(
        self,
        *,
        kernel: Literal["linear", "rbf"] = "rbf",
        C: Auto = "auto",
        gamma: Auto = "auto",
        trust: Auto = "auto",
        n_support: int = 10,
        preprocessor: Any = "auto",
    ):
        self.kernel = kernel
        self.C = C
        self.gamma = gamma
        self.trust = trust
        self.n_support = n_support
        self.preprocessor = preprocessor

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        if not self.shared_target_:
            raise ValueError(
                "MetaSVC learns a decision function for each class, so classes must mean the same "
                "in all tasks; got tasks with classes of their own (shared_target=False)."
            )
        if len(self.classes_) < 2:
            raise ValueError(
                "Training tasks must have at least two classes, got only one class: "
                f"{self.classes_.item()!r}."
            )
        self._calibration = Calibration()
        super()._fit_tasks(tasks)

    def decision_function(self, X: Any) -> np.ndarray:
        """Signed margins.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        values : ndarray of shape (n_query,) or (n_query, n_classes)
            For two classes, that of the second; otherwise of each class against the rest.
        """
        values = self._values(X)
        return values[:, 0] if values.shape[1] == 1 else values

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of largest margin.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        y : ndarray of shape (n_query,)
        """
        values = self._values(X)
        if values.shape[1] == 1:
            values = np.hstack([-values, values])
        return self.classes_[values.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        proba : ndarray of shape (n_query, n_classes)
            As in :class:`~sklearn.svm.SVC`, the most probable of two classes need not be the one
            that `predict` returns: the sigmoid need not pass through one half at the margin's zero.
        """
        values = self._values(X)
        return self._calibration.proba(values)

    # ------------------------------------------------------------------ machines

    def _targets(self, y: np.ndarray) -> Array:
        signs = np.where(y[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)
        return signs[:, 1:] if len(self.classes_) == 2 else signs

    def _fit_prior(self, X: Array, targets: Array, kernel: Kernel) -> PooledMachines:
        return PooledMachines(X, targets, kernel, is_classifier=True)

    def _correct(self, gram: Array, target: Array, prior: Array, C: float) -> Correction:
        return fit_margin(gram, target, prior, C)

    def _loss(self, values: Array, targets: Array) -> float:
        return Calibration.fit(values, targets).log_loss(values, targets)

    def _learn_from(self, values: Array, targets: Array) -> None:
        self._calibration = Calibration.fit(values, targets)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.task_tags.own_classes = False
        return tags

"""Support vector classification with a decision function that tasks share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmeta.base import SharedClassesMixin
from skmeta.base._docstrings import fill_docstring
from skmeta.svm._base import Auto, BaseMetaSVM
from skmeta.svm._biased import Correction, fit_margin
from skmeta.svm._calibration import Calibration, Evidence, ShotCalibrations, support_odds
from skmeta.svm._pooled import Kernel, KernelName, PooledMachines
from skmeta.svm._selection import Episode, Validation, query_values, targets_of
from skmeta.tasks import TaskCollection

Array = NDArray[np.floating]

# Tasks that a calibration for some number of support rows needs at least.
_LEAST_TASKS = 5


@fill_docstring
class MetaSVC(SharedClassesMixin, BaseMetaSVM):
    r"""Support vector classification that corrects a decision function shared by the tasks.

    `fit` learns a decision function f0 from the rows of all tasks. `fit_adapt` seeks the smallest
    correction g of it that gives the rows of a new task their margins (biased regularisation,
    [1]_):

    .. math:: \min \tfrac12 \|g\|^2 + C \sum_i \xi_i \quad \text{subject to} \quad
        y_i (\tau f_0(x_i) + g(x_i) + b) \ge 1 - \xi_i, \; \xi_i \ge 0.

    C, the kernel's gamma and the trust :math:`\tau` in f0 are those that predict best on training
    tasks after adapting to a few of their rows, with an f0 that has not seen them. With a trust of
    0 the adapted machine is :class:`~sklearn.svm.SVC`. More than two classes are told apart one
    against the rest.

    Probabilities are a sigmoid [2]_ of a weighted sum of the decision value, the value of f0, and
    how much more frequent the class is in the support than in all tasks: few rows say more of the
    frequency of a class than a margin shows, and rows of one class alone have no margin. The
    weights come from the same training tasks, and depend on the number of support rows.

    Parameters
    ----------
    {{kernel}}
    {{C}}
    {{gamma}}
    {{trust}}
    {{n_support}}
    {{preprocessor}}

    Attributes
    ----------
    {{classes_}}
    {{C_}}
    support_ : ndarray of int of shape (n_vectors,)
        Support rows that correct the shared function: the support vectors. Only these and
        `intercept_` are needed besides it. Empty where all margins were met already, or where
        the intercept alone was moved (rows of one class).
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

    _learns = "a decision function for each class"

    def __init__(
        self,
        *,
        kernel: KernelName = "rbf",
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
        # Of each output; never certain, since only training rows have been seen.
        positive = np.mean(self._targets(tasks.y) > 0, axis=0)
        self._rate = np.clip(positive, 1e-3, 1 - 1e-3)
        self._calibrations = ShotCalibrations([0], [Calibration()])
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
        values, _ = self._values(X)
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
        values, _ = self._values(X)
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
        values, shared = self._values(X)
        odds = np.tile(self._support_odds, (len(values), 1))
        return self._calibration.proba(Evidence(values, shared, odds))

    # ------------------------------------------------------------------ machines

    def _targets(self, y: np.ndarray) -> Array:
        signs = np.where(y[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)
        return signs[:, 1:] if len(self.classes_) == 2 else signs

    def _fit_prior(self, X: Array, targets: Array, kernel: Kernel) -> PooledMachines:
        return PooledMachines(X, targets, kernel, is_classifier=True)

    def _correct(self, gram: Array, target: Array, prior: Array, C: float) -> Correction:
        return fit_margin(gram, target, prior, C)

    # ------------------------------------------------------------------ probabilities

    def _adapt(self, X: np.ndarray, y: np.ndarray) -> None:
        super()._adapt(X, y)
        self._support_odds = support_odds(self._targets(y), self._rate)
        self._calibration = self._calibrations.at(len(y))

    def _loss(self, values: Array, episodes: list[Episode]) -> float:
        evidence, signs = self._evidence(values, episodes), targets_of(episodes)
        return Calibration.fit(evidence, signs).log_loss(evidence, signs)

    def _learn_from(self, validation: Validation) -> None:
        """Calibrate for no support, and for half, all and twice of `n_support` rows."""
        found = {}
        for n_support in (0, (self.n_support + 1) // 2, self.n_support, 2 * self.n_support):
            episodes = validation.episodes(n_support, exact=True)
            if n_support and len(episodes) < _LEAST_TASKS:
                break
            (values,) = query_values(episodes, [self._setting], self.kernel, self._correct)
            evidence = self._evidence(values, episodes)
            found[n_support] = Calibration.fit(evidence, targets_of(episodes))
        self._calibrations = ShotCalibrations(list(found), list(found.values()))

    def _evidence(self, values: Array, episodes: list[Episode]) -> Evidence:
        shared = np.concatenate([episode.prior_query for episode in episodes])
        odds = [support_odds(episode.targets, self._rate) for episode in episodes]
        n_query = [len(episode.X_query) for episode in episodes]
        return Evidence(values, shared, np.repeat(odds, n_query, axis=0))

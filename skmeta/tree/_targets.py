"""What a tree's values are: numbers, or the log odds of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from skmeta.base import MetaRegressorMixin, SharedClassesMixin
from skmeta.tree._base import BaseMetaTree
from skmeta.tree._growing import Table
from skmeta.tree._learning import Learned, learn_bernoulli, learn_gaussian
from skmeta.tree._prior import TreePrior, one_sided_log_odds, over_tasks
from skmeta.tree._selection import Choice, unseen_residual
from skmeta.tree._trust import SHOTS_OF_CLASSES, few_shot_episodes, scale_for_classes

Array = NDArray[np.floating]
Index = NDArray[np.intp]


class _NumberTrees(MetaRegressorMixin, BaseMetaTree):
    """Trees whose values are numbers."""

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)
        return_std : bool, default=False
            Whether to return the standard deviation of the predictive distribution as well. It
            holds the uncertainty of the task's departure from the prior, and the noise.

        Returns
        -------
        y : ndarray of shape (n_query,)
        std : ndarray of shape (n_query,)
            Only with `return_std=True`.
        """
        at = self._at(X)
        y = self._values(at.prior + at.mean, at.variance)
        if not return_std:
            return y
        widening = self._trust.widen(self.n_support_)
        return y, np.sqrt(widening * (at.variance[:, 0] + self.noise_variance_))

    def _values(self, mean: Array, variance: Array) -> Array:
        return mean[:, 0]

    def _indicators(self, y: np.ndarray) -> Array:
        return y[:, None]

    def _outputs(self, y: np.ndarray) -> Array:
        return y[:, None]

    def _prior_at(self, prior: TreePrior, leaves: Index) -> Array:
        return prior.values(leaves)

    def _learn(self, table: Table, choice: Choice, variances: Array | None) -> Learned:
        residual, _ = self._unseen(table, choice)
        return learn_gaussian(choice.episodes, residual, start=choice.learned, fixed=variances)

    def _unseen(self, table: Table, choice: Choice) -> tuple[Array, Array]:
        residual = unseen_residual(table, choice.committee, choice.settings.max_depth)
        return residual, np.zeros_like(residual)

    @property
    def noise_variance_(self) -> float:
        """Variance of the target around a task's own tree."""
        assert self._prior.noise_variance is not None
        return self._prior.noise_variance


class _ClassTrees(SharedClassesMixin, BaseMetaTree):
    """Trees whose values are frequencies of classes, and the log odds of a task's classes."""

    _learns = "frequencies of classes"

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probabilities of the classes.

        They are averaged over the posterior of the task's log odds. With more than two classes,
        each is told from the rest, and probabilities are scaled to sum to one.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        proba : ndarray of shape (n_query, n_classes)
        """
        at = self._at(X)
        return self._values(at.prior + at.mean, at.variance)

    def _values(self, mean: Array, variance: Array) -> Array:
        proba = expit(over_tasks(mean, variance))
        if proba.shape[1] == 1:
            return np.hstack([1 - proba, proba])
        return proba / proba.sum(axis=1, keepdims=True)

    def _indicators(self, y: np.ndarray) -> Array:
        return (y[:, None] == np.arange(len(self.classes_))).astype(np.float64)

    def _outputs(self, y: np.ndarray) -> Array:
        indicators = self._indicators(y)
        return indicators[:, 1:] if len(self.classes_) == 2 else indicators

    def _prior_at(self, prior: TreePrior, leaves: Index) -> Array:
        return prior.log_odds(leaves)

    def _learn(self, table: Table, choice: Choice, variances: Array | None) -> Learned:
        if variances is not None:
            return Learned(variances, 0.0, np.nan)
        classes, odds = self._unseen(table, choice)
        # Start from the shares that levels have among the numbers 0 and 1, and a total of one.
        start = choice.learned.variances / max(choice.learned.variances.sum(), 1e-12)
        learned = learn_bernoulli(choice.episodes, classes, odds, start=start)
        if self.support_strategy == "first":
            return learned  # scaled later, together with what else trust is about
        episodes = few_shot_episodes(
            table, choice.committee, choice.settings.max_depth + 1, SHOTS_OF_CLASSES
        )
        return scale_for_classes(episodes[-1], classes, odds, learned)

    def _unseen(self, table: Table, choice: Choice) -> tuple[Array, Array]:
        frequencies = choice.committee.unseen_values(table, choice.settings.max_depth)
        classes = table.targets[:, 1:] if table.targets.shape[1] == 2 else table.targets
        return classes, one_sided_log_odds(frequencies)

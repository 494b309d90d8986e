"""Proposals for a new dataset among the configurations of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmeta.model_selection._search._ensemble import expected_regret_reduction
from skmeta.model_selection._search._gaussian import condition
from skmeta.model_selection._search._guard import (
    MIN_EVIDENCE,
    TargetSurrogate,
    guard,
    leave_one_out_log_density,
    transfer_weight,
)
from skmeta.model_selection._search._relevance import DatasetRelevance
from skmeta.model_selection._search._scale import LOWEST, ScaleModel
from skmeta.model_selection._search._table import TablePrior
from skmeta.model_selection._search._validation import NO_META_FEATURES


class TableProposals:
    """The part of a prior that searches a new dataset, given what was learned from a table."""

    noise: float
    caution: float
    scale_: str
    mean_: np.ndarray
    covariance_: np.ndarray
    noise_: float
    default_: int
    _table: TablePrior
    _scale: ScaleModel
    _relevance: DatasetRelevance | None

    def posterior(self, tried: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
        """Gaussian posterior over the scores of all configurations on a new dataset.

        Parameters
        ----------
        tried : array-like of int, shape (n_tried,)
            Configurations tried on it.
        scores : array-like of shape (n_tried,)
            Their scores.

        Returns
        -------
        mean : ndarray of shape (n_configs,)
        covariance : ndarray of shape (n_configs, n_configs)
        """
        tried, scores = self._check_evidence(tried, scores)
        location, scale = self._location_and_scale(tried, scores)
        standard = (scores - location) / scale
        mean, covariance = condition(self.mean_, self.covariance_, tried, standard, self.noise_)
        return location + scale * mean, scale**2 * covariance

    def acquisition(self, tried: Any, scores: Any, meta_features: Any = None) -> np.ndarray:
        """By how much each configuration is expected to lower the normalised regret.

        Parameters
        ----------
        tried : array-like of int, shape (n_tried,)
            Configurations tried on the new dataset.
        scores : array-like of shape (n_tried,)
            Their scores.
        meta_features : array-like of shape (n_meta_features,), default=None
            Those of the new dataset, for which past ones like it then weigh more. Needs a prior
            that was fitted with meta-features.

        Returns
        -------
        reduction : ndarray of shape (n_configs,)
            Minus infinity for configurations that were tried.
        """
        tried, scores = self._check_evidence(tried, scores)
        scores = self._standardise(tried, scores)
        ensemble = self._table.weighted(self._dataset_weights(meta_features))
        rows, weights = ensemble.update(tried, scores)
        best = scores.max(initial=-np.inf)
        reduction = expected_regret_reduction(rows, weights, best)
        if self.caution and len(tried) >= MIN_EVIDENCE:
            own = TargetSurrogate([self._table.kernel], tried, scores, self.noise)
            trust = self._trust(own, tried, scores)
            reduction = guard(reduction, rows, weights, best, own, trust)
        # Where nothing is expected to improve, the best of the rest is as good a choice as any.
        reduction += 1e-9 * (weights @ rows)
        reduction[tried] = -np.inf
        return reduction

    def propose(self, tried: Any = (), scores: Any = (), meta_features: Any = None) -> int:
        """The configuration to try next.

        Parameters
        ----------
        tried : array-like of int, shape (n_tried,)
            Configurations tried on the new dataset.
        scores : array-like of shape (n_tried,)
            Their scores.
        meta_features : array-like of shape (n_meta_features,), default=None
            Those of the new dataset, for which past ones like it then weigh more. Needs a prior
            that was fitted with meta-features.

        Returns
        -------
        config : int
            Never one that was tried.

        Raises
        ------
        ValueError
            If all configurations were tried.
        """
        tried, scores = self._check_evidence(tried, scores)
        if not len(tried) and meta_features is None:
            return self.default_
        if len(np.unique(tried)) == len(self.mean_):
            raise ValueError(f"All {len(self.mean_)} configurations were tried.")
        return int(self.acquisition(tried, scores, meta_features).argmax())

    def transfer_weight(self, tried: Any, scores: Any) -> float:
        """Probability that the past is of use for the new dataset.

        Parameters
        ----------
        tried : array-like of int, shape (n_tried,)
            Configurations tried on the new dataset.
        scores : array-like of shape (n_tried,)
            Their scores.

        Returns
        -------
        weight : float
            `1 - caution` before there is evidence.
        """
        tried, scores = self._check_evidence(tried, scores)
        if len(tried) < MIN_EVIDENCE:
            return 1.0 - self.caution
        scores = self._standardise(tried, scores)
        own = TargetSurrogate([self._table.kernel], tried, scores, self.noise)
        return self._trust(own, tried, scores)

    def _trust(self, own: TargetSurrogate, tried: np.ndarray, scores: np.ndarray) -> float:
        mean, covariance = self._table.moments(tried)
        log_density = leave_one_out_log_density(scores - mean, covariance)
        return transfer_weight(log_density, own.log_density, self.caution)

    def _location_and_scale(self, tried: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
        mean, covariance = self._table.moments(tried)
        if self.scale_ == "common" and self._scale.is_plausible(scores, mean, covariance):
            return 0.0, 1.0
        return self._scale.infer(scores, mean, covariance)

    def _standardise(self, tried: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Scores of the new dataset in the units of the past."""
        location, scale = self._location_and_scale(tried, scores)
        standard = (scores - location) / scale
        return standard if self.scale_ == "common" else np.maximum(standard, LOWEST)

    def _dataset_weights(self, meta_features: Any) -> np.ndarray | None:
        if meta_features is None:
            return None
        if self._relevance is None:
            raise ValueError(NO_META_FEATURES)
        return self._relevance.weights(np.asarray(meta_features, dtype=np.float64).reshape(-1))

    def _check_evidence(self, tried: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        tried = np.asarray(tried, dtype=np.intp).reshape(-1)
        scores = np.asarray(scores, dtype=np.float64).reshape(-1)
        if len(tried) != len(scores):
            raise ValueError(f"Got {len(tried)} tried configurations but {len(scores)} scores.")
        if not np.isin(tried, np.arange(len(self.mean_))).all():
            raise ValueError(f"tried must index the {len(self.mean_)} configurations, got {tried}.")
        if not np.isfinite(scores).all():
            raise ValueError("scores must be finite: leave failed trials out.")
        return tried, scores

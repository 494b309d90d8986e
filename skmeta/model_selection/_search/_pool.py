"""A new dataset searched among given configurations, with past studies behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skmeta.model_selection._search._ensemble import expected_regret_reduction
from skmeta.model_selection._search._guard import (
    MIN_EVIDENCE,
    TargetSurrogate,
    guard,
    leave_one_out_log_density,
    transfer_weight,
)
from skmeta.model_selection._search._kernel import ConfigurationKernel
from skmeta.model_selection._search._past import PastSearches


class CandidatePool:
    """Configurations to choose from on a new dataset.

    Parameters
    ----------
    past : PastSearches
    configs : list of dict
    meta_features : ndarray of shape (n_meta_features,) or None
        Those of the new dataset.
    caution : float
        Prior probability that the past is of no use; 0 switches the guard off.
    """

    def __init__(
        self,
        past: PastSearches,
        configs: Sequence[Mapping[str, Any]],
        meta_features: np.ndarray | None,
        caution: float,
    ):
        self._past, self._caution = past, caution
        self._ensemble = past.ensemble(configs, meta_features)
        vectors = past.encoder.encode(configs)
        unlearned = ConfigurationKernel.unlearned(vectors.shape[1])
        unlearned = unlearned.scaled(past.kernel.variance / unlearned.variance)
        self._kernels = [kernel(vectors, vectors) for kernel in (past.kernel, unlearned)]

    def acquisition(self, tried: Any, scores: Any, pending: Any = ()) -> np.ndarray:
        """By how much each configuration is expected to lower the normalised regret.

        Parameters
        ----------
        tried : array-like of int, shape (n_tried,)
        scores : array-like of shape (n_tried,)
            Higher is better.
        pending : array-like of int, shape (n_pending,), default=()
            Configurations under way elsewhere. They count as if they scored as badly as the worst
            so far ("constant liar"), or as expected where there is no score yet.

        Returns
        -------
        reduction : ndarray of shape (n_configs,)
            Minus infinity for configurations that were tried or are pending.
        """
        tried, pending = (np.asarray(i, dtype=np.intp).reshape(-1) for i in (tried, pending))
        scores = np.asarray(scores, dtype=np.float64).reshape(-1)
        standard = self._past.standardise(scores, tried, self._ensemble)
        if len(scores):
            lies = np.full(len(pending), standard.min())
        else:
            lies = self._ensemble.rows[:, pending].mean(axis=0)
        seen, values = np.concatenate([tried, pending]), np.concatenate([standard, lies])
        rows, weights = self._ensemble.update(seen, values)
        best = values.max(initial=-np.inf)
        reduction = expected_regret_reduction(rows, weights, best)
        if self._caution and len(tried) >= MIN_EVIDENCE:
            own = self._target_surrogate(seen, values)
            reduction = guard(reduction, rows, weights, best, own, self._trust(tried, standard))
        # Where nothing is expected to improve, the best of the rest is as good a choice as any.
        reduction += 1e-9 * (weights @ rows)
        reduction[seen] = -np.inf
        return reduction

    def _target_surrogate(self, tried: np.ndarray, scores: np.ndarray) -> TargetSurrogate:
        noise = self._past.noise / self._past.kernel.variance
        return TargetSurrogate(self._kernels, tried, scores, noise)

    def _trust(self, tried: np.ndarray, scores: np.ndarray) -> float:
        """Probability that the past is of use, given how well it predicts standardised scores."""
        mean, covariance = self._ensemble.moments(tried)
        log_density = leave_one_out_log_density(scores - mean, covariance)
        own = self._target_surrogate(tried, scores)
        return transfer_weight(log_density, own.log_density, self._caution)

    def propose(self, tried: Any = (), scores: Any = (), pending: Any = ()) -> int:
        """The configuration to try next: never one that was tried or is pending.

        Parameters
        ----------
        tried : array-like of int, shape (n_tried,)
        scores : array-like of shape (n_tried,)
        pending : array-like of int, shape (n_pending,), default=()

        Returns
        -------
        config : int

        Raises
        ------
        ValueError
            If there is no other configuration.
        """
        reduction = self.acquisition(tried, scores, pending)
        best = int(reduction.argmax())
        if reduction[best] == -np.inf:
            raise ValueError(f"All {len(reduction)} configurations were tried.")
        return best

"""A new dataset searched among given configurations, with past studies behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skmeta.model_selection._search._ensemble import expected_regret_reduction
from skmeta.model_selection._search._past import PastSearches


class CandidatePool:
    """Configurations to choose from on a new dataset.

    Parameters
    ----------
    past : PastSearches
    configs : list of dict
    meta_features : ndarray of shape (n_meta_features,), default=None
        Those of the new dataset.
    """

    def __init__(
        self,
        past: PastSearches,
        configs: Sequence[Mapping[str, Any]],
        meta_features: np.ndarray | None = None,
    ):
        self._past = past
        self._ensemble = past.ensemble(configs, meta_features)

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
        # Where nothing is expected to improve, the best of the rest is as good a choice as any.
        reduction = expected_regret_reduction(rows, weights, best) + 1e-9 * (weights @ rows)
        reduction[seen] = -np.inf
        return reduction

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

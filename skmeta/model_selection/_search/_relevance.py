"""Which past datasets are like a new one, by their meta-features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor

_N_TREES = 200
_N_COMPONENTS = 8
# With fewer datasets, likeness cannot be told from chance.
_MIN_DATASETS = 10


class DatasetRelevance:
    """Weights of past datasets, from a random forest that predicts scores from meta-features.

    A past dataset weighs as much as it shares leaves with the new one, so that only meta-features
    that tell something about scores count. These weights are blended with equal ones. The share of
    the blend is that which predicts held-out (out-of-bag) datasets best, and zero where the gain is
    within one standard error of none: meta-features that say nothing change nothing.

    Parameters
    ----------
    meta_features : ndarray of shape (n_datasets, n_meta_features)
        NaN where a meta-feature is not known.
    rows : ndarray of shape (n_datasets, n_configs)
        Standardised scores of the same configurations on all datasets.

    Attributes
    ----------
    share : float
        Share of the forest in the weights, between 0 and 1.

    References
    ----------
    .. [1] Meinshausen, "Quantile regression forests", JMLR 2006, eqs. 4 and 5 (weights).
    """

    def __init__(self, meta_features: np.ndarray, rows: np.ndarray):
        self._n_datasets = len(meta_features)
        self._known = np.isfinite(meta_features).any(axis=0)
        self.share = 0.0
        if self._n_datasets < _MIN_DATASETS or not self._known.any():
            return
        known = self._fill(meta_features)
        n_components = min(_N_COMPONENTS, *rows.shape)
        targets = PCA(n_components, random_state=0).fit_transform(rows)
        self._forest = RandomForestRegressor(
            _N_TREES, min_samples_leaf=2, max_features=1 / 3, random_state=0
        ).fit(known, targets)
        self._leaves = self._forest.apply(known)
        self._counts = np.stack(
            [np.bincount(s, minlength=len(rows)) for s in self._forest.estimators_samples_], axis=1
        )
        self.share = self._best_share(rows)

    def weights(self, meta_features: np.ndarray) -> np.ndarray:
        """Weights of the past datasets for a new one.

        Parameters
        ----------
        meta_features : ndarray of shape (n_meta_features,)

        Returns
        -------
        weights : ndarray of shape (n_datasets,)
            They sum to one.
        """
        equal = np.full(self._n_datasets, 1 / self._n_datasets)
        if self.share == 0:
            return equal
        if len(meta_features) != len(self._known):
            raise ValueError(
                f"meta_features has {len(meta_features)} values, but past datasets have "
                f"{len(self._known)}."
            )
        leaves = self._forest.apply(self._fill(meta_features[None]))
        trees = np.ones(leaves.shape[1], dtype=bool)
        return (1 - self.share) * equal + self.share * self._from_leaves(leaves[0], trees)

    def _fill(self, meta_features: np.ndarray) -> np.ndarray:
        """Known columns; trees take NaN as it is, but not infinity."""
        known = meta_features[:, self._known]
        return np.where(np.isinf(known), np.nan, known)

    def _from_leaves(self, leaves: np.ndarray, trees: np.ndarray) -> np.ndarray:
        """Mean over trees of a dataset's share in the leaf that a new one falls into."""
        together = (self._leaves[:, trees] == leaves[trees]) * self._counts[:, trees]
        return (together / together.sum(axis=0)).mean(axis=1)

    def _best_share(self, rows: np.ndarray) -> float:
        n_datasets = len(rows)
        others = (rows.sum(axis=0) - rows) / (n_datasets - 1)
        step = np.zeros_like(rows)
        for i, leaves in enumerate(self._leaves):
            out_of_bag = self._counts[i] == 0
            if out_of_bag.any():
                step[i] = self._from_leaves(leaves, out_of_bag) @ rows - others[i]
        error = rows - others
        share = float(np.clip(np.sum(step * error) / max(np.sum(step**2), 1e-300), 0.0, 1.0))
        gain = np.mean(error**2 - (error - share * step) ** 2, axis=1)
        is_sure = gain.mean() > gain.std(ddof=1) / np.sqrt(n_datasets)
        return share if is_sure else 0.0


def relevance_of(
    meta_features: Sequence[np.ndarray | None], rows: np.ndarray
) -> DatasetRelevance | None:
    """What meta-features tell; None unless those of all datasets are known.

    Parameters
    ----------
    meta_features : list of ndarray or None
    rows : ndarray of shape (n_datasets, n_configs)
        Scores of the same configurations on all datasets, which are standardised here.
    """
    known = [features for features in meta_features if features is not None]
    if len(known) < len(meta_features):
        return None
    spread = np.maximum(rows.std(axis=1, keepdims=True), 1e-12)
    return DatasetRelevance(np.array(known), (rows - rows.mean(axis=1, keepdims=True)) / spread)

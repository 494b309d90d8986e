"""What a table of past scores says: moments, plausible rows, and how datasets are scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skmeta.model_selection._search._encoding import ConfigurationEncoder
from skmeta.model_selection._search._ensemble import Ensemble, draw_rows
from skmeta.model_selection._search._gaussian import fit_gaussian, initial_mean
from skmeta.model_selection._search._kernel import (
    Block,
    ConfigurationKernel,
    fit_kernel,
    fit_kernel_weights,
)
from skmeta.model_selection._search._scale import LOWEST, ScaleModel

# Incomplete datasets that the kernel is learned from, at the most.
_MAX_BLOCKS = 60
# From so many datasets on, the moments of scores are known well enough to match them directly.
_MANY = 100
# Scores have no common meaning if the spreads of datasets, or their levels in units of the typical
# spread, differ by more than this factor.
_MAX_RATIO = 30.0


@dataclass(frozen=True)
class TablePrior:
    """Gaussian prior over the scores of all configurations, and rows that stand for datasets.

    Parameters
    ----------
    kernel : ndarray of shape (n_configs, n_configs)
        Covariance from the likeness of configurations alone.
    mean : ndarray of shape (n_configs,)
    covariance : ndarray of shape (n_configs, n_configs)
    noise : float
    ensemble : Ensemble
    """

    kernel: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    noise: float
    ensemble: Ensemble

    @classmethod
    def learn(
        cls, scores: np.ndarray, kernel: np.ndarray, params: Mapping[str, Any], rng: Any
    ) -> TablePrior:
        """Learn from a table with gaps; `params` are those of HyperparameterPrior."""
        noise = params["noise"] * float(np.mean(np.diag(kernel)))
        mean, covariance = fit_gaussian(scores, kernel, params["strength"], noise)
        rows = draw_rows(
            scores, mean, covariance, noise, params["n_rows"], params["smoothing"], rng
        )
        sharpness = params["sharpness"] * len(scores) ** (2 / 7) * np.isfinite(scores).mean()
        ensemble = Ensemble(rows, covariance, noise, float(sharpness))
        return cls(kernel, mean, covariance, noise, ensemble)

    def moments(self, tried: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prior mean and covariance, with noise, of the scores that were seen."""
        covariance = self.covariance[np.ix_(tried, tried)] + self.noise * np.eye(len(tried))
        return self.mean[tried], covariance

    def past_rows(self, n_datasets: int) -> np.ndarray:
        """The completed row of each past dataset, without its smoothed copies."""
        return self.ensemble.rows[:: len(self.ensemble.rows) // n_datasets]

    def weighted(self, weights: np.ndarray | None) -> Ensemble:
        """The rows, with weights for the datasets that they stand for."""
        if weights is None:
            return self.ensemble
        n_copies = len(self.ensemble.rows) // len(weights)
        return replace(self.ensemble, prior_weights=np.repeat(weights / n_copies, n_copies))


def learn_kernel(
    scores: np.ndarray, configs: Sequence[Mapping[str, Any]] | None
) -> ConfigurationKernel:
    """Kernel over configurations from a table of scores.

    Parameters
    ----------
    scores : ndarray of shape (n_datasets, n_configs)
    configs : list of dict or None
    """
    vectors, residuals = _vectors(scores, configs), scores - initial_mean(scores)
    if len(scores) >= _MANY:
        return fit_kernel_weights(_blocks(vectors, residuals, len(scores)))
    return fit_kernel(_blocks(vectors, residuals, _MAX_BLOCKS))


def likeness(
    kernel: ConfigurationKernel, scores: np.ndarray, configs: Sequence[Mapping[str, Any]] | None
) -> np.ndarray:
    """Covariance of the configurations of a table under a kernel."""
    vectors = _vectors(scores, configs)
    *smooth, own = kernel.weights
    # Configurations whose vectors agree are still different entries of the table.
    shared = replace(kernel, weights=np.array([*smooth, 0.0]))(vectors, vectors)
    return shared + own * np.eye(len(vectors))


def _vectors(scores: np.ndarray, configs: Sequence[Mapping[str, Any]] | None) -> np.ndarray:
    if configs is None:
        return np.zeros((scores.shape[1], 1))
    return ConfigurationEncoder(configs).encode(configs)


def _blocks(vectors: np.ndarray, residuals: np.ndarray, size: int) -> list[Block]:
    """Datasets by the configurations they tried; a spread of them where there are many."""
    seen = np.isfinite(residuals)
    if seen.all():
        return [(vectors, residuals)]
    some = np.linspace(0, len(residuals) - 1, min(len(residuals), size)).astype(int)
    return [(vectors[seen[i]], residuals[i : i + 1, seen[i]]) for i in some]


def has_common_meaning(scores: np.ndarray) -> bool:
    """Whether levels and spreads of datasets are near enough to compare their scores."""
    spreads = np.nanstd(scores, axis=1)
    spreads = spreads[spreads > 0]
    if len(spreads) < 2:
        return True
    low, typical, high = np.quantile(spreads, [0.1, 0.5, 0.9])
    levels = np.nanmean(scores, axis=1)
    return bool(high < _MAX_RATIO * low and np.ptp(levels) < _MAX_RATIO * typical)


def standardise_rows(scores: np.ndarray) -> tuple[np.ndarray, ScaleModel]:
    """Rows with level zero and spread one, and how levels and spreads differ between datasets."""
    spreads = np.nanstd(scores, axis=1)
    positive = spreads[spreads > 0]
    typical = np.exp(np.log(positive).mean()) if len(positive) else 1.0
    spreads = np.where(spreads > 0, spreads, typical)[:, None]
    levels = np.nanmean(scores, axis=1, keepdims=True)
    # A dataset that tried good configurations by chance has not a high level for that.
    general = initial_mean((scores - levels) / spreads)
    levels = np.nanmean(scores - spreads * general, axis=1, keepdims=True)
    standard = np.maximum((scores - levels) / spreads, LOWEST)
    return standard, ScaleModel.from_past(levels[:, 0], spreads[:, 0])

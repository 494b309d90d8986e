"""Past studies as functions of a configuration, whatever each of them tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.linalg import cho_factor, cho_solve

from skmeta.model_selection._search._encoding import ConfigurationEncoder
from skmeta.model_selection._search._ensemble import Ensemble
from skmeta.model_selection._search._kernel import ConfigurationKernel, fit_kernel
from skmeta.model_selection._search._relevance import DatasetRelevance, relevance_of
from skmeta.model_selection._search._scale import LOWEST, ScaleModel
from skmeta.model_selection._search._studies import PastStudy

# Noise variance, relative to the variance of scores within a study.
_NOISE = 1e-2
# How many datasets the kernel counts for beside the covariance observed over past ones.
_STRENGTH = 20.0
_SHARPNESS = 1.0
# Studies and trials of each that the kernel is learned from, and trials for the mean, at the most.
_MAX_BLOCKS, _MAX_BLOCK, _MAX_MEAN = 60, 100, 1000


class PastSearches:
    """Gaussian processes over encoded hyperparameters, one for each past study.

    Their scores are standardised. They share a mean, what a configuration scores in general, and a
    kernel, which are learned from all of them. Evaluated at any candidates they give complete rows
    of scores, from which a new study is predicted as from a table.

    Parameters
    ----------
    studies : list of PastStudy
    encoder : ConfigurationEncoder
    kernel : ConfigurationKernel, default=None
        A kernel learned before from studies like these; learning it is the slow part. It is learned
        anew if the space has got other columns since.

    Attributes
    ----------
    studies : list of PastStudy
    encoder : ConfigurationEncoder
    kernel : ConfigurationKernel
        Of a study's deviation from the mean.
    scale : ScaleModel
        How location and scale of scores differ between studies.
    noise : float
        Variance of the noise on a standardised score.
    relevance : DatasetRelevance or None
        What meta-features tell of which studies are alike.
    """

    def __init__(
        self,
        studies: Sequence[PastStudy],
        encoder: ConfigurationEncoder,
        kernel: ConfigurationKernel | None = None,
    ):
        self.studies, self.encoder = list(studies), encoder
        self._points = [encoder.encode(study.configs) for study in studies]
        locations = np.array([study.scores.mean() for study in studies])
        scales = _spreads(studies)
        self.scale = ScaleModel.from_past(locations, scales)
        standard = [
            np.maximum((study.scores - location) / scale, LOWEST)
            for study, location, scale in zip(studies, locations, scales, strict=True)
        ]
        is_for_others = kernel is not None and len(kernel.length_scales) != encoder.n_columns
        if kernel is None or is_for_others:
            kernel = fit_kernel(_blocks(self._points, standard))
        self.kernel = kernel
        self.noise = _NOISE * float(self.kernel.weights[1:].sum())
        self._fit_mean(standard)
        self._solutions = [
            self._solve(x, z - self.mean(x)) for x, z in zip(self._points, standard, strict=True)
        ]
        self.relevance = self._fit_relevance()

    # ------------------------------------------------------------------ what studies share

    def _fit_mean(self, standard: Sequence[np.ndarray]) -> None:
        """Kernel regression of all scores on configurations, through some of the trials."""
        x, z = np.concatenate(self._points), np.concatenate(standard)
        some = np.linspace(0, len(x) - 1, min(len(x), _MAX_MEAN)).astype(int)
        self._centres = np.unique(x[some], axis=0)
        cross = self.kernel(x, self._centres)
        # Studies deviate from the mean by as much as it varies, and no trial tells of it alone.
        noise = 0.5 * self.kernel.variance
        inner = noise * self.kernel(self._centres, self._centres) + cross.T @ cross
        inner[np.diag_indices_from(inner)] += 1e-8 * np.trace(inner) / len(inner)
        self._mean_solution = cho_solve(cho_factor(inner), cross.T @ z)

    def mean(self, vectors: np.ndarray) -> np.ndarray:
        """What configurations score in general, standardised, of shape (n_configs,)."""
        return self.kernel(vectors, self._centres) @ self._mean_solution

    def _solve(self, x: np.ndarray, residuals: np.ndarray) -> np.ndarray:
        covariance = self.kernel(x, x) + self.noise * np.eye(len(x))
        return cho_solve(cho_factor(covariance), residuals)

    def _fit_relevance(self) -> DatasetRelevance | None:
        every = np.concatenate(self._points)
        some = np.linspace(0, len(every) - 1, min(len(every), 200)).astype(int)
        return relevance_of([study.meta_features for study in self.studies], self.rows(every[some]))

    # ------------------------------------------------------------------ a new study

    def rows(self, vectors: np.ndarray) -> np.ndarray:
        """Expected standardised scores in each past study, of shape (n_studies, n_configs).

        Parameters
        ----------
        vectors : ndarray of shape (n_configs, n_columns)
            Encoded configurations.
        """
        cross = self.kernel(vectors, np.concatenate(self._points))
        stops = np.cumsum([len(x) for x in self._points])[:-1]
        parts = np.split(cross, stops, axis=1)
        moved = [part @ alpha for part, alpha in zip(parts, self._solutions, strict=True)]
        return self.mean(vectors) + np.array(moved)

    def ensemble(
        self, configs: Sequence[Mapping[str, Any]], meta_features: np.ndarray | None = None
    ) -> Ensemble:
        """Plausible standardised scores of configurations in a new study.

        Parameters
        ----------
        configs : list of dict
        meta_features : ndarray of shape (n_meta_features,), default=None
            Those of the new dataset.
        """
        vectors = self.encoder.encode(configs)
        rows = self.rows(vectors)
        centred = rows - rows.mean(axis=0)
        covariance = _STRENGTH * self.kernel(vectors, vectors) + centred.T @ centred
        covariance /= _STRENGTH + len(rows)
        return Ensemble(rows, covariance, self.noise, _SHARPNESS, self.weights(meta_features))

    def weights(self, meta_features: np.ndarray | None) -> np.ndarray | None:
        """Weights of the past studies for a new dataset; None if they are equal."""
        if meta_features is None or self.relevance is None:
            return None
        return self.relevance.weights(np.asarray(meta_features, dtype=np.float64).reshape(-1))

    def standardise(self, scores: np.ndarray, tried: np.ndarray, ensemble: Ensemble) -> np.ndarray:
        """Scores of a new study as rows of an ensemble have them.

        Parameters
        ----------
        scores : ndarray of shape (n_tried,)
        tried : ndarray of int, shape (n_tried,)
            Which configurations of the ensemble they belong to.
        ensemble : Ensemble
        """
        location, scale = self.scale.infer(scores, *ensemble.moments(tried))
        return np.maximum((scores - location) / scale, LOWEST)


def _spreads(studies: Sequence[PastStudy]) -> np.ndarray:
    """Standard deviations within studies; those of few or equal scores lean on the others."""
    variances = np.array([study.scores.var() for study in studies])
    typical = np.exp(np.mean(np.log(variances[variances > 0]))) if variances.any() else 1.0
    counts = np.array([len(study.scores) for study in studies])
    return np.sqrt((counts * variances + typical) / (counts + 1))


def _blocks(points: Sequence[np.ndarray], standard: Sequence[np.ndarray]) -> list:
    some = np.linspace(0, len(points) - 1, min(len(points), _MAX_BLOCKS)).astype(int)
    return [(points[i][:_MAX_BLOCK], standard[i][None, :_MAX_BLOCK]) for i in some]


def make_encoder(
    studies: Sequence[PastStudy], space: Mapping[str, BaseDistribution]
) -> ConfigurationEncoder:
    """An encoder that knows what studies tried and what the space holds.

    Parameters
    ----------
    studies : list of PastStudy
    space : dict of str to BaseDistribution
    """
    ranges = {
        name: (float(d.low), float(d.high), d.log)
        for name, d in space.items()
        if isinstance(d, FloatDistribution | IntDistribution)
    }
    choices = {
        name: d.choices for name, d in space.items() if isinstance(d, CategoricalDistribution)
    }
    configs = [study.configs for study in studies]
    return ConfigurationEncoder([c for part in configs for c in part], ranges, choices, configs)

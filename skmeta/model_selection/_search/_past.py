"""Past studies as functions of a configuration, whatever each of them tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from skmeta.model_selection._search._encoding import ConfigurationEncoder
from skmeta.model_selection._search._ensemble import Ensemble
from skmeta.model_selection._search._kernel import (
    base_kernels,
    fit_kernel_weights,
    mixed_kernel,
)

# Noise variance, relative to the variance of scores within a study.
_NOISE = 1e-2
# How many datasets the kernel counts for beside the covariance observed over past ones.
_STRENGTH = 20.0
_SHARPNESS = 1.0

Study = tuple[Sequence[Mapping[str, Any]], np.ndarray]


class PastSearches:
    """Gaussian processes over encoded hyperparameters, one for each past study.

    They share a kernel, which is learned from all of them. Evaluated at any candidates they give
    complete rows of scores, from which a new study is predicted as from a table.

    Parameters
    ----------
    studies : list of (configs, scores)
        Configurations of each study and their scores; higher is better.
    encoder : ConfigurationEncoder
    """

    def __init__(self, studies: Sequence[Study], encoder: ConfigurationEncoder):
        self._encoder = encoder
        self._points = [encoder.encode(configs) for configs, _ in studies]
        self._levels = np.array([scores.mean() for _, scores in studies])
        self._weights = np.mean(
            [
                fit_kernel_weights(base_kernels(x, x), (scores - scores.mean())[None])
                for x, (_, scores) in zip(self._points, studies, strict=True)
            ],
            axis=0,
        )
        # Within a study its level was taken out, so that its share comes from between studies.
        self._weights[0] = max(self._levels.var(), self._weights.sum())
        self.noise = _NOISE * float(self._weights[1:].sum())
        self._solutions = [
            self._solve(x, scores - scores.mean())
            for x, (_, scores) in zip(self._points, studies, strict=True)
        ]

    def _solve(self, x: np.ndarray, residuals: np.ndarray) -> np.ndarray:
        covariance = self._kernel(x, x) + self.noise * np.eye(len(x))
        return cho_solve(cho_factor(covariance), residuals)

    def _kernel(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return mixed_kernel(left, right, self._weights)

    def rows(self, vectors: np.ndarray) -> np.ndarray:
        """Expected scores in each past study, of shape (n_studies, n_configs).

        Parameters
        ----------
        vectors : ndarray of shape (n_configs, n_columns)
            Encoded configurations.
        """
        cross = self._kernel(vectors, np.concatenate(self._points))
        stops = np.cumsum([len(x) for x in self._points])[:-1]
        parts = np.split(cross, stops, axis=1)
        moved = [part @ alpha for part, alpha in zip(parts, self._solutions, strict=True)]
        return self._levels[:, None] + np.array(moved)

    def ensemble(self, configs: Sequence[Mapping[str, Any]]) -> Ensemble:
        """Plausible scores of configurations in a new study.

        Parameters
        ----------
        configs : list of dict
        """
        vectors = self._encoder.encode(configs)
        rows = self.rows(vectors)
        centred = rows - rows.mean(axis=0)
        covariance = _STRENGTH * self._kernel(vectors, vectors) + centred.T @ centred
        covariance /= _STRENGTH + len(rows)
        return Ensemble(rows, covariance, self.noise, _SHARPNESS)

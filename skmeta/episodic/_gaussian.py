"""Regressors with a Gaussian predictive distribution: what they predict."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm

from skmeta.base._quantiles import check_quantiles
from skmeta.episodic._parameters import parameters
from skmeta.episodic._targets import NeuralMetaRegressorMixin
from skmeta.nets import gaussian_nll


@parameters
class GaussianRegressorMixin(NeuralMetaRegressorMixin):
    """Regressors whose module predicts a mean and a variance; goes left of the base class."""

    _row_loss = staticmethod(gaussian_nll)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)
        return_std : bool, default=False
            Whether to return the standard deviation, too.

        Returns
        -------
        y : ndarray of shape (n_query,) or (n_query, n_outputs)
            Mean of the predictive distribution.
        y_std : ndarray of shape (n_query,) or (n_query, n_outputs)
            Its standard deviation: that of a new observation, noise included. Only if
            `return_std`.
        """
        mean, std = self._mean_and_std(X)
        if self._is_single_output:
            mean, std = mean[:, 0], std[:, 0]
        return (mean, std) if return_std else mean

    def predict_quantiles(self, X: Any, quantiles: Any = (0.025, 0.5, 0.975)) -> np.ndarray:
        """Predict quantiles of the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)
        quantiles : float or array-like of shape (n_quantiles,), default=(0.025, 0.5, 0.975)
            Probabilities between 0 and 1.

        Returns
        -------
        y : ndarray of shape (n_query, n_quantiles) or (n_query, n_outputs, n_quantiles)
            The values below which a new observation lies with these probabilities.

        Raises
        ------
        ValueError
            If a quantile is not between 0 and 1.
        """
        y = self._quantiles(X, check_quantiles(quantiles))
        return y[:, 0] if self._is_single_output else y

    def _quantiles(self, X: Any, probabilities: np.ndarray) -> np.ndarray:
        """Of shape (n_query, n_outputs, n_quantiles), in the units of the target."""
        mean, std = self._mean_and_std(X)
        return mean[..., None] + std[..., None] * norm.ppf(probabilities)

    def _mean_and_std(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Both of shape (n_query, n_outputs), in the units of the target."""
        output = self._output(X)
        mean, variance = output[..., 0], output[..., 1]
        return mean * self.y_scale_ + self.y_mean_, np.sqrt(variance) * self.y_scale_

"""What past searches say about a hyperparameter space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skmeta.model_selection._search._encoding import ConfigurationEncoder
from skmeta.model_selection._search._ensemble import (
    Ensemble,
    draw_rows,
    expected_regret_reduction,
)
from skmeta.model_selection._search._gaussian import condition, fit_gaussian, initial_mean
from skmeta.model_selection._search._guard import (
    TargetSurrogate,
    expected_improvement,
    leave_one_out_log_density,
    transfer_weight,
)
from skmeta.model_selection._search._kernel import base_kernels, fit_kernel_weights
from skmeta.model_selection._search._portfolio import greedy_portfolio

# Fewer scores cannot tell two surrogates apart.
_MIN_EVIDENCE = 3


class HyperparameterPrior(BaseEstimator):
    """Prior over the configurations of a search, learned from past evaluations.

    It knows which configurations are good in general (a default and a portfolio), how the scores of
    configurations go together over datasets (a Gaussian prior), and proposes what to try next on a
    new dataset. Proposals come from past datasets as a whole, each corrected and weighted by what
    was seen: a portfolio before any evidence, a Gaussian surrogate after much. A surrogate that
    knows the new dataset alone takes over where it predicts better than the past does.

    Parameters
    ----------
    strength : float, default=20
        How many datasets the likeness of hyperparameters counts for, against the covariance
        observed over datasets.
    noise : float, default=0.003
        Variance of the noise on a score, relative to its variance over datasets.
    sharpness : float, default=0.4
        How fast evidence singles out past datasets. It is multiplied by `n_datasets ** (2 / 7)`,
        the inverse squared bandwidth of a density in about three dimensions (Scott's rule), and by
        the share of the table that is not a gap.
    n_rows : int, default=300
        Number of plausible datasets to reason with, at the least.
    smoothing : float, default=0.1
        How far copies of past datasets stray from them, where there are fewer than `n_rows`.
    caution : float, default=0.02
        Prior probability that the past is of no use; 0 switches the guard off.
    random_state : int, RandomState instance or None, default=None
        Draws for gaps and copies.

    Attributes
    ----------
    default_ : int
        Configuration with the least mean regret.
    portfolio_ : ndarray of shape (n_configs,)
        All configurations, in the order of a greedy portfolio.
    mean_ : ndarray of shape (n_configs,)
        Mean score of the prior.
    covariance_ : ndarray of shape (n_configs, n_configs)
        Covariance of scores over datasets.
    noise_ : float
        Variance of the noise on a score.
    n_datasets_ : int
        Number of past datasets.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta.model_selection import HyperparameterPrior
    >>> scores = np.array([[0.9, 0.8, 0.1], [0.7, 0.8, 0.2], [0.9, 0.7, np.nan]])
    >>> prior = HyperparameterPrior(random_state=0)
    >>> prior = prior.fit(scores, [{"C": 1.0}, {"C": 10.0}, {"C": 1e4}])
    >>> prior.default_
    0
    >>> prior.propose(tried=[0], scores=[0.6])
    1
    """

    _parameter_constraints: dict = {
        "strength": [Interval(Real, 0, None, closed="neither")],
        "noise": [Interval(Real, 0, None, closed="neither")],
        "sharpness": [Interval(Real, 0, None, closed="left")],
        "n_rows": [Interval(Integral, 1, None, closed="left")],
        "smoothing": [Interval(Real, 0, 1, closed="both")],
        "caution": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        strength: float = 20.0,
        noise: float = 0.003,
        sharpness: float = 0.4,
        n_rows: int = 300,
        smoothing: float = 0.1,
        caution: float = 0.02,
        random_state: Any = None,
    ):
        self.strength = strength
        self.noise = noise
        self.sharpness = sharpness
        self.n_rows = n_rows
        self.smoothing = smoothing
        self.caution = caution
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, scores: Any, configs: Sequence[Mapping[str, Any]] | None = None) -> Self:
        """Learn from a table of evaluations.

        Parameters
        ----------
        scores : array-like of shape (n_datasets, n_configs)
            Higher is better; NaN where a configuration was not tried. Scores of different datasets
            are compared, so that they need a common meaning (accuracy, AUC, R²).
        configs : list of dict, default=None
            Hyperparameters of each configuration; not all need the same ones. Without them, nothing
            is known of the likeness of configurations.

        Returns
        -------
        self : HyperparameterPrior

        Raises
        ------
        ValueError
            If a dataset has no score, or `configs` does not match the columns of `scores`.
        """
        scores = _check_scores(scores, configs)
        rng = np.random.default_rng(
            check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        )
        self.n_datasets_, n_configs = scores.shape
        self._kernel = self._fit_kernel(scores, configs)
        self.noise_ = self.noise * float(np.mean(np.diag(self._kernel)))
        self.mean_, self.covariance_ = fit_gaussian(
            scores, self._kernel, self.strength, self.noise_
        )
        rows = draw_rows(
            scores, self.mean_, self.covariance_, self.noise_, self.n_rows, self.smoothing, rng
        )
        sharpness = self.sharpness * self.n_datasets_ ** (2 / 7) * np.isfinite(scores).mean()
        self._ensemble = Ensemble(rows, self.covariance_, self.noise_, float(sharpness))
        self.portfolio_ = greedy_portfolio(rows, n_configs)
        self.default_ = int(self.portfolio_[0])
        return self

    def _fit_kernel(
        self, scores: np.ndarray, configs: Sequence[Mapping[str, Any]] | None
    ) -> np.ndarray:
        if configs is None:
            vectors = np.eye(scores.shape[1])
        else:
            vectors = ConfigurationEncoder(configs).encode(configs)
        kernels = base_kernels(vectors, vectors)
        weights = fit_kernel_weights(kernels, scores - initial_mean(scores))
        # Configurations whose vectors agree are still different entries of the table.
        kernels[-1] = np.eye(len(vectors))
        return np.tensordot(weights, kernels, axes=1)

    # ------------------------------------------------------------------ a new dataset

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
        return condition(self.mean_, self.covariance_, tried, scores, self.noise_)

    def acquisition(self, tried: Any, scores: Any) -> np.ndarray:
        """By how much each configuration is expected to lower the normalised regret.

        Parameters
        ----------
        tried : array-like of int, shape (n_tried,)
            Configurations tried on the new dataset.
        scores : array-like of shape (n_tried,)
            Their scores.

        Returns
        -------
        reduction : ndarray of shape (n_configs,)
            Minus infinity for configurations that were tried.
        """
        tried, scores = self._check_evidence(tried, scores)
        rows, weights = self._ensemble.update(tried, scores)
        best = scores.max(initial=-np.inf)
        reduction = expected_regret_reduction(rows, weights, best)
        if self.caution and len(tried) >= _MIN_EVIDENCE:
            own = TargetSurrogate(self._kernel, tried, scores, self.noise)
            trust = self._trust(own, tried, scores)
            own_reduction = expected_improvement(*own.posterior(), best)
            own_reduction /= weights @ np.ptp(rows, axis=1)
            reduction = trust * reduction + (1 - trust) * own_reduction
        # Where nothing is expected to improve, the best of the rest is as good a choice as any.
        reduction += 1e-9 * (weights @ rows)
        reduction[tried] = -np.inf
        return reduction

    def propose(self, tried: Any = (), scores: Any = ()) -> int:
        """The configuration to try next.

        Parameters
        ----------
        tried : array-like of int, shape (n_tried,)
            Configurations tried on the new dataset.
        scores : array-like of shape (n_tried,)
            Their scores.

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
        if not len(tried):
            return self.default_
        if len(np.unique(tried)) == len(self.mean_):
            raise ValueError(f"All {len(self.mean_)} configurations were tried.")
        return int(self.acquisition(tried, scores).argmax())

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
        if len(tried) < _MIN_EVIDENCE:
            return 1.0 - self.caution
        own = TargetSurrogate(self._kernel, tried, scores, self.noise)
        return self._trust(own, tried, scores)

    def _trust(self, own: TargetSurrogate, tried: np.ndarray, scores: np.ndarray) -> float:
        covariance = self.covariance_[np.ix_(tried, tried)] + self.noise_ * np.eye(len(tried))
        log_density = leave_one_out_log_density(scores - self.mean_[tried], covariance)
        return transfer_weight(log_density, own.log_density(), self.caution)

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


def _check_scores(scores: Any, configs: Sequence[Mapping[str, Any]] | None) -> np.ndarray:
    scores = check_array(
        scores, dtype=np.float64, ensure_all_finite="allow-nan", input_name="scores"
    )
    if configs is not None and len(configs) != scores.shape[1]:
        raise ValueError(f"scores has {scores.shape[1]} columns but configs {len(configs)} items.")
    empty = np.flatnonzero(np.isnan(scores).all(axis=1))
    if len(empty):
        raise ValueError(f"Datasets without any score: rows {empty.tolist()} of scores.")
    return scores

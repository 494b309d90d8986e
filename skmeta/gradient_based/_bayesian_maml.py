"""Bayesian MAML: a distribution over the initial weights, and predictions that say how sure."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import softmax
from scipy.stats import norm
from sklearn.utils._param_validation import Interval
from torch import nn

from skmeta.episodic import (
    EpisodeLoss,
    GaussianRegressorMixin,
    NeuralMetaClassifierMixin,
    parameters,
)
from skmeta.gradient_based._learner import InnerSGDLearner
from skmeta.nets import (
    MAML,
    BayesianMAML,
    GaussianNoise,
    mixture_cross_entropy,
    mixture_gaussian_nll,
    squared_error,
)

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")
_N_BISECTIONS = 50  # to the last digit, nearly


@parameters
class _BayesianMAML(InnerSGDLearner):
    n_samples: int = 5
    n_adapt_samples: int = 20
    initial_std: float = 0.02

    _parameter_constraints: ClassVar[dict] = {
        "n_samples": [_AT_LEAST_ONE],
        "n_adapt_samples": [_AT_LEAST_ONE],
        "initial_std": [Interval(Real, 0, None, closed="left")],
    }
    _shared_docs: ClassVar[dict] = {
        "distribution": """
            n_samples, n_adapt_samples : int, default=5, 20
                Number of initial weights that are drawn and adapted: for each task in training,
                and for a new task. The latter are the same for all tasks, and a function of
                `random_state`.
            initial_std : float, default={initial_std}
                Standard deviation of the initial weights that training starts from.""",
    }

    def _make_inner_loop(self, **options: Any) -> MAML:
        return BayesianMAML(
            first_order=self.first_order,
            recompute=self.recompute,
            n_samples=self.n_samples,
            n_adapt_samples=self.n_adapt_samples,
            initial_std=self.initial_std,
            noise=self._make_noise(),
            seed=self._seed,
            **options,
        )

    def _make_criterion(self) -> EpisodeLoss:
        criterion = super()._make_criterion()
        criterion.row_loss = self._mixture_loss
        return criterion

    def _make_noise(self) -> nn.Module | None:
        """What is applied to the outputs of the networks."""
        return None


@parameters
class BayesianMAMLClassifier(NeuralMetaClassifierMixin, _BayesianMAML):
    """Classifier that adapts several draws of its initial weights, and averages what they say.

    As :class:`MAMLClassifier`, but what is learned is a distribution of initial weights: a Gaussian
    with a mean and a standard deviation for each weight [1]_. `n_adapt_samples` draws from it are
    adapted to the support, and their probabilities are averaged. Training minimises the
    cross-entropy of the average [2]_, so that draws may differ where a support leaves open what the
    task is.
    {{own_classes}}

    Parameters
    ----------
    {{module}}
    {{distribution}}
    inner_lr : float, default=0.1
        Step size of the inner steps.
    {{inner_steps}}
    {{inner_sgd}}
    {{unrolled}}
    {{class_weight}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    {{inner_attributes}}
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Finn, Xu & Levine (2018). Probabilistic model-agnostic meta-learning. NeurIPS. The
       prior, without the variational posterior.
    .. [2] Gordon, Bronskill, Bauer, Nowozin & Turner (2019). Meta-learning probabilistic inference
       for prediction. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import BayesianMAMLClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=50, random_state=0)
    >>> meta = BayesianMAMLClassifier(max_epochs=2, random_state=0).fit(tasks)
    >>> meta.fit_adapt(tasks[0].X, tasks[0].y).predict_proba(tasks[0].X).shape
    (48, 3)
    """

    inner_lr: float = 0.1
    _mixture_loss = staticmethod(mixture_cross_entropy)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class: the average over the adapted draws.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        proba : ndarray of shape (n_query, n_classes)
            Columns in the order of `classes_`.
        """
        logits = self._output(X)[..., : len(self.classes_)].astype(np.float64)
        return softmax(logits, axis=-1).mean(axis=0)


@parameters
class BayesianMAMLRegressor(GaussianRegressorMixin, _BayesianMAML):
    """Regressor that adapts several draws of its initial weights, and knows where they disagree.

    As :class:`MAMLRegressor`, but what is learned is a distribution of initial weights: a Gaussian
    with a mean and a standard deviation for each weight [1]_. `n_adapt_samples` draws from it are
    adapted to the support. The prediction is the mixture of theirs, each with the same learned
    noise, and training minimises its negative log-likelihood [2]_, so that draws may differ where a
    support leaves open what the task is.

    Parameters
    ----------
    {{module}}
    {{distribution}}
    inner_lr : float, default=0.01
        Step size of the inner steps.
    {{inner_steps}}
    {{inner_sgd}}
    {{unrolled}}
    {{normalize_y}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    noise_std_ : ndarray of shape (n_outputs,)
        Learned standard deviation of the noise.
    {{inner_attributes}}
    {{attributes}}
    {{y_scale_}}

    References
    ----------
    .. [1] Finn, Xu & Levine (2018). Probabilistic model-agnostic meta-learning. NeurIPS. The
       prior, without the variational posterior.
    .. [2] Gordon, Bronskill, Bauer, Nowozin & Turner (2019). Meta-learning probabilistic inference
       for prediction. ICLR.

    Examples
    --------
    >>> from skmeta import BayesianMAMLRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = BayesianMAMLRegressor(max_epochs=3, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> mean, std = model.predict([[1.0], [2.0]], return_std=True)
    >>> model.predict_samples([[1.0], [2.0]]).shape
    (20, 2)
    """

    _row_loss = staticmethod(squared_error)
    _mixture_loss = staticmethod(mixture_gaussian_nll)

    def predict_samples(self, X: Any) -> np.ndarray:
        """Predict with each of the adapted draws, without noise.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples, n_query) or (n_samples, n_query, n_outputs)
        """
        y = self._means(X)
        return y[..., 0] if self._is_single_output else y

    @property
    def noise_std_(self) -> np.ndarray:
        """Learned standard deviation of the noise."""
        variance = self._learner.noise.variance().detach().cpu().numpy()
        return np.sqrt(variance) * self.y_scale_

    def _make_noise(self) -> nn.Module:
        return GaussianNoise(len(self.y_mean_))

    def _means(self, X: Any) -> np.ndarray:
        """Of the adapted draws, of shape (n_samples, n_query, n_outputs)."""
        return self._output(X)[..., 0] * self.y_scale_ + self.y_mean_

    def _mean_and_std(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        means = self._means(X)
        return means.mean(axis=0), np.sqrt(means.var(axis=0) + self.noise_std_**2)

    def _quantiles(self, X: Any, probabilities: np.ndarray) -> np.ndarray:
        """Quantiles of the mixture, which have no closed form, by bisection."""
        means, std = self._means(X)[..., None], self.noise_std_[:, None]
        ends = means + std * norm.ppf(probabilities)  # the quantile lies amid those of the parts
        low, high = ends.min(axis=0), ends.max(axis=0)
        for _ in range(_N_BISECTIONS):
            middle = (low + high) / 2
            is_below = norm.cdf((middle - means) / std).mean(axis=0) < probabilities
            low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
        return (low + high) / 2

"""Gaussian processes over a learned embedding."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skmeta.closed_form._gaussian import _GaussianRegressor
from skmeta.closed_form._rates import with_quick_scales
from skmeta.episodic import parameters
from skmeta.nets import DeepKernel


@parameters
class DeepKernelRegressor(_GaussianRegressor):
    """Regressor by a Gaussian process over a learned embedding.

    The embedding and the prior of the process (mean, kernel and noise) are trained such that
    training tasks are likely (deep kernel transfer [1]_). The process of a new task is conditioned
    on its support.

    Parameters
    ----------
    {{embedding}}
    kernel : {"rbf", "cosine", "linear", "spectral_mixture"}, default="rbf"
        Kernel of two embeddings divided by their length scales: `exp(-|x - y|² / 2)`, the cosine of
        their angle, 1 + x·y, or a learned mixture of four waves (spectral mixture [2]_).
    length_scale : float or None, default=None
        Length scale of each feature of the embedding; where training starts from if `learn_prior`.
        None takes the square root of their number, of which order distances are.
    noise : float, default=0.1
        Variance of the noise, in units of the normalised target; where training starts from if
        `learn_prior`. What is learned is never below 1e-4, a deviation of 1 %, nor below a
        millionth of the amplitude.
    learn_prior : bool, default=True
        Whether to learn the mean (linear in the embedding), the amplitude, the length scales and
        the noise. Otherwise the mean is zero, in units of the normalised target, and the amplitude
        one, as in :class:`sklearn.gaussian_process.GaussianProcessRegressor`.
    objective : {"marginal", "predictive"}, default="marginal"
        What training maximises: the likelihood of all `n_support + n_query` rows of a task
        together, which suits supports of any size; or that of each row of the query given a support
        of `n_support` rows.
    {{normalize_y}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    y_mean_, y_scale_ : ndarray of shape (n_outputs,)
        Mean and standard deviation of the target in the training tasks.

    References
    ----------
    .. [1] Patacchiola, Turner, Crowley, O'Boyle & Storkey (2020). Bayesian meta-learning for the
       few-shot setting via deep kernels. NeurIPS. Equations 4 to 6.
    .. [2] Wilson & Adams (2013). Gaussian process kernels for pattern discovery and extrapolation.
       ICML. Equation 12.

    Examples
    --------
    >>> from skmeta import DeepKernelRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=500, random_state=0)
    >>> meta = DeepKernelRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> mean, std = model.predict([[1.0], [2.0]], return_std=True)
    >>> model.predict_quantiles([[1.0], [2.0]], [0.1, 0.9]).shape
    (2, 2)
    """

    kernel: str = "rbf"
    length_scale: float | None = None
    noise: float = 0.1
    learn_prior: bool = True

    _parameter_constraints: ClassVar[dict] = {
        "kernel": [StrOptions({"rbf", "cosine", "linear", "spectral_mixture"})],
        "length_scale": [Interval(Real, 0, None, closed="neither"), None],
        "noise": [Interval(Real, 0, None, closed="neither")],
        "learn_prior": ["boolean"],
    }

    def _optimizer_options(self) -> dict[str, Any]:
        return with_quick_scales(super()._optimizer_options(), self.optimizer, self.lr)

    def _make_on_embedding(
        self, embedding: nn.Module, n_features: int, n_outputs: int
    ) -> DeepKernel:
        return DeepKernel(
            embedding,
            n_features,
            n_outputs,
            kernel=self.kernel,
            length_scale=self.length_scale,
            noise=self.noise,
            learn_prior=self.learn_prior,
        )

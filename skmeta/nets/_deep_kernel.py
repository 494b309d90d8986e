"""Gaussian process regression over a learned embedding."""

import math

import torch
from torch import Tensor, nn

from skmeta.nets._cholesky import cholesky
from skmeta.nets._gaussian_process import GaussianProcess, condition, solve_factor
from skmeta.nets._joint import JointLearner
from skmeta.nets._state import State
from skmeta.nets._support import Support


class DeepKernel(JointLearner, GaussianProcess):
    r"""Gaussian process over a learned embedding (deep kernel transfer [1]_), batched over tasks.

    The outputs of a task are independent Gaussian processes of the embedding :math:`\phi` of a row,
    with a linear mean :math:`m`, a kernel :math:`k` of amplitude :math:`v` and length scales
    :math:`\ell`, and noise,

    .. math:: y \sim GP\big(m(\phi(x)),\; v\, k(\phi(x) / \ell, \phi(x') / \ell)
              + \sigma^2 \delta_{x x'}\big).

    Training maximises the marginal likelihood of whole tasks (eq. 5 of [1]_, which has no mean; see
    :class:`MarginalEpisode`) or the predictive log-likelihood of query rows given the support (see
    :func:`gaussian_nll`).

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    n_features : int
        Number of features ``E`` of the embedding.
    n_outputs : int
        Number of outputs ``O``.
    kernel : {"rbf", "cosine", "linear", "spectral_mixture"}, default="rbf"
        Kernel of two embeddings divided by their length scales: exp(-|x - y|² / 2), the cosine of
        their angle, 1 + x·y, or a mixture of four waves (see :class:`SpectralMixture`).
    length_scale : float or None, default=None
        Length scale of each feature, at first if it is learned. None takes the square root of
        `n_features`, of which order the distances between rows are: a kernel that sees no row near
        another has nothing to learn from.
    noise : float, default=0.1
        Variance of the noise, at first if it is learned.
    learn_prior : bool, default=True
        Whether to learn mean, amplitude, length scales and noise. Otherwise the mean is zero and
        the amplitude one.
    min_noise : float, default=1e-4
        Added to the noise for good, if it is learned, together with its hundredth times the
        amplitude. Where targets have no noise, likelihood would grow until 32 bits do not hold the
        ratio of amplitude and noise, which training does not survive.

    Raises
    ------
    ValueError
        If the kernel is none of these.

    References
    ----------
    .. [1] Patacchiola, Turner, Crowley, O'Boyle and Storkey (2020). Bayesian meta-learning for the
       few-shot setting via deep kernels. NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import DeepKernel, Support
    >>> process = DeepKernel(None, n_features=1, n_outputs=1, noise=1e-4, learn_prior=False)
    >>> X, y = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[[2.0], [4.0]]])
    >>> state = process.adapt(Support(X, y, torch.ones(1, 2).bool()))
    >>> mean, variance = process(state, torch.tensor([[[1.0], [9.0]]])).unbind(-1)
    >>> mean.flatten().round(decimals=2)
    tensor([4., 0.])
    >>> variance.flatten().round(decimals=2)
    tensor([0., 1.])
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        n_outputs: int,
        kernel: str = "rbf",
        length_scale: float | None = None,
        noise: float = 0.1,
        learn_prior: bool = True,
        min_noise: float = 1e-4,
    ) -> None:
        super().__init__(embedding, n_features, n_outputs, kernel, length_scale, learn_prior)
        self.min_noise = min_noise if learn_prior else 0.0
        self.log_noise = nn.Parameter(torch.tensor(math.log(noise)), learn_prior)

    @property
    def noise(self) -> Tensor:
        """Variance of the noise, a scalar."""
        floor = self.min_noise * (1.0 + 0.01 * self.log_amplitude.exp())
        return self.log_noise.exp() + floor

    def prior(self, n_tasks: int) -> State:
        like = self.mean_weight
        return {
            "embedded": like.new_zeros(n_tasks, 0, like.shape[0]),
            "mask": torch.ones(n_tasks, 0, dtype=torch.bool, device=like.device),
            "factor": like.new_zeros(n_tasks, 0, 0),
            "whitened": like.new_zeros(n_tasks, 0, like.shape[1]),
        }

    def _adapt(self, support: Support) -> State:
        return self._update(self.prior(len(support.X)), support)

    def _update(self, state: State, support: Support) -> State:
        embedded, mask = support.X, support.mask
        residual = support.y - self._mean(embedded)
        factor, whitened = condition(
            state["factor"],
            state["whitened"],
            self._cross_covariance(state, embedded, mask),
            self._noisy_covariance(embedded, mask, support.weight),
            torch.where(mask.unsqueeze(-1), residual, 0.0),
        )
        return {
            "embedded": torch.cat([state["embedded"], embedded], dim=1),
            "mask": torch.cat([state["mask"], mask], dim=1),
            "factor": factor,
            "whitened": whitened,
        }

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        """Mean and variance of the target, noise included, of shape (B, Q, O, 2)."""
        mean, explained = self._explain(state, embedded, mask)
        variance = self._variance(embedded) - explained.square().sum(dim=-1)
        # Rounding must not make a variance negative where rows coincide.
        variance = variance.clamp(min=0.0) + self.noise
        return torch.stack([mean, variance.unsqueeze(-1).expand_as(mean)], dim=-1)

    def _joint(self, state: State, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        mean, explained = self._explain(state, embedded, mask)
        covariance = self._noisy_covariance(embedded, mask)
        factor = cholesky(covariance - explained @ explained.mT)
        return mean, factor.unsqueeze(2).expand(*mean.shape, -1)

    def _explain(self, state: State, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of query rows, and a root of the variance that the support explains."""
        explained = solve_factor(state["factor"], self._cross_covariance(state, embedded, mask)).mT
        return self._mean(embedded) + explained @ state["whitened"], explained

    def _noisy_covariance(
        self, embedded: Tensor, mask: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Prior covariance of rows with noise, of shape (B, S, S); that of padding is the unit.

        A row of weight two has half the noise, as the mean of two equal rows has.
        """
        noise = self.noise if weight is None else self.noise / weight.clamp(min=1e-12)
        return self._covariance(embedded, mask) + torch.where(mask, noise, 1.0).diag_embed()

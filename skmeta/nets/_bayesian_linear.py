"""Bayesian linear regression on a learned embedding, with a learned prior."""

import math

import torch
from torch import Tensor, nn

from skmeta.nets._cholesky import cholesky
from skmeta.nets._joint import JointLearner
from skmeta.nets._linear_head import LinearHead
from skmeta.nets._state import State


class BayesianLinear(JointLearner, LinearHead):
    r"""Bayesian linear regression on a learned embedding (ALPaCA [1]_), batched over tasks.

    With :math:`\phi` the embedding of a row and a one for the intercept, a task has weights with a
    learned Gaussian prior and Gaussian noise, for each output :math:`o`

    .. math:: y_o = w_o^\top \phi + \varepsilon, \quad
              w_o \sim N(\bar w_o, \sigma_o^2 F F^\top), \quad \varepsilon \sim N(0, \sigma_o^2),

    so that the posterior and the predictive distribution are Gaussian in closed form (eq. 4 and 5
    of [1]_, whose :math:`\Lambda_0^{-1}` is :math:`F F^\top`). Training maximises the predictive
    log-likelihood of query rows given the support (:func:`gaussian_nll`), or the marginal
    likelihood of whole tasks (:class:`MarginalEpisode`).

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    n_features : int
        Number of features ``E`` of the embedding.
    n_outputs : int
        Number of outputs ``O``.
    noise : float, default=0.1
        Variance of the noise that training starts from.
    min_noise : float, default=1e-4
        Added to it for good. Where targets have no noise, likelihood would grow until 32 bits do
        not hold the ratio of prior and noise.

    References
    ----------
    .. [1] Harrison, Sharma and Pavone (2018). Meta-learning priors for efficient online Bayesian
       regression. WAFR.

    See Also
    --------
    LinearHead : The base class, with the methods ``adapt``, ``update`` and ``forward``; what the
        last returns is mean and variance, of shape (B, Q, O, 2).

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import BayesianLinear, Support
    >>> model = BayesianLinear(None, n_features=1, n_outputs=1)
    >>> X, y = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[[2.0], [4.0]]])
    >>> state = model.adapt(Support(X, y, torch.ones(1, 2).bool()))
    >>> mean, variance = model(state, torch.tensor([[[0.0], [9.0]]])).unbind(-1)
    >>> bool(variance[0, 1] > variance[0, 0])
    True
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        n_outputs: int,
        noise: float = 0.1,
        min_noise: float = 1e-4,
    ) -> None:
        super().__init__(embedding)
        self.min_noise = min_noise
        n_weights = 1 + n_features
        self.log_noise = nn.Parameter(torch.full((n_outputs,), math.log(noise)))
        self.prior_mean = nn.Parameter(torch.zeros(n_weights, n_outputs))
        # A root of the prior covariance; features of order one make targets of order one.
        self.prior_root_lower = nn.Parameter(torch.zeros(n_weights, n_weights))
        self.prior_root_log_diagonal = nn.Parameter(
            torch.full((n_weights,), -0.5 * math.log(n_weights))
        )

    @property
    def noise(self) -> Tensor:
        """Variance of the noise of each output, of shape (O,)."""
        return self.log_noise.exp() + self.min_noise

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        """Mean and variance of the target, noise included, of shape (B, Q, O, 2)."""
        mean, whitened = self._mean_and_root(state, embedded, mask)
        explained = (whitened @ state["explained"].mT).square().sum(dim=-1, keepdim=True)
        uncertain = (whitened.square().sum(dim=-1, keepdim=True) - explained).clamp(min=0.0)
        return torch.stack([mean, self.noise * (1.0 + uncertain)], dim=-1)

    def prior(self, n_tasks: int) -> State:
        return self._solve(self.prior_mean.new_zeros(n_tasks, 0, sum(self.prior_mean.shape)))

    def _joint(self, state: State, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        mean, whitened = self._mean_and_root(state, embedded, mask)
        explained = whitened @ state["explained"].mT
        eye = torch.eye(mean.shape[1], dtype=mean.dtype, device=mean.device)
        factor = cholesky(whitened @ whitened.mT - explained @ explained.mT + eye)
        return mean, factor.unsqueeze(2) * self.noise.sqrt().view(-1, 1)

    def _mean_and_root(self, state: State, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of query rows, and a root (B, Q, 1 + E) of their prior covariance over the noise."""
        features = torch.cat([torch.ones_like(embedded[..., :1]), embedded], dim=-1)
        features = torch.where(mask.unsqueeze(-1), features, 0.0)
        return features @ state["mean"], features @ self._prior_root()

    def _solve(self, table: Tensor) -> State:
        """Posterior of the weights.

        "mean" has the shape (B, 1 + E, O). "explained", of shape (B, S, 1 + E), is a root of the
        share of the prior covariance that the support has taken away. There are as many rows as
        the table has, few, so that the inverse of a matrix of weights is not needed.
        """
        features, y = table.split([len(self.prior_mean), self.prior_mean.shape[1]], dim=-1)
        root = self._prior_root()
        whitened, residual = features @ root, y - features @ self.prior_mean
        eye = torch.eye(table.shape[1], dtype=table.dtype, device=table.device)
        factor = cholesky(whitened @ whitened.mT + eye)
        solved = torch.linalg.solve_triangular(
            factor, torch.cat([whitened, residual], dim=-1), upper=False
        )
        explained, residual = solved.split([features.shape[-1], y.shape[-1]], dim=-1)
        return {"mean": self.prior_mean + root @ (explained.mT @ residual), "explained": explained}

    def _prior_root(self) -> Tensor:
        r"""The matrix :math:`F`, in units in which the prior does not move with the noise."""
        root = self.prior_root_lower.tril(-1) + self.prior_root_log_diagonal.exp().diag()
        return root * torch.exp(-0.5 * self.noise.log().mean())

"""Gaussian processes over a learned embedding."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._cholesky import cholesky
from skmeta.nets._functional import forward_shared
from skmeta.nets._prototypes import squared_distances
from skmeta.nets._state import State
from skmeta.nets._support import Support


def rbf_kernel(X: Tensor, Y: Tensor) -> Tensor:
    """Radial basis functions, exp(-|x - y|² / 2), between the rows of each task."""
    return torch.exp(-0.5 * squared_distances(X, Y))


def cosine_kernel(X: Tensor, Y: Tensor) -> Tensor:
    """Cosine of the angle between the rows of each task."""
    return F.normalize(X, dim=-1) @ F.normalize(Y, dim=-1).mT


def linear_kernel(X: Tensor, Y: Tensor) -> Tensor:
    """Products of the rows of each task, plus one for an intercept."""
    return X @ Y.mT + 1.0


KERNELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "rbf": rbf_kernel,
    "cosine": cosine_kernel,
    "linear": linear_kernel,
}


class DeepKernel(nn.Module):
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
    kernel : {"rbf", "cosine", "linear"}, default="rbf"
        Kernel of two embeddings divided by their length scales: exp(-|x - y|² / 2), the cosine of
        their angle, or 1 + x·y.
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
        Added to the noise for good, if it is learned. Where targets have no noise, likelihood would
        grow until 32 bits do not hold the ratio of amplitude and noise.

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
        super().__init__()
        if kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {', '.join(KERNELS)}; got {kernel!r}.")
        self.embedding = nn.Identity() if embedding is None else embedding
        self.kernel = kernel
        self.min_noise = min_noise if learn_prior else 0.0
        if length_scale is None:
            length_scale = math.sqrt(max(n_features, 1))
        log_length_scale = torch.full((n_features,), math.log(length_scale))
        self.log_length_scale = nn.Parameter(log_length_scale, learn_prior)
        self.log_amplitude = nn.Parameter(torch.zeros(()), learn_prior)
        self.log_noise = nn.Parameter(torch.tensor(math.log(noise)), learn_prior)
        self.mean_weight = nn.Parameter(torch.zeros(n_features, n_outputs), learn_prior)
        self.mean_intercept = nn.Parameter(torch.zeros(n_outputs), learn_prior)

    @property
    def noise(self) -> Tensor:
        """Variance of the noise, a scalar."""
        return self.log_noise.exp() + self.min_noise

    def adapt(self, support: Support) -> State:
        """Condition the process on the support of every task.

        While training, the result is a differentiable function of the embedding and the prior; in
        evaluation mode, it is detached. Threads may call this at the same time in evaluation mode.

        Parameters
        ----------
        support : Support
            Labelled rows of ``B`` tasks. A task without rows keeps the prior.

        Returns
        -------
        dict of Tensor
            "embedded", of shape (B, S, E), and "mask": the rows; "factor", of shape (B, S, S), the
            Cholesky factor of their covariance; "whitened", of shape (B, S, O), its inverse times
            the residuals.
        """
        return self.update(self.prior(len(support.X)), support)

    def prior(self, n_tasks: int) -> State:
        """What is known of tasks without a support: the state that :meth:`adapt` starts from."""
        like = self.mean_weight
        return {
            "embedded": like.new_zeros(n_tasks, 0, like.shape[0]),
            "mask": torch.ones(n_tasks, 0, dtype=torch.bool, device=like.device),
            "factor": like.new_zeros(n_tasks, 0, 0),
            "whitened": like.new_zeros(n_tasks, 0, like.shape[1]),
        }

    def update(self, state: State, support: Support) -> State:
        """Condition on further rows, as if they had been in the support from the start.

        Earlier rows are neither needed nor embedded again: the Cholesky factor grows by blocks,
        which for ``S`` earlier rows costs of the order of ``S²`` per row.

        Parameters
        ----------
        state : dict of Tensor
            What :meth:`adapt` or this method returned.
        support : Support
            Further rows of the same tasks.

        Returns
        -------
        dict of Tensor
            State of all rows.
        """
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            embedded = forward_shared(self.embedding, support.X, support.mask)
            mask = support.mask.unsqueeze(-1)
            residual = torch.where(mask, support.y - self._mean(embedded), 0.0)
            cross = _solve(state["factor"], self._cross_covariance(state, embedded) * mask.mT).mT
            covariance = self._covariance(embedded, support.mask, support.weight)
            corner = cholesky(covariance - cross @ cross.mT)
            whitened = _solve(corner, residual - cross @ state["whitened"])
            return {
                "embedded": torch.cat([state["embedded"], embedded], dim=1),
                "mask": torch.cat([state["mask"], support.mask], dim=1),
                "factor": _grow(state["factor"], cross, corner),
                "whitened": torch.cat([state["whitened"], whitened], dim=1),
            }

    def forward(self, state: State, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predictive distribution of the target of query rows, noise included.

        Parameters
        ----------
        state : dict of Tensor
            What :meth:`adapt` returned.
        X : Tensor of shape (B, Q, D)
            Query rows of each task.
        mask : bool Tensor of shape (B, Q), optional
            True for real rows, False for padding; None means that all are real.

        Returns
        -------
        Tensor of shape (B, Q, O, 2)
            Mean and variance.
        """
        embedded, mean, explained = self._explain(state, X, _all_real(X, mask))
        variance = self._variance(embedded) - explained.square().sum(dim=-1)
        # Rounding must not make a variance negative where rows coincide.
        variance = variance.clamp(min=0.0) + self.noise
        return torch.stack([mean, variance.unsqueeze(-1).expand_as(mean)], dim=-1)

    def joint(self, state: State, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predictive distribution of the targets of all query rows together, noise included.

        Parameters
        ----------
        state : dict of Tensor
            What :meth:`adapt` or :meth:`prior` returned.
        X : Tensor of shape (B, Q, D)
            Query rows of each task.
        mask : bool Tensor of shape (B, Q), optional
            True for real rows, False for padding; None means that all are real.

        Returns
        -------
        Tensor of shape (B, Q, O, 1 + Q)
            Mean of the rows, and each row of the Cholesky factor of their covariance. Padded rows
            depend on no other.
        """
        mask = _all_real(X, mask)
        embedded, mean, explained = self._explain(state, X, mask)
        factor = cholesky(self._covariance(embedded, mask) - explained @ explained.mT)
        factors = factor.unsqueeze(2).expand(*mean.shape, -1)
        return torch.cat([mean.unsqueeze(-1), factors], dim=-1)

    def extra_repr(self) -> str:
        return f"kernel={self.kernel!r}"

    def _explain(self, state: State, X: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embedded query rows, their mean, and a root of the variance that the support explains."""
        embedded = forward_shared(self.embedding, X, mask)
        cross = torch.where(mask.unsqueeze(1), self._cross_covariance(state, embedded), 0.0)
        explained = _solve(state["factor"], cross).mT
        return embedded, self._mean(embedded) + explained @ state["whitened"], explained

    def _mean(self, embedded: Tensor) -> Tensor:
        return embedded @ self.mean_weight + self.mean_intercept

    def _kernel(self, X: Tensor, Y: Tensor) -> Tensor:
        scale = torch.exp(-self.log_length_scale)
        return self.log_amplitude.exp() * KERNELS[self.kernel](X * scale, Y * scale)

    def _variance(self, embedded: Tensor) -> Tensor:
        """Prior variance of each row without noise, of shape (B, Q)."""
        rows = embedded.flatten(0, 1).unsqueeze(1)  # each a task of one row
        return self._kernel(rows, rows).view(embedded.shape[:2])

    def _covariance(self, embedded: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
        """Prior covariance of rows with noise, of shape (B, S, S); that of padding is the unit.

        A row of weight two has half the noise, as the mean of two equal rows has.
        """
        noise = self.noise if weight is None else self.noise / torch.where(mask, weight, 1.0)
        both = mask.unsqueeze(1) & mask.unsqueeze(2)
        kernel = torch.where(both, self._kernel(embedded, embedded), 0.0)
        return kernel + torch.where(mask, noise, 1.0).diag_embed()

    def _cross_covariance(self, state: State, embedded: Tensor) -> Tensor:
        """Prior covariance of the rows of a state with others, of shape (B, S, Q)."""
        kernel = self._kernel(state["embedded"], embedded)
        return torch.where(state["mask"].unsqueeze(-1), kernel, 0.0)


def _all_real(X: Tensor, mask: Tensor | None) -> Tensor:
    return torch.ones(X.shape[:2], dtype=torch.bool, device=X.device) if mask is None else mask


def _solve(factor: Tensor, rhs: Tensor) -> Tensor:
    return torch.linalg.solve_triangular(factor, rhs, upper=False)


def _grow(factor: Tensor, cross: Tensor, corner: Tensor) -> Tensor:
    """The Cholesky factor of a covariance from that of its first block."""
    above = factor.new_zeros(len(factor), factor.shape[-1], corner.shape[-1])
    first, second = torch.cat([factor, above], dim=-1), torch.cat([cross, corner], dim=-1)
    return torch.cat([first, second], dim=1)

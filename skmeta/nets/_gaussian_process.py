"""Gaussian processes over a learned embedding: covariances, and how they are conditioned."""

import math

import torch
from torch import Tensor, nn

from skmeta.nets._cholesky import cholesky
from skmeta.nets._kernels import make_kernel
from skmeta.nets._state import State
from skmeta.nets._streaming import StreamingLearner


class GaussianProcess(StreamingLearner):
    """Base class of Gaussian processes with a linear mean in a learned embedding.

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are.
    n_features : int
        Number of features ``E`` of the embedding.
    n_outputs : int
        Number of outputs that have a mean of their own.
    kernel : {"rbf", "cosine", "linear", "spectral_mixture"}
        Kernel of two embeddings divided by their length scales.
    length_scale : float or None
        Length scale of each feature, at first if it is learned. None takes the square root of
        `n_features`, of which order the distances between rows are: a kernel that sees no row near
        another has nothing to learn from.
    learn_prior : bool
        Whether to learn mean, amplitude, length scales and what else the kernel has. Otherwise the
        mean is zero and the amplitude one.
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        n_outputs: int,
        kernel: str,
        length_scale: float | None,
        learn_prior: bool,
    ) -> None:
        super().__init__(embedding)
        self.kernel = kernel
        self.kernel_function = make_kernel(kernel, n_features, learn_prior)
        if length_scale is None:
            length_scale = math.sqrt(max(n_features, 1))
        log_length_scale = torch.full((n_features,), math.log(length_scale))
        self.log_length_scale = nn.Parameter(log_length_scale, learn_prior)
        self.log_amplitude = nn.Parameter(torch.zeros(()), learn_prior)
        self.mean_weight = nn.Parameter(torch.zeros(n_features, n_outputs), learn_prior)
        self.mean_intercept = nn.Parameter(torch.zeros(n_outputs), learn_prior)

    def extra_repr(self) -> str:
        return f"kernel={self.kernel!r}"

    def _mean(self, embedded: Tensor) -> Tensor:
        return embedded @ self.mean_weight + self.mean_intercept

    def _kernel(self, X: Tensor, Y: Tensor) -> Tensor:
        scale = torch.exp(-self.log_length_scale)
        return self.log_amplitude.exp() * self.kernel_function(X * scale, Y * scale)

    def _variance(self, embedded: Tensor) -> Tensor:
        """Prior variance of each row without noise, of shape (B, Q)."""
        rows = embedded.flatten(0, 1).unsqueeze(1)  # each a task of one row
        return self._kernel(rows, rows).view(embedded.shape[:2])

    def _covariance(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Prior covariance of rows without noise, of shape (B, S, S); zero for padding."""
        both = mask.unsqueeze(1) & mask.unsqueeze(2)
        return torch.where(both, self._kernel(embedded, embedded), 0.0)

    def _cross_covariance(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        """Prior covariance of the rows of a state with others, of shape (B, S, Q)."""
        kernel = self._kernel(state["embedded"], embedded)
        return torch.where(state["mask"].unsqueeze(-1) & mask.unsqueeze(1), kernel, 0.0)


def condition(
    factor: Tensor, whitened: Tensor, cross: Tensor, covariance: Tensor, residual: Tensor
) -> tuple[Tensor, Tensor]:
    """Condition on further rows: the Cholesky factor of the covariance grows by blocks.

    For ``S`` earlier rows this costs of the order of ``S²`` per row.

    Parameters
    ----------
    factor : Tensor of shape (..., S, S)
        Cholesky factor of the covariance of earlier rows, noise included.
    whitened : Tensor of shape (..., S, O)
        Its inverse times the residuals of earlier rows.
    cross : Tensor of shape (..., S, R)
        Covariance of earlier and further rows.
    covariance : Tensor of shape (..., R, R)
        Covariance of further rows, noise included.
    residual : Tensor of shape (..., R, O)
        Their residuals.

    Returns
    -------
    factor, whitened : Tensor of shape (..., S + R, S + R) and (..., S + R, O)
        Of all rows.
    """
    cross = solve_factor(factor, cross).mT
    corner = cholesky(covariance - cross @ cross.mT)
    further = solve_factor(corner, residual - cross @ whitened)
    above = factor.new_zeros(*factor.shape[:-1], corner.shape[-1])
    upper, lower = torch.cat([factor, above], dim=-1), torch.cat([cross, corner], dim=-1)
    return torch.cat([upper, lower], dim=-2), torch.cat([whitened, further], dim=-2)


def solve_factor(factor: Tensor, rhs: Tensor) -> Tensor:
    """Solve with a lower triangular factor."""
    return torch.linalg.solve_triangular(factor, rhs, upper=False)

"""Kernels between the embedded rows of each task."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._prototypes import squared_distances

Kernel = Callable[[Tensor, Tensor], Tensor]


def rbf_kernel(X: Tensor, Y: Tensor) -> Tensor:
    """Radial basis functions, exp(-|x - y|² / 2), between the rows of each task."""
    return torch.exp(-0.5 * squared_distances(X, Y))


def cosine_kernel(X: Tensor, Y: Tensor) -> Tensor:
    """Cosine of the angle between the rows of each task."""
    return F.normalize(X, dim=-1) @ F.normalize(Y, dim=-1).mT


def linear_kernel(X: Tensor, Y: Tensor) -> Tensor:
    """Products of the rows of each task, plus one for an intercept."""
    return X @ Y.mT + 1.0


class SpectralMixture(nn.Module):
    r"""Spectral mixture kernel [1]_: a stationary kernel whose spectrum is a mixture of Gaussians.

    .. math:: k(x, y) = \sum_q w_q \exp(-\tfrac12 s_q^2 |x - y|^2) \cos(2 \pi \mu_q^\top (x - y)),
              \quad \sum_q w_q = 1,

    which in one dimension is eq. 12 of [1]_ (where :math:`s_q = 2 \pi \sqrt{v_q}`); in several, a
    component here has its frequencies :math:`\mu_q` along one direction instead of a product of
    cosines.

    Parameters
    ----------
    n_features : int
        Number of features ``E`` of a row.
    n_mixtures : int, default=4
        Number of Gaussians.
    learn : bool, default=True
        Whether to learn weights, bandwidths and frequencies.

    References
    ----------
    .. [1] Wilson and Adams (2013). Gaussian process kernels for pattern discovery and
       extrapolation. ICML.
    """

    def __init__(self, n_features: int, n_mixtures: int = 4, learn: bool = True) -> None:
        super().__init__()
        self.weight_logit = nn.Parameter(torch.zeros(n_mixtures), learn)
        self.log_bandwidth = nn.Parameter(torch.zeros(n_mixtures), learn)
        # Rows are about one apart: they see a quarter of a wave at first.
        self.frequency = nn.Parameter(0.25 * torch.randn(n_mixtures, n_features), learn)

    def forward(self, X: Tensor, Y: Tensor) -> Tensor:
        """Kernel between the rows of each task, of shape (B, N, M)."""
        kernel = X.new_zeros(())
        parts = zip(
            self.weight_logit.softmax(dim=0), self.log_bandwidth.exp(), self.frequency, strict=True
        )
        for weight, bandwidth, frequency in parts:
            angle = 2 * math.pi * (X @ frequency).unsqueeze(2)
            other = 2 * math.pi * (Y @ frequency).unsqueeze(1)
            kernel = kernel + weight * rbf_kernel(bandwidth * X, bandwidth * Y) * torch.cos(
                angle - other
            )
        return kernel


def make_kernel(name: str, n_features: int, learn: bool) -> Kernel:
    """Kernel of a name.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if name == "spectral_mixture":
        return SpectralMixture(n_features, learn=learn)
    if name not in KERNELS:
        names = ", ".join([*KERNELS, "spectral_mixture"])
        raise ValueError(f"kernel must be one of {names}; got {name!r}.")
    return KERNELS[name]


KERNELS: dict[str, Kernel] = {
    "rbf": rbf_kernel,
    "cosine": cosine_kernel,
    "linear": linear_kernel,
}

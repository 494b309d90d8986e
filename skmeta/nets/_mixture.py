"""Predictions that are mixtures: of several networks, each of which may be right."""

import math

import torch
from torch import Tensor, nn

_SMALLEST_VARIANCE = 1e-6  # of a standardised target; otherwise noise-free targets have none


class GaussianNoise(nn.Module):
    """Learned noise: turns the mean of a prediction into mean and variance.

    Parameters
    ----------
    n_outputs : int
        Each has a variance of its own, the same for all rows of all tasks.
    std : float, default=0.3
        Standard deviation that training starts from.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import GaussianNoise
    >>> GaussianNoise(n_outputs=2)(torch.zeros(5, 10, 2)).shape
    torch.Size([5, 10, 2, 2])
    """

    def __init__(self, n_outputs: int, std: float = 0.3) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.full((n_outputs,), 2 * math.log(std)))

    def variance(self) -> Tensor:
        """Variance of each output, of shape (O,)."""
        return self.log_variance.exp() + _SMALLEST_VARIANCE

    def forward(self, mean: Tensor) -> Tensor:
        """Add the variance to means of shape (..., O), as a last axis (mean, variance)."""
        return torch.stack([mean, self.variance().expand_as(mean)], dim=-1)


def mixture_gaussian_nll(output: Tensor, y: Tensor) -> Tensor:
    """Negative log-likelihood of each row under a mixture, averaged over the outputs.

    Parameters
    ----------
    output : Tensor of shape (B, K, N, O, 2)
        Mean and variance of ``K`` Gaussians of the same weight.
    y : Tensor of shape (B, N, O)
        Targets.

    Returns
    -------
    Tensor of shape (B, N)
        One loss per row.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import mixture_gaussian_nll
    >>> two = torch.tensor([[0.0, 1.0], [9.0, 1.0]]).view(1, 2, 1, 1, 2)
    >>> mixture_gaussian_nll(two, torch.zeros(1, 1, 1))
    tensor([[1.6121]])
    """
    mean, variance = output.unbind(dim=-1)
    # In units of the deviation before it is squared: the square of a network that went far astray
    # may overflow, and has no part in the gradient then, where infinity times none would be NaN.
    residual = (y.unsqueeze(1) - mean) / variance.sqrt()
    log_densities = -0.5 * (torch.log(2 * math.pi * variance) + residual.square())
    return _nll_of_mean(log_densities).mean(dim=-1)


def mixture_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of each row with probabilities averaged over networks.

    Parameters
    ----------
    logits : Tensor of shape (B, K, N, C)
        Unnormalised log-probabilities of the classes from ``K`` networks.
    y : int Tensor of shape (B, N)
        Class codes.

    Returns
    -------
    Tensor of shape (B, N)
        One loss per row.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import mixture_cross_entropy
    >>> sure = torch.tensor([[50.0, 0.0], [0.0, 50.0]]).view(1, 2, 1, 2)
    >>> mixture_cross_entropy(sure, torch.tensor([[0]]))
    tensor([[0.6931]])
    """
    codes = y.unsqueeze(1).expand(logits.shape[:-1]).unsqueeze(-1)
    return _nll_of_mean(logits.log_softmax(dim=-1).gather(-1, codes).squeeze(-1))


def _nll_of_mean(log_densities: Tensor) -> Tensor:
    """Minus the logarithm of the mean over the second axis."""
    return math.log(log_densities.shape[1]) - log_densities.logsumexp(dim=1)

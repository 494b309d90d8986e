"""What simple methods say of the rows of a table: a start for a network that learns the rest."""

import torch
from torch import Tensor

_RIDGES = (1.0, 10.0)
_BANDWIDTHS = (0.5, 0.2)
N_EVIDENCE = len(_RIDGES) + len(_BANDWIDTHS)


def linear_evidence(features: Tensor, targets: Tensor, weight: Tensor, ridge: float) -> Tensor:
    """Ridge regression of the support; a support row is predicted from the others.

    Parameters
    ----------
    features : Tensor of shape (B, R, F)
        Features of all rows, the support rows first.
    targets : Tensor of shape (B, S, T)
        Targets of the support.
    weight : Tensor of shape (B, S)
        Weight of each support row. A row of weight two is left out once.
    ridge : float
        Penalty of the weights; the intercept has a tenth of it.

    Returns
    -------
    Tensor of shape (B, R, T)
        Predictions.

    References
    ----------
    Leaving one out takes no further fit: Hastie, Tibshirani & Friedman (2009). The elements of
    statistical learning, equation 7.64.
    """
    n_support = targets.shape[1]
    features = torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)
    support = features[:, :n_support]
    penalty = torch.full_like(features[0, 0], ridge)
    penalty[-1] = 0.1 * ridge
    gram = support.mT @ (weight.unsqueeze(-1) * support) + torch.diag(penalty)
    root = torch.linalg.cholesky(gram)
    moments = support.mT @ (weight.unsqueeze(-1) * targets)
    predicted = features @ torch.cholesky_solve(moments, root)
    leverage = torch.linalg.solve_triangular(root, support.mT, upper=False).square().sum(dim=1)
    left_out = (weight.clamp(max=1.0) * leverage).unsqueeze(-1)
    residual = targets - predicted[:, :n_support]
    others = targets - residual / (1.0 - left_out)
    return torch.cat([others, predicted[:, n_support:]], dim=1)


def kernel_evidence(
    features: Tensor, n_features: Tensor, targets: Tensor, weight: Tensor, bandwidth: float
) -> Tensor:
    """Mean target of the support rows that are near, shrunken towards zero by a tenth of a row.

    Parameters
    ----------
    features : Tensor of shape (B, R, F)
        Features of all rows, the support rows first.
    n_features : Tensor of shape (B,)
        How many of them a task has; the others are zero.
    targets : Tensor of shape (B, S, T)
        Targets of the support.
    weight : Tensor of shape (B, S)
        Weight of each support row. A row of weight two is left out once.
    bandwidth : float
        Mean squared difference of the features at which the Gaussian kernel falls to 1/e.

    Returns
    -------
    Tensor of shape (B, R, T)
        Predictions; a support row is predicted from the others.
    """
    n_support = targets.shape[1]
    distances = torch.cdist(features, features[:, :n_support]).square()
    scale = bandwidth * n_features.clamp(min=1).view(-1, 1, 1)
    kernel = torch.exp(-distances / scale) * weight.unsqueeze(1)
    own = torch.diag_embed(weight.clamp(max=1.0))
    kernel = torch.cat([kernel[:, :n_support] - own, kernel[:, n_support:]], dim=1)
    return kernel @ targets / (kernel.sum(dim=-1, keepdim=True) + 0.1)


def evidence(features: Tensor, n_features: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
    """All of it, of shape (B, R, T, N_EVIDENCE)."""
    parts = [linear_evidence(features, targets, weight, ridge) for ridge in _RIDGES]
    parts += [
        kernel_evidence(features, n_features, targets, weight, bandwidth)
        for bandwidth in _BANDWIDTHS
    ]
    return torch.stack(parts, dim=-1)

"""Standardising the columns of a task by its support, where rows have weights and cells gaps."""

import torch
from torch import Tensor


def weighted_moments(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each column of each task.

    Parameters
    ----------
    values : Tensor of shape (B, S, D)
        Columns; what stands in a cell of weight zero does not matter, unless it is infinite.
    weight : Tensor of shape (B, S, D)
        Weight of each cell.

    Returns
    -------
    mean, deviation : Tensor of shape (B, 1, D)
        Zero and one for a column without cells; the deviation is one where it would be zero.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets._standardise import weighted_moments
    >>> values = torch.tensor([[[1.0], [3.0], [9.0]]])
    >>> weighted_moments(values, torch.tensor([[[1.0], [1.0], [0.0]]]))
    (tensor([[[2.]]]), tensor([[[1.]]]))
    """
    total = weight.sum(dim=1, keepdim=True)
    total = torch.where(total > 0, total, 1.0)
    mean = (weight * values).sum(dim=1, keepdim=True) / total
    variance = (weight * (values - mean).square()).sum(dim=1, keepdim=True) / total
    # Rounding leaves a constant column of large numbers a tiny deviation.
    tiny = (1e-5 * mean).square() + torch.finfo(values.dtype).tiny
    return mean, torch.where(variance > tiny, variance, 1.0).sqrt()


def weighted_ranks(values: Tensor, support: Tensor, weight: Tensor) -> Tensor:
    """Share of the support that lies below each value; ties count half.

    Parameters
    ----------
    values : Tensor of shape (B, R, D)
        Values to rank.
    support : Tensor of shape (B, S, D)
        Values that they are ranked among.
    weight : Tensor of shape (B, S, D)
        Weight of each value of the support.

    Returns
    -------
    Tensor of shape (B, R, D)
        Between 0 and 1; one half where the support is empty.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets._standardise import weighted_ranks
    >>> support = torch.tensor([[[1.0], [2.0]]])
    >>> rows = torch.tensor([[[0.0], [1.0], [1.5]]])
    >>> weighted_ranks(rows, support, torch.ones(1, 2, 1)).flatten()
    tensor([0.0000, 0.2500, 0.5000])
    """
    difference = values.unsqueeze(2) - support.unsqueeze(1)
    below = 0.5 * (1.0 + difference.sign())
    total = weight.sum(dim=1, keepdim=True)
    share = (below * weight.unsqueeze(1)).sum(dim=2) / torch.where(total > 0, total, 1.0)
    return torch.where(total > 0, share, 0.5)

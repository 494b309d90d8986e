"""Weights of rows that make the classes of a task count as they should."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

ClassWeight = Literal["balanced"] | Tensor


def weigh_classes(
    y: Tensor, mask: Tensor, class_weight: ClassWeight, weight: Tensor | None = None
) -> Tensor:
    """Multiply the weight of each row by that of its class.

    Parameters
    ----------
    y : int Tensor of shape (B, N)
        Class codes.
    mask : bool Tensor of shape (B, N)
        True for real rows, False for padding.
    class_weight : "balanced" or Tensor of shape (C,)
        Weight of each class. "balanced" gives all classes that a task has the same total weight,
        and leaves the total weight of the task as it is.
    weight : Tensor of shape (B, N), optional
        Weights so far; None stands for ones.

    Returns
    -------
    Tensor of shape (B, N)
        Weights, zero for padding.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import weigh_classes
    >>> weigh_classes(torch.tensor([[0, 0, 0, 1]]), torch.ones(1, 4).bool(), "balanced")
    tensor([[0.6667, 0.6667, 0.6667, 2.0000]])
    """
    weight = mask.to(torch.get_default_dtype()) if weight is None else weight * mask
    if isinstance(class_weight, Tensor):
        return weight * class_weight.to(weight.dtype)[y]
    if not y.numel():
        return weight
    totals = (F.one_hot(y) * weight.unsqueeze(-1)).sum(dim=1)
    n_classes = (totals > 0).sum(dim=1, keepdim=True)
    fair_share = totals.sum(dim=1, keepdim=True) / n_classes.clamp(min=1)
    factor = torch.where(totals > 0, fair_share / totals, 0.0)
    return weight * factor.gather(1, y)

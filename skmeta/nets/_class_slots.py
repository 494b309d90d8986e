"""Which row belongs to which class, where tasks differ in their classes."""

import torch
from torch import Tensor
from torch.nn import functional as F

from skmeta.nets._support import Support


def class_members(support: Support, n_known: int = 0) -> tuple[Tensor, Tensor]:
    """How much each row counts for each class, and which classes a task has.

    Parameters
    ----------
    support : Support
        Labelled rows of ``B`` tasks.
    n_known : int, default=0
        Number of classes that every task has, be there a row or not: the first ones. Others exist
        where the support has a row of them.

    Returns
    -------
    members : Tensor of shape (B, S, C)
        Weight of a row in the column of its class, else zero. There are as many classes ``C`` as
        the class mask has, or else as the labels and `n_known` ask for.
    exists : bool Tensor of shape (B, C)
        Which classes a task has. What the class mask denies does not exist.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import Support, class_members
    >>> mask = torch.tensor([[True, True], [True, False]])
    >>> support = Support(torch.zeros(2, 2, 1), torch.tensor([[0, 1], [1, 0]]), mask)
    >>> members, exists = class_members(support)
    >>> exists
    tensor([[ True,  True],
            [False,  True]])
    """
    if support.class_mask is not None:
        n_slots = support.class_mask.shape[1]
    else:
        n_seen = int(support.y.max()) + 1 if support.y.numel() else 0
        n_slots = max(n_seen, n_known)
    real = support.mask.unsqueeze(-1)
    members = (F.one_hot(support.y, n_slots) * real).to(support.X.dtype)
    if support.weight is not None:
        weight = torch.where(support.mask, support.weight, 0.0)
        members = members * weight.unsqueeze(-1)
    exists = (members > 0).any(dim=1) | (torch.arange(n_slots, device=real.device) < n_known)
    return members, exists if support.class_mask is None else exists & support.class_mask


def pad_classes(tensor: Tensor, n_slots: int, dim: int = 1) -> Tensor:
    """Add zeros for classes that the tensor does not know of yet."""
    missing = max(n_slots - tensor.shape[dim], 0)
    return F.pad(tensor, (0, 0) * (tensor.ndim - 1 - dim % tensor.ndim) + (0, missing))

"""Losses per row, and their means over the real rows of each task."""

import torch
from torch import Tensor


def squared_error(output: Tensor, y: Tensor) -> Tensor:
    """Squared error of each row, averaged over the outputs.

    Parameters
    ----------
    output, y : Tensor of shape (B, N, O)
        Predictions and targets.

    Returns
    -------
    Tensor of shape (B, N)
        One loss per row.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import squared_error
    >>> squared_error(torch.tensor([[[1.0, 3.0]]]), torch.zeros(1, 1, 2))
    tensor([[5.]])
    """
    return (output - y).square().mean(dim=-1)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of each row.

    Parameters
    ----------
    logits : Tensor of shape (B, N, C)
        Unnormalised log-probabilities of the classes.
    y : int Tensor of shape (B, N)
        Class codes.

    Returns
    -------
    Tensor of shape (B, N)
        One loss per row.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import cross_entropy
    >>> cross_entropy(torch.zeros(1, 1, 2), torch.tensor([[1]]))
    tensor([[0.6931]])
    """
    log_proba = logits.log_softmax(dim=-1)
    return -log_proba.gather(-1, y.unsqueeze(-1)).squeeze(-1)


def masked_mean(row_losses: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over the real rows of each task; zero, with zero gradient, for a task without rows.

    Parameters
    ----------
    row_losses : Tensor of shape (B, N)
        One loss per row.
    mask : bool Tensor of shape (B, N)
        True for real rows, False for padding.
    weight : Tensor of shape (B, N), optional
        Weight of each row; None weighs all the same.

    Returns
    -------
    Tensor of shape (B,)
        One loss per task.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import masked_mean
    >>> mask = torch.tensor([[True, True, False], [False, False, False]])
    >>> masked_mean(torch.tensor([[1.0, 3.0, 9.0], [9.0, 9.0, 9.0]]), mask)
    tensor([2., 0.])
    """
    # Selecting, unlike multiplying by the mask, also drops a padded row whose loss is infinite.
    losses = torch.where(mask, row_losses, 0.0)
    if weight is None:
        return losses.sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    weight = torch.where(mask, weight, 0.0)
    total = weight.sum(dim=1)
    return (losses * weight).sum(dim=1) / torch.where(total > 0, total, 1.0)


def mask_classes(logits: Tensor, class_mask: Tensor | None) -> Tensor:
    """Give the classes that a task does not have probability zero.

    Parameters
    ----------
    logits : Tensor of shape (B, N, C)
        Unnormalised log-probabilities of the classes.
    class_mask : bool Tensor of shape (B, C) or None
        Which classes exist for each task; None means all.

    Returns
    -------
    Tensor of shape (B, N, C)
        The logits, with a very negative number for the classes that do not exist. A task without
        any class gets equal logits.

    Raises
    ------
    ValueError
        If the mask speaks of another number of classes than the logits.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import mask_classes
    >>> mask_classes(torch.zeros(1, 1, 3), torch.tensor([[True, True, False]])).softmax(dim=-1)
    tensor([[[0.5000, 0.5000, 0.0000]]])
    """
    if class_mask is None:
        return logits
    if class_mask.shape[-1] != logits.shape[-1]:
        raise ValueError(
            f"class_mask has {class_mask.shape[-1]} classes, but there are {logits.shape[-1]} "
            "logits per row."
        )
    # Finite, as infinities turn into NaN in the softmax of a task without classes; halved, so that
    # subtracting the largest logit cannot overflow.
    lowest = torch.finfo(logits.dtype).min / 2
    return torch.where(class_mask.unsqueeze(1), logits, lowest)

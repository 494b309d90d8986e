"""Parameters of a task as one vector, for what treats all of them alike."""

from collections.abc import Sequence

import torch
from torch import Tensor


def flatten_parameters(parts: Sequence[Tensor]) -> Tensor:
    """Join tensors of shape (B, ...) to one of shape (B, P)."""
    return torch.cat([part.flatten(start_dim=1) for part in parts], dim=1)


def unflatten_parameters(vector: Tensor, like: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Cut a tensor of shape (B, P) into tensors of the given shapes."""
    sizes = [part[0].numel() for part in like]
    parts = zip(vector.split(sizes, dim=1), like, strict=True)
    return tuple(part.reshape(tensor.shape) for part, tensor in parts)

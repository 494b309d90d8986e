"""What adaptation leaves behind: tensors with a leading task axis."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]
"""Outcome of ``adapt``: tensors by name, each with the tasks along its first axis."""


def take_tasks(state: State, tasks: int | slice | Tensor) -> State:
    """Copy the state of some tasks out of the state of a batch.

    Parameters
    ----------
    state : dict of Tensor, each of shape (B, ...)
        State of ``B`` tasks.
    tasks : int, slice, or Tensor
        Which tasks; one task stays a batch of one.

    Returns
    -------
    dict of Tensor, each of shape (n, ...)
        The state of the chosen tasks.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import take_tasks
    >>> take_tasks({"weight": torch.eye(3)}, 1)
    {'weight': tensor([[0., 1., 0.]])}
    """
    index = [tasks] if isinstance(tasks, int) else tasks
    # A view would drag the storage of the whole batch into a pickle of one task.
    return {name: tensor[index].clone() for name, tensor in state.items()}


def with_precision(tensors: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """Bring the numbers among tensors to a precision; codes, masks and None stay as they are.

    Parameters
    ----------
    tensors : mapping of str to Tensor or None
        A state, or the parts of a :class:`Support`.
    dtype : torch.dtype
        Of floating-point numbers.

    Returns
    -------
    dict of Tensor or None
        Under the same names.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import with_precision
    >>> state = {"weight": torch.ones(1, 2), "class_mask": torch.ones(1, 2).bool()}
    >>> [tensor.dtype for tensor in with_precision(state, torch.float64).values()]
    [torch.float64, torch.bool]
    """
    return {
        name: x.to(dtype) if x is not None and x.is_floating_point() else x
        for name, x in tensors.items()
    }

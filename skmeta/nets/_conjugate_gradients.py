"""Conjugate gradients for many small linear systems at once."""

from collections.abc import Callable

import torch
from torch import Tensor


def conjugate_gradients(product: Callable[[Tensor], Tensor], b: Tensor, n_steps: int) -> Tensor:
    """Solve ``A x = b`` for each task by a number of steps of conjugate gradients.

    Parameters
    ----------
    product : callable
        Multiplies the matrices, symmetric and positive definite, with vectors of shape (B, P).
    b : Tensor of shape (B, P)
        Right-hand sides.
    n_steps : int
        Number of steps; ``P`` give the solution, up to rounding.

    Returns
    -------
    Tensor of shape (B, P)
        Solutions. A task stops early where it has been solved, or where its matrix turns out not
        to be positive definite.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import conjugate_gradients
    >>> A = torch.tensor([[4.0, 2.0], [2.0, 2.0]])
    >>> conjugate_gradients(lambda x: x @ A, torch.tensor([[8.0, 6.0]]), n_steps=2)
    tensor([[1.0000, 2.0000]])
    """
    solution = torch.zeros_like(b)
    residual = direction = b
    size = first_size = _dot(b, b)
    for _ in range(n_steps):
        image = product(direction)
        curvature = _dot(direction, image)
        # Below rounding there is nothing left to solve, and a step would be noise.
        goes_on = (curvature > 0) & (size > torch.finfo(b.dtype).eps ** 2 * first_size)
        length = torch.where(goes_on, size / torch.where(goes_on, curvature, 1.0), 0.0)
        solution = solution + length * direction
        residual = residual - length * image
        new_size = _dot(residual, residual)
        turn = torch.where(goes_on, new_size / torch.where(goes_on, size, 1.0), 0.0)
        direction = torch.where(goes_on, residual + turn * direction, 0.0)
        size = new_size
    return solution


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=1, keepdim=True)

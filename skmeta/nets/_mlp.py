"""Fully connected backbone."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "softplus": F.softplus,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
}


class MLP(nn.Module):
    """Multilayer perceptron that can work on many tasks at once.

    Parameters
    ----------
    n_inputs : int
        Number of input features ``D``.
    n_outputs : int
        Number of outputs ``O``.
    hidden_sizes : sequence of int, default=(40, 40)
        Numbers of units of the hidden layers; empty for a linear model.
    activation : str, default="relu"
        Activation of the hidden layers: "relu", "tanh", "logistic", "softplus", "elu", "gelu" or
        "silu".

    Raises
    ------
    ValueError
        If the activation is none of these.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MLP, initial_parameters
    >>> mlp = MLP(n_inputs=3, n_outputs=1)
    >>> mlp(torch.zeros(10, 3)).shape
    torch.Size([10, 1])

    Five tasks of ten rows, each with parameters of its own:

    >>> mlp.forward_tasks(initial_parameters(mlp, 5), torch.zeros(5, 10, 3)).shape
    torch.Size([5, 10, 1])
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        hidden_sizes: Sequence[int] = (40, 40),
        activation: str = "relu",
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}; got {activation!r}."
            )
        self.activation = activation
        sizes = (n_inputs, *hidden_sizes, n_outputs)
        self.layers = nn.ModuleList(nn.Linear(*size) for size in pairwise(sizes))

    def forward(self, X: Tensor) -> Tensor:
        """Compute the outputs with the module's own parameters.

        Parameters
        ----------
        X : Tensor of shape (..., D)
            Rows.

        Returns
        -------
        Tensor of shape (..., O)
            Outputs.
        """
        activate = ACTIVATIONS[self.activation]
        *hidden, last = self.layers
        for layer in hidden:
            X = activate(layer(X))
        return last(X)

    def forward_tasks(
        self, params: dict[str, Tensor], X: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Compute the outputs of every task with parameters of its own.

        One batched matrix product per layer, which on small networks is several times as fast as
        a loop over tasks or :func:`torch.vmap`.

        Parameters
        ----------
        params : dict of Tensor, each of shape (B, ...)
            Parameters of each task, by name.
        X : Tensor of shape (B, N, D)
            Rows of each task.
        mask : bool Tensor of shape (B, N), optional
            True for real rows, False for padding. Nothing here depends on it.

        Returns
        -------
        Tensor of shape (B, N, O)
            Outputs.
        """
        activate = ACTIVATIONS[self.activation]
        *hidden, last = (f"layers.{i}" for i in range(len(self.layers)))
        for layer in hidden:
            X = activate(affine_map(X, params[f"{layer}.weight"], params[f"{layer}.bias"]))
        return affine_map(X, params[f"{last}.weight"], params[f"{last}.bias"])


def affine_map(X: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Affine map of the rows of each task by its own weight and bias.

    Parameters
    ----------
    X : Tensor of shape (B, N, D)
        Rows of each task.
    weight : Tensor of shape (B, O, D)
    bias : Tensor of shape (B, O) or None

    Returns
    -------
    Tensor of shape (B, N, O)
        Outputs.
    """
    if torch.is_grad_enabled():
        return _Affine.apply(X, weight, bias)
    return _affine(X, weight, bias)


def _affine(X: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if bias is None:
        return product(X, weight.mT)
    if X.shape[-1] == 1:
        return torch.addcmul(bias.unsqueeze(1), X, weight.mT)
    return torch.baddbmm(bias.unsqueeze(1), X, weight.mT)


class _Affine(Function):
    """Autograd's own gradient of the weight lies transposed in memory, and adding that is slow."""

    @staticmethod
    def forward(ctx: Any, X: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(X, weight)
        return _affine(X, weight, bias)

    @staticmethod
    def backward(ctx: Any, bar: Tensor) -> tuple[Tensor | None, ...]:
        X, weight = ctx.saved_tensors
        in_X, in_weight, in_bias = ctx.needs_input_grad
        return (
            product(bar, weight) if in_X else None,
            row_products(bar, X) if in_weight else None,
            bar.sum(dim=1) if in_bias else None,
        )


def product(left: Tensor, right: Tensor) -> Tensor:
    """Matrix product of each task; an outer product, at which ``bmm`` is slow, by broadcasting."""
    return left * right if left.shape[-1] == 1 else torch.bmm(left, right)


def row_products(left: Tensor, right: Tensor) -> Tensor:
    """Outer products of the rows of two tensors, summed over the rows of each task."""
    if right.shape[-1] == 1:  # the slow case of ``bmm`` again, unless turned around
        return torch.bmm(right.mT, left).mT
    return torch.bmm(left.mT, right)

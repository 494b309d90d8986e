"""Fully connected backbone."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
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
            X = activate(affine(params, f"{layer}.weight", f"{layer}.bias", X))
        return affine(params, f"{last}.weight", f"{last}.bias", X)


def affine(params: dict[str, Tensor], weight: str, bias: str | None, X: Tensor) -> Tensor:
    """Affine map of the rows of each task by its own weight and bias.

    Parameters
    ----------
    params : dict of Tensor, each of shape (B, ...)
        Parameters of each task, by name.
    weight, bias : str
        Names of the two; no bias if None.
    X : Tensor of shape (B, N, D)
        Rows of each task.

    Returns
    -------
    Tensor of shape (B, N, O)
        Outputs.
    """
    if bias is None:
        return product(X, params[weight].mT)
    if X.shape[-1] == 1:
        return torch.addcmul(params[bias].unsqueeze(1), X, params[weight].mT)
    return torch.baddbmm(params[bias].unsqueeze(1), X, params[weight].mT)


def product(left: Tensor, right: Tensor) -> Tensor:
    """Matrix product of each task; an outer product, at which ``bmm`` is slow, by broadcasting."""
    return left * right if left.shape[-1] == 1 else left @ right

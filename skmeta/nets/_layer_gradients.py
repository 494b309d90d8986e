"""Gradients of fully connected networks, derived by hand.

Backpropagation is written out with ordinary operations. Autograd gives the same numbers, but has to
build and walk a graph to get a gradient, and another one to differentiate it; of formulas there is
one graph, and where nothing is differentiated further there is none.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._losses import cross_entropy, mask_classes, squared_error
from skmeta.nets._mlp import ACTIVATIONS, MLP, affine, product
from skmeta.nets._support import Support


class Layers(NamedTuple):
    """A network that is a chain of affine maps with an activation in between.

    Attributes
    ----------
    names : list of (str, str or None)
        Names of the weight and the bias of each map; None where there is no bias.
    activation : str
        One of :data:`ACTIVATIONS`.
    """

    names: list[tuple[str, str | None]]
    activation: str


def layers_of(module: nn.Module) -> Layers | None:
    """Take a network for a chain of layers, if it is one; None if not."""
    # A subclass may compute anything.
    if type(module) is MLP:
        count = range(len(module.layers))
        return Layers(
            [(f"layers.{i}.weight", f"layers.{i}.bias") for i in count], module.activation
        )
    if type(module) is nn.Linear:
        return Layers([("weight", None if module.bias is None else "bias")], "relu")
    return None


def layer_gradients(
    layers: Layers,
    params: dict[str, Tensor],
    adapted: Collection[str],
    support: Support,
    slope: Callable[[Tensor, Tensor], Tensor],
) -> dict[str, Tensor]:
    """Gradient of each task's support loss in its own parameters.

    Parameters
    ----------
    layers : Layers
        The network.
    params : dict of Tensor, each of shape (B, ...)
        All parameters of the network, of each task.
    adapted : collection of str
        Names of those in which gradients are taken.
    support : Support
        Labelled rows of the tasks.
    slope : callable
        Derivative of each row's loss in its outputs, ``slope(output, y) -> Tensor (B, S, O)``.

    Returns
    -------
    dict of Tensor, each of shape (B, ...)
        Gradients by name.
    """
    activate, steepness = ACTIVATIONS[layers.activation], _STEEPNESS[layers.activation]
    inputs, slopes = [support.X], []
    for weight, bias in layers.names[:-1]:
        sums = affine(params, weight, bias, inputs[-1])
        inputs.append(activate(sums))
        slopes.append(steepness(sums, inputs[-1]))
    output = mask_classes(affine(params, *layers.names[-1], inputs[-1]), support.class_mask)
    delta = _row_shares(support).unsqueeze(-1) * slope(output, support.y)
    if support.class_mask is not None:  # the output of a class that is masked does not matter
        delta = delta * support.class_mask.unsqueeze(1)
    gradients = {}
    for i, (weight, bias) in reversed(list(enumerate(layers.names))):
        if weight in adapted:
            gradients[weight] = delta.mT @ inputs[i]
        if bias is not None and bias in adapted:
            gradients[bias] = delta.sum(dim=1)
        if i:
            delta = product(delta, params[weight]) * slopes[i - 1]
    return {name: gradients[name] for name in adapted}


def _row_shares(support: Support) -> Tensor:
    """Share of each row in the mean loss of its task, of shape (B, S)."""
    weight = support.mask if support.weight is None else support.weight * support.mask
    weight = weight.to(support.X.dtype)
    total = weight.sum(dim=1, keepdim=True)
    return weight / torch.where(total > 0, total, 1.0)


def _squared_error_slope(output: Tensor, y: Tensor) -> Tensor:
    return (output - y) * (2.0 / output.shape[-1])


def _cross_entropy_slope(logits: Tensor, y: Tensor) -> Tensor:
    return logits.softmax(dim=-1) - F.one_hot(y, logits.shape[-1])


LOSS_SLOPES: dict[Callable, Callable[[Tensor, Tensor], Tensor]] = {
    squared_error: _squared_error_slope,
    cross_entropy: _cross_entropy_slope,
}
"""Derivative in the outputs of the losses for which it is known."""


def _gelu_slope(x: Tensor, _: Tensor) -> Tensor:
    density = torch.exp(-0.5 * x.square()) * (2 * torch.pi) ** -0.5
    return torch.special.ndtr(x) + x * density


def _silu_slope(x: Tensor, _: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (1 + x * (1 - gate))


# Derivatives of the activations, given their argument and their value.
_STEEPNESS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda _, value: value.sign(),
    "tanh": lambda _, value: 1 - value.square(),
    "logistic": lambda _, value: value * (1 - value),
    "softplus": lambda x, _: torch.sigmoid(x),
    "elu": lambda x, value: torch.where(x > 0, 1.0, value + 1),
    "gelu": _gelu_slope,
    "silu": _silu_slope,
}

"""First and second derivatives of the losses and activations for which gradients are written out.

The second derivative of a loss is a matrix for each row, and comes as its product with a vector.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from skmeta.nets._losses import cross_entropy, squared_error


class LossSlopes(NamedTuple):
    """Derivatives of each row's loss in its outputs.

    Attributes
    ----------
    first : callable
        ``first(output, y) -> Tensor of shape (B, S, O)``.
    second : callable
        ``second(output, vector) -> Tensor of shape (B, S, O)``: the product of the matrix of second
        derivatives with a vector.
    """

    first: Callable[[Tensor, Tensor], Tensor]
    second: Callable[[Tensor, Tensor], Tensor]


class ActivationSlopes(NamedTuple):
    """Derivatives of an activation, given its argument and its value.

    Attributes
    ----------
    first : callable
        ``first(x, value) -> Tensor``.
    second : callable or None
        ``second(x, value) -> Tensor``; None where it is zero everywhere.
    """

    first: Callable[[Tensor, Tensor], Tensor]
    second: Callable[[Tensor, Tensor], Tensor] | None


def _squared_error_first(output: Tensor, y: Tensor) -> Tensor:
    return (output - y) * (2.0 / output.shape[-1])


def _squared_error_second(output: Tensor, vector: Tensor) -> Tensor:
    return vector * (2.0 / output.shape[-1])


def _cross_entropy_first(logits: Tensor, y: Tensor) -> Tensor:
    # Not F.one_hot, which looks at the classes to check them: no compiler can follow that.
    classes = torch.arange(logits.shape[-1], device=y.device)
    return logits.softmax(dim=-1) - (y.unsqueeze(-1) == classes).to(logits.dtype)


def _cross_entropy_second(logits: Tensor, vector: Tensor) -> Tensor:
    moved = logits.softmax(dim=-1) * vector
    return moved - logits.softmax(dim=-1) * moved.sum(dim=-1, keepdim=True)


LOSS_SLOPES: dict[Callable, LossSlopes] = {
    squared_error: LossSlopes(_squared_error_first, _squared_error_second),
    cross_entropy: LossSlopes(_cross_entropy_first, _cross_entropy_second),
}


def _density(x: Tensor) -> Tensor:
    return torch.exp(-0.5 * x.square()) * (2 * torch.pi) ** -0.5


def _silu_first(x: Tensor, _: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (1 + x * (1 - gate))


def _silu_second(x: Tensor, _: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (1 - gate) * (2 + x * (1 - 2 * gate))


def _softplus_second(x: Tensor, _: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (1 - gate)


ACTIVATION_SLOPES: dict[str, ActivationSlopes] = {
    "relu": ActivationSlopes(lambda _, value: value.sign(), None),
    "tanh": ActivationSlopes(
        lambda _, value: 1 - value.square(), lambda _, value: -2 * value * (1 - value.square())
    ),
    "logistic": ActivationSlopes(
        lambda _, value: value * (1 - value),
        lambda _, value: value * (1 - value) * (1 - 2 * value),
    ),
    "softplus": ActivationSlopes(lambda x, _: torch.sigmoid(x), _softplus_second),
    "elu": ActivationSlopes(
        lambda x, value: torch.where(x > 0, 1.0, value + 1),
        lambda x, value: torch.where(x > 0, 0.0, value + 1),
    ),
    "gelu": ActivationSlopes(
        lambda x, _: torch.special.ndtr(x) + x * _density(x),
        lambda x, _: (2 - x.square()) * _density(x),
    ),
    "silu": ActivationSlopes(_silu_first, _silu_second),
}
"""By the names of :data:`ACTIVATIONS`."""

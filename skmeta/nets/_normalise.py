"""Normalising the channels of rows that are all real, with a derivative that is cheap twice.

torch computes the normalisation and its gradient by one pass over the rows each, but the derivative
of that gradient by some thirty. It is written out here: all that depends on single entries are
linear combinations of three tensors, whose coefficients are numbers of a channel.

Notation, for one channel: M entries x with mean mu and scale s = 1 / sqrt(variance + eps), their
normalised values z = s (x - mu), an output w z + b, and the derivative g of the loss in the output.
The gradient is

    x_bar = w s (g - mean(g) - z mean(g z)),  w_bar = sum(g z),  b_bar = sum(g).

In its derivative, u multiplies the change of x_bar, u_w that of w_bar, and u_b that of b_bar.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

_aten = torch.ops.aten


def normalise(X: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Give each channel mean zero and variance one over all rows, then scale and shift it.

    Parameters
    ----------
    X : Tensor of shape (N, C, ...)
        Rows, at least one.
    weight, bias : Tensor of shape (C,) or None
        Scales and shifts; None for ones and zeros.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor of shape (N, C, ...)
        Normalised rows, that can be differentiated twice.
    """
    weight = X.new_ones(X.shape[1]) if weight is None else weight
    bias = X.new_zeros(X.shape[1]) if bias is None else bias
    return _Normalise.apply(X, weight, bias, eps)


class _Normalise(Function):
    """The normalised rows."""

    @staticmethod
    def forward(ctx: Any, X: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        output, *statistics = _aten.native_batch_norm(X, weight, bias, None, None, True, 0.0, eps)
        ctx.save_for_backward(X, weight, *statistics)
        ctx.eps = eps
        return output

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return *_Gradient.apply(g, *ctx.saved_tensors, ctx.eps), None


class _Gradient(Function):
    """The gradient of the normalisation in rows, scales and shifts."""

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, X: Tensor, weight: Tensor, mean: Tensor, scale: Tensor, eps: float
    ) -> tuple[Tensor, ...]:
        x_bar, w_bar, b_bar = _gradient(g, X, weight, mean, scale, eps)
        ctx.save_for_backward(g, X, weight, mean, scale, w_bar, b_bar)
        ctx.eps = eps
        return x_bar, w_bar, b_bar

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor, u_w: Tensor, u_b: Tensor) -> tuple[Tensor | None, ...]:
        g, X, weight, mean, s, w_bar, b_bar = ctx.saved_tensors
        size = X.numel() // X.shape[1]
        # The gradient's linear map in g is its own transpose.
        in_g, sum_uz, sum_u = _gradient(u, X, weight, mean, s, ctx.eps)
        mean_g, mean_gz = b_bar / size, w_bar / size
        mean_u, mean_uz = sum_u / size, sum_uz / size
        mean_ug = (u * g).sum((0, *range(2, X.ndim))) / size
        covariance = mean_ug - mean_u * mean_g - mean_uz * mean_gz
        in_g.addcmul_(X, _each(u_w * s, X)).add_(_each(u_b - u_w * s * mean, X))
        # Through z at a fixed scale: h = of_u u + of_g g, of which mean and slope are taken away.
        of_u, of_g = -weight * s * mean_gz, u_w - weight * s * mean_uz
        mean_h, mean_hz = of_u * mean_u + of_g * mean_g, of_u * mean_uz + of_g * mean_gz
        # Through the scale, whose derivative in x is -s^2 z / size.
        of_z = -s * (mean_hz + s * weight * covariance)
        in_X = (u * _each(s * of_u, X)).addcmul_(g, _each(s * of_g, X))
        in_X.addcmul_(X, _each(of_z * s, X)).add_(_each(-s * mean_h - of_z * s * mean, X))
        return in_g, in_X, size * s * covariance, None, None, None


def _gradient(
    g: Tensor, X: Tensor, weight: Tensor, mean: Tensor, scale: Tensor, eps: float
) -> tuple[Tensor, ...]:
    wanted = [True, True, True]
    return _aten.native_batch_norm_backward(
        g, X, weight, None, None, mean, scale, True, eps, wanted
    )


def _each(numbers: Tensor, X: Tensor) -> Tensor:
    """Numbers of the channels, to go with rows."""
    return numbers.view(-1, *(1 for _ in X.shape[2:]))

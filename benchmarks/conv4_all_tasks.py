"""The four-block network of few-shot papers, computed for all tasks of a meta-batch at once.

skmeta calls a network with convolutions in a loop over tasks, as weights differ from task to task,
unless the network brings a method `forward_tasks`. This one does: a convolution is one product of
the patches of each task's images with its weights. Where images are few and small this is quicker
than the loop, more so with patches of 16 bits, as most of the time goes into moving them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from skmeta.nets._normalise import normalise

N_CHANNELS, SIZE, LENGTH = 64, 3, 16.0


class StridedConv4(nn.Module):
    """Four 3 x 3 convolutions with a stride of 2, each normalised and rectified, and a last layer.

    Strides in place of pooling are what the MAML paper has on Omniglot. Images are square and have
    one channel. Normalisation is by the rows of a task at hand, of which all tasks must have the
    same number.

    What the last layer sees of each image is brought to the same length, which the paper has not: a
    step from zero makes its weights the mean features of each class, and their product with long
    features is large for all classes. Of vectors of one length, the nearest has the largest.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Pixels of an image, and number of outputs.
    bfloat16 : bool
        Whether convolutions multiply 16-bit numbers.
    augment : callable, optional
        What training images of shape (N, 1, width, width) go through first.
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        bfloat16: bool = False,
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.bfloat16, self.augment = bfloat16, augment
        self.width = width = math.isqrt(n_inputs)
        self.blocks = nn.ModuleList(_Block(n) for n in (1, *3 * [N_CHANNELS]))
        for _ in self.blocks:
            width = _halved(width)
        self.head = nn.Linear(N_CHANNELS * width**2, n_outputs)
        nn.init.zeros_(self.head.weight)  # classes are in random order: none has a start of its own
        nn.init.zeros_(self.head.bias)

    def forward_tasks(
        self, params: dict[str, Tensor], X: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Outputs of shape (B, N, n_outputs) for flat images of shape (B, N, n_inputs)."""
        n_tasks, n_rows = X.shape[:2]
        images = X.reshape(n_tasks * n_rows, 1, self.width, self.width)
        if self.training and self.augment is not None:
            images = self.augment(images)
        images = images.movedim(1, -1)
        dtype = torch.bfloat16 if self.bfloat16 else X.dtype
        for block in range(len(self.blocks)):
            filters, scale, shift = (params[f"blocks.{block}.{name}"] for name in _Block.NAMES)
            patches = _Patches.apply(images.to(dtype))
            output = torch.bmm(patches.reshape(n_tasks, -1, filters.shape[1]), filters.to(dtype))
            output = relu(_normalised(output.to(X.dtype), scale, shift))
            images = output.reshape(*patches.shape[:3], N_CHANNELS)
        weight, bias = params["head.weight"], params["head.bias"]
        features = _of_one_length(images.reshape(n_tasks, n_rows, -1))
        return torch.baddbmm(bias.unsqueeze(1), features, weight.transpose(1, 2))


class _Block(nn.Module):
    """Parameters of a block."""

    NAMES = ("filters", "scale", "shift")

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        fan_in = SIZE**2 * n_channels
        self.filters = nn.Parameter(torch.randn(fan_in, N_CHANNELS) / math.sqrt(fan_in))
        self.scale = nn.Parameter(torch.ones(N_CHANNELS))
        self.shift = nn.Parameter(torch.zeros(N_CHANNELS))


def _normalised(X: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Batch normalisation of (B, pixels, channels) for each task."""
    tasks = zip(X, scale, shift, strict=True)
    return torch.stack([normalise(x, weight, bias, eps=1e-5) for x, weight, bias in tasks])


def _of_one_length(X: Tensor) -> Tensor:
    """Vectors along the last axis with a length of :data:`LENGTH`, but for those of zeros."""
    return LENGTH * X * (X.square().sum(dim=-1, keepdim=True) + 1e-6).rsqrt()


class _Patches(torch.autograd.Function):
    """Surroundings of every second pixel: (N, H, W, C) to (N, H / 2, W / 2, 9 * C)."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        ctx.shape = images.shape
        padded = pad(images, (0, 0, 1, 1, 1, 1))
        return torch.cat([padded[at] for at in _places(images.shape)], dim=-1)

    @staticmethod
    def backward(ctx: Any, patches: Tensor) -> Any:
        return _Summed.apply(patches, ctx.shape)


class _Summed(torch.autograd.Function):
    """The transpose of :class:`_Patches`: every pixel is the sum of its places in patches."""

    @staticmethod
    def forward(ctx: Any, patches: Tensor, shape: torch.Size) -> Tensor:
        n_images, height, width, n_channels = shape
        padded = patches.new_zeros(n_images, height + 2, width + 2, n_channels)
        parts = patches.split(n_channels, dim=-1)
        for at, part in zip(_places(shape), parts, strict=True):
            padded[at] += part
        return padded[:, 1:-1, 1:-1]

    @staticmethod
    def backward(ctx: Any, images: Tensor) -> Any:
        return _Patches.apply(images), None


def _places(shape: torch.Size) -> list[tuple[slice, ...]]:
    """Where each of a patch's pixels lies in padded images."""
    last_row, last_column = (2 * _halved(n) - 1 for n in shape[1:3])
    return [
        (slice(None), slice(i, i + last_row, 2), slice(j, j + last_column, 2))
        for i in range(SIZE)
        for j in range(SIZE)
    ]


def _halved(width: int) -> int:
    """Width after a stride of 2."""
    return (width + 1) // 2

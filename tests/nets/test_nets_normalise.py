"""Batch normalisation of rows that are all real: its two derivatives."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from skmeta.nets import TaskBatchNorm
from skmeta.nets._normalise import normalise

SHAPES = [(5, 3), (4, 2, 3), (2, 3, 2, 4), (1, 2, 3, 3)]


def _inputs(shape):
    generator = torch.Generator().manual_seed(0)
    sizes = (shape, shape[1:2], shape[1:2])
    return [
        torch.randn(size, generator=generator, dtype=torch.float64, requires_grad=True)
        for size in sizes
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_both_derivatives_equal_finite_differences(shape):
    def function(*inputs):
        return normalise(*inputs, 1e-5)

    assert gradcheck(function, _inputs(shape))
    assert gradgradcheck(function, _inputs(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_it_equals_the_layer_that_does_not_know_that_all_rows_are_real(shape):
    X, weight, bias = _inputs(shape)
    layer = TaskBatchNorm(shape[1])
    layer.weight, layer.bias = (torch.nn.Parameter(p.detach()) for p in (weight, bias))

    def second(layer):
        output = layer(X)
        first = torch.autograd.grad(output.sin().sum(), [X, *layer.parameters()], create_graph=True)
        total = sum(part.square().sum() for part in first)
        return output, *first, *torch.autograd.grad(total, [X, *layer.parameters()])

    found = second(layer)
    layer.knows_all_real = True
    for one, other in zip(found, second(layer), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_without_scales_and_shifts():
    X, _, _ = _inputs((6, 3))
    normal = TaskBatchNorm(3, affine=False)(X)
    torch.testing.assert_close(normal.mean(0), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(
        normal.var(0, correction=0), torch.ones(3).double(), rtol=1e-3, atol=0
    )

"""The network of the Omniglot benchmark, of all tasks at once, against torch's own layers."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F

SOURCE = Path(__file__).parents[2] / "benchmarks" / "conv4_all_tasks.py"


@pytest.fixture(scope="module")
def conv4():
    spec = importlib.util.spec_from_file_location("conv4_all_tasks", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_four_convolutions_of_each_task(conv4):
    torch.manual_seed(0)
    net = conv4.StridedConv4(81, 3).double()
    params = {n: torch.stack([p, p + 0.1 * torch.randn_like(p)]) for n, p in net.named_parameters()}
    X = torch.randn(2, 4, 81, dtype=torch.float64)
    found = net.forward_tasks(params, X)
    for task in range(2):
        own = {name: param[task] for name, param in params.items()}
        images = X[task].reshape(-1, 1, 9, 9)
        for block in range(4):
            filters, scale, shift = (
                own[f"blocks.{block}.{n}"] for n in ("filters", "scale", "shift")
            )
            kernel = filters.reshape(3, 3, -1, 64).permute(3, 2, 0, 1)
            images = F.conv2d(images, kernel, stride=2, padding=1)
            images = F.relu(F.batch_norm(images, None, None, scale, shift, training=True))
        features = conv4.LENGTH * F.normalize(images.permute(0, 2, 3, 1).flatten(start_dim=1))
        expected = F.linear(features, own["head.weight"], own["head.bias"])
        torch.testing.assert_close(found[task], expected)


@pytest.mark.parametrize("shape", [(2, 4, 4, 1), (1, 5, 3, 2)])
def test_both_derivatives_of_patches_equal_finite_differences(conv4, shape):
    images = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert gradcheck(conv4._Patches.apply, (images,))
    assert gradgradcheck(conv4._Patches.apply, (images,))

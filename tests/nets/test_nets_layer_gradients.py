"""Hand-derived gradients equal those of autograd, and so do the gradients of both."""

import pytest
import torch
from torch import nn

from skmeta.nets import MLP, Support, cross_entropy, initial_parameters, squared_error
from skmeta.nets._layer_gradients import layers_of
from skmeta.nets._mlp import ACTIVATIONS
from skmeta.nets._task_gradients import task_gradients, task_losses

N_TASKS, N_ROWS, N_INPUTS, N_OUTPUTS = 3, 4, 2, 3


def make_support(kind):
    torch.manual_seed(0)
    X = torch.randn(N_TASKS, N_ROWS, N_INPUTS).double()
    mask = torch.ones(N_TASKS, N_ROWS).bool()
    mask[1, 2:] = False
    mask[2] = False
    class_mask = weight = None
    if kind == "numbers":
        y = torch.randn(N_TASKS, N_ROWS, N_OUTPUTS).double()
        weight = torch.rand(N_TASKS, N_ROWS).double()
    else:
        y = torch.randint(2, (N_TASKS, N_ROWS))
        class_mask = torch.tensor([[True, True, False]] * 2 + [[False] * 3])
    X[~mask] = 0
    return Support(X, y, mask, class_mask, weight)


def by_autograd(module, params, adapted, support, row_loss):
    loss = task_losses(module, params, support, row_loss).sum()
    found = torch.autograd.grad(loss, [params[n] for n in adapted], create_graph=True)
    return dict(zip(adapted, found, strict=True))


def same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=1e-9, atol=1e-11)


def meta_gradient(gradients, params):
    """Gradient of some function of the gradients."""
    total = sum((g.sin() * (1 + g)).sum() for g in gradients.values())
    found = torch.autograd.grad(total, list(params.values()), allow_unused=True)
    return {
        name: torch.zeros_like(param) if g is None else g
        for (name, param), g in zip(params.items(), found, strict=True)
    }


@pytest.mark.parametrize(
    ("kind", "row_loss"), [("numbers", squared_error), ("n-way", cross_entropy)]
)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_first_and_second_derivatives_of_each_activation(activation, kind, row_loss):
    support = make_support(kind)
    module = MLP(N_INPUTS, N_OUTPUTS, hidden_sizes=(5, 4), activation=activation).double()
    params = {k: v.clone() for k, v in initial_parameters(module, N_TASKS).items()}
    args = module, params, list(params), support, row_loss
    ours, expected = task_gradients(*args, create_graph=True), by_autograd(*args)
    same(ours, expected)
    same(meta_gradient(ours, params), meta_gradient(expected, params))
    without_graph = task_gradients(*args, create_graph=False)
    same(without_graph, expected)
    assert not any(g.requires_grad for g in without_graph.values())


@pytest.mark.parametrize(
    "module", [nn.Linear(N_INPUTS, N_OUTPUTS), nn.Linear(N_INPUTS, N_OUTPUTS, bias=False)]
)
def test_a_linear_layer(module):
    module, support = module.double(), make_support("numbers")
    params = initial_parameters(module, N_TASKS)
    args = module, params, list(params), support, squared_error
    same(task_gradients(*args, create_graph=True), by_autograd(*args))


@pytest.mark.parametrize("adapted", [["layers.1.bias"], ["layers.0.weight", "layers.1.bias"]])
def test_some_of_the_parameters(adapted):
    module, support = MLP(N_INPUTS, N_OUTPUTS, hidden_sizes=(5,)).double(), make_support("numbers")
    args = module, initial_parameters(module, N_TASKS), adapted, support, squared_error
    same(task_gradients(*args, create_graph=True), by_autograd(*args))


def test_other_networks_and_losses_are_left_to_autograd():
    class Scaled(MLP):
        def forward_tasks(self, params, X, mask=None):
            return 2 * super().forward_tasks(params, X, mask)

    assert layers_of(Scaled(1, 1)) is None
    assert layers_of(nn.Sequential(nn.Linear(1, 1))) is None
    support = make_support("numbers")
    module = MLP(N_INPUTS, N_OUTPUTS).double()
    params = initial_parameters(module, N_TASKS)

    def absolute_error(output, y):
        return (output - y).abs().mean(dim=-1)

    args = module, params, list(params), support, absolute_error
    same(task_gradients(*args, create_graph=True), by_autograd(*args))

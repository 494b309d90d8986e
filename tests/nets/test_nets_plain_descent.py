"""Descent in place, without a graph, leads to where the steps of training lead."""

import pytest
import torch
from torch import nn

from skmeta.nets import (
    IMAML,
    MAML,
    MLP,
    BayesianMAML,
    InnerSGD,
    LearnedRate,
    Support,
    cross_entropy,
    parameter_shapes,
    squared_error,
)
from skmeta.nets._mlp import ACTIVATIONS


def make_support(row_loss, n_inputs):
    """Four tasks, of which one has no rows; classes are masked, rows of numbers have weights."""
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": torch.float64}
    mask = torch.arange(6) < torch.tensor([6, 4, 0, 1])[:, None]
    X = torch.randn(4, 6, n_inputs, **options).masked_fill(~mask[..., None], 0.0)
    if row_loss is squared_error:
        y, weight = torch.randn(4, 6, 3, **options), torch.rand(4, 6, **options)
        return Support(X, y, mask, None, weight)
    y = torch.randint(2, (4, 6), generator=generator)
    return Support(X, y, mask, torch.tensor([[True, True, False]] * 4))


def assert_last_of_trajectory(maml, support, n_steps):
    before = {name: param.clone() for name, param in maml.named_parameters()}
    expected, found = maml.trajectory(support, n_steps)[-1], maml.adapt(support, n_steps)
    assert found.keys() == expected.keys()
    for name in expected:
        assert not found[name].requires_grad
        torch.testing.assert_close(found[name], expected[name], rtol=1e-12, atol=1e-13)
    for name, param in maml.named_parameters():
        assert torch.equal(param, before[name])


@pytest.mark.parametrize("row_loss", [squared_error, cross_entropy])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_activation_and_loss(activation, row_loss):
    torch.manual_seed(0)
    mlp = MLP(2, 3, hidden_sizes=(5, 4), activation=activation).double()
    maml = MAML(mlp, row_loss, InnerSGD(0.3)).eval()
    assert maml._plain_descent() is not None
    for n_steps in (0, 1, 4):
        assert_last_of_trajectory(maml, make_support(row_loss, 2), n_steps)


@pytest.mark.parametrize("n_inputs", [1, 3])
@pytest.mark.parametrize("network", ["one unit", "no hidden layer", "linear", "no bias"])
def test_each_shape(network, n_inputs):
    torch.manual_seed(0)
    net = {
        "one unit": lambda: MLP(n_inputs, 3, hidden_sizes=(1, 4)),
        "no hidden layer": lambda: MLP(n_inputs, 3, hidden_sizes=()),
        "linear": lambda: nn.Linear(n_inputs, 3),
        "no bias": lambda: nn.Linear(n_inputs, 3, bias=False),
    }[network]()
    maml = MAML(net.double(), squared_error, InnerSGD(0.2)).eval()
    assert maml._plain_descent() is not None
    assert_last_of_trajectory(maml, make_support(squared_error, n_inputs), 3)


def test_a_learned_step_size_for_each_step():
    net = MLP(2, 3).double()
    rate = LearnedRate(0.2, parameter_shapes(net), n_steps=2)
    with torch.no_grad():
        rate.multiples[0].copy_(torch.tensor([0.5, -1.5]))
    maml = MAML(net, squared_error, InnerSGD(rate)).double().eval()
    assert maml._plain_descent() is not None
    assert_last_of_trajectory(maml, make_support(squared_error, 2), 4)


def test_draws_of_a_distribution():
    maml = BayesianMAML(MLP(2, 3), squared_error, InnerSGD(0.2), n_adapt_samples=4)
    assert_last_of_trajectory(maml.double().eval(), make_support(squared_error, 2), 3)


def test_what_is_not_plain_takes_its_own_steps():
    net = MLP(2, 3)
    rates = LearnedRate(0.1, parameter_shapes(net), per="layer")
    for optimizer in (
        InnerSGD(0.1, momentum=0.9),
        InnerSGD(0.1, weight_decay=0.1),
        InnerSGD(rates),
    ):
        assert MAML(net, squared_error, optimizer)._plain_descent() is None
    options = [{"adapted": ["layers.0.bias"]}, {"support_batch_size": 2}]
    for option in options:
        assert MAML(net, squared_error, InnerSGD(0.1), **option)._plain_descent() is None
    assert MAML(nn.Sequential(net), squared_error)._plain_descent() is None
    assert MAML(net, lambda output, y: output.sum(-1))._plain_descent() is None
    assert IMAML(net, squared_error)._plain_descent() is None

"""The recurrent inner optimiser: exact gradients, one call for all weights, any number of steps."""

import pytest
import torch
from gradient_checks import finite_differences, meta_gradient, query_loss, relative_error, small_mlp
from hypothesis import given
from hypothesis import strategies as st

from skmeta.nets import (
    MAML,
    InnerSGD,
    LearnedRate,
    RecurrentOptimizer,
    log_and_sign,
    parameter_shapes,
    squared_error,
)


def learner(n_layers=1, per_layer=False, n_steps=3, **options):
    """A learner whose optimiser is not gradient descent any more."""
    network = small_mlp()
    scale = LearnedRate(0.3, parameter_shapes(network), "layer") if per_layer else 0.3
    optimizer = RecurrentOptimizer(scale, n_hidden=4, n_layers=n_layers).double()
    torch.nn.init.normal_(optimizer.head.weight, std=0.5)
    return MAML(network, squared_error, optimizer, n_steps, **options)


@pytest.mark.parametrize(
    "options",
    [{}, {"n_layers": 2}, {"per_layer": True}, {"recompute": True}],
    ids=["plain", "two layers", "scale per layer", "recompute"],
)
def test_meta_gradient_equals_finite_differences(options, pad, regression_tasks):
    maml = learner(**options)
    support, query = pad(regression_tasks([5, 3, 0])), pad(regression_tasks([4, 6, 5]))

    def loss():
        return query_loss(maml, support, query)

    # A short step: the logarithm of a gradient bends sharply where it is small.
    expected = finite_differences(maml, loss, step=1e-6)
    assert relative_error(meta_gradient(maml, loss()), expected) < 1e-6


def test_unrolled_steps_equal_a_loop_over_tasks_and_weights(pad, regression_tasks):
    maml = learner()
    tasks = regression_tasks([5, 3])
    state = maml.adapt(pad(tasks))
    for i, (X, y) in enumerate(tasks):
        weights = {n: p.detach().clone() for n, p in maml.backbone.named_parameters()}
        memories: dict = {}
        for _ in range(maml.n_steps):
            leaves = {name: weight.requires_grad_() for name, weight in weights.items()}
            output = torch.func.functional_call(maml.backbone, leaves, (X,))
            gradients = torch.autograd.grad((output - y).square().mean(), list(leaves.values()))
            for name, gradient in zip(weights, gradients, strict=True):
                moved = [
                    weight - _one_step(maml.optimizer, g, memories, (name, j))
                    for j, (weight, g) in enumerate(
                        zip(weights[name].detach().flatten(), gradient.flatten(), strict=True)
                    )
                ]
                weights[name] = torch.stack(moved).view_as(gradient).detach()
        for name, weight in weights.items():
            torch.testing.assert_close(state[f"backbone.{name}"][i].detach(), weight)


def _one_step(optimizer, gradient, memories, weight):
    """The step of a single weight."""
    seen = log_and_sign(gradient).view(1, 1, 2)
    output, memories[weight] = optimizer.lstm(seen, memories.get(weight))
    a, b = optimizer.head(output).flatten()
    return 0.3 * (a.exp() * gradient + b)


def test_it_starts_as_gradient_descent(pad, regression_tasks):
    network, support = small_mlp(), pad(regression_tasks([5, 3]))
    recurrent = MAML(network, squared_error, RecurrentOptimizer(0.1).double(), 4)
    descent = MAML(network, squared_error, InnerSGD(0.1), 4)
    expected = descent.adapt(support)
    for name, param in recurrent.adapt(support).items():
        torch.testing.assert_close(param, expected[name])


def test_further_steps_go_on_from_those_of_training(pad, regression_tasks):
    maml, support = learner().eval(), pad(regression_tasks([5, 3]))
    states = maml.trajectory(support, n_steps=30)
    three, thirty = maml.adapt(support), maml.adapt(support, n_steps=30)
    for name in three:
        torch.testing.assert_close(states[3][name], three[name])
        torch.testing.assert_close(states[30][name], thirty[name])
        assert torch.isfinite(thirty[name]).all()


def test_first_order_has_the_same_steps_and_trains_the_optimizer(pad, regression_tasks):
    exact, support = learner(), pad(regression_tasks([5, 3]))
    query = pad(regression_tasks([4, 4]))
    loss = query_loss(exact, support, query)
    exact.first_order = True
    approximate = query_loss(exact, support, query)
    assert loss.item() == approximate.item()
    approximate.backward()
    assert all(p.grad.abs().sum() > 0 for p in exact.optimizer.parameters())


@given(st.floats(-1e6, 1e6), st.sampled_from([1.0, 5.0, 10.0]))
def test_log_and_sign(value, precision):
    gradient = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    magnitude, sign = log_and_sign(gradient, precision)
    if abs(value) >= torch.e**-precision:
        assert sign.item() == (value > 0) - (value < 0)
        assert (magnitude * precision).exp().item() == pytest.approx(abs(value))
    else:
        assert magnitude.item() == -1
        assert sign.item() == pytest.approx(torch.e**precision * value)
    (magnitude + sign).backward()
    assert torch.isfinite(gradient.grad)


def test_a_learned_optimiser_beats_tuned_gradient_descent_on_quadratics():
    # theta_1^2 and 30 theta_2^2: no step size suits both, and the gradients tell them apart.
    curvature = torch.tensor([1.0, 30.0]).expand(32, 2)

    def run(optimizer, starts, n_steps=20):
        position, losses = optimizer.start({"w": starts}), []
        for step in range(n_steps):
            gradients = {"w": 2 * curvature * position.params["w"].detach()}
            position = optimizer(position, gradients, step)
            losses.append((curvature * position.params["w"].square()).sum(dim=1).mean())
        return torch.stack(losses)

    test = torch.randn(32, 2)
    rates = torch.logspace(-3, -1.5, 20).tolist()
    tuned = min(run(InnerSGD(lr), test)[-1].item() for lr in rates)
    learned = RecurrentOptimizer(scale=0.02, n_hidden=8)
    outer = torch.optim.Adam(learned.parameters(), lr=0.02)
    for _ in range(60):
        outer.zero_grad()
        run(learned, torch.randn(32, 2)).log().mean().backward()
        torch.nn.utils.clip_grad_norm_(learned.parameters(), 1.0)
        outer.step()
    with torch.no_grad():
        assert run(learned, test)[-1].item() < 0.5 * tuned

"""Implicit gradients: those of the exact solution of the inner problem."""

import pytest
import torch
from gradient_checks import (
    Plain,
    finite_differences,
    meta_gradient,
    query_loss,
    relative_error,
    small_mlp,
)
from torch import nn

from skmeta.nets import IMAML, MAML, InnerSGD, conjugate_gradients, squared_error


def converged(network):
    options = {"proximity": 1.0, "n_solver_steps": 40}
    return IMAML(network, squared_error, InnerSGD(0.3, 0.3), 120, **options)


def test_gradient_equals_finite_differences_of_the_exact_solution(pad, regression_tasks):
    support, query = pad(regression_tasks([5, 3, 0])), pad(regression_tasks([4, 6, 5]))
    imaml = converged(small_mlp())

    def loss():
        return query_loss(imaml, support, query)

    expected = finite_differences(imaml, loss, step=1e-4)
    assert relative_error(meta_gradient(imaml, loss()), expected) < 1e-6


def test_any_module_has_the_same_gradient(pad, regression_tasks):
    network = small_mlp()
    wrapped = Plain(network)
    wrapped.unused = nn.Parameter(torch.ones(3).double())
    support, query = pad(regression_tasks([5, 3, 0])), pad(regression_tasks([4, 6, 5]))
    expected = meta_gradient(*(lambda m: (m, query_loss(m, support, query)))(converged(network)))
    imaml = converged(wrapped)
    query_loss(imaml, support, query).backward()
    gradient = torch.cat([param.grad.flatten() for param in network.parameters()])
    torch.testing.assert_close(gradient, expected)
    assert (wrapped.unused.grad == 0).all()


def test_the_solution_is_a_minimum(pad, regression_tasks):
    support = pad(regression_tasks([5, 3]))._replace(weight=torch.rand(2, 5).double())
    imaml = converged(small_mlp()).eval()
    state = imaml.adapt(support)
    for name, moved in imaml.adapt(support, n_steps=121).items():
        torch.testing.assert_close(moved, state[name], rtol=0, atol=1e-12)
    start = dict(imaml.named_parameters())
    assert any((state[name] - start[name]).abs().max() > 0.01 for name in state)


def test_linear_regression_in_closed_form(pad, regression_tasks):
    # minimum of mean (x w - y)^2 + lambda / 2 |w - w0|^2
    network = nn.Linear(2, 1, bias=False).double()
    (X, y), *_ = regression_tasks([6])
    imaml = IMAML(network, squared_error, InnerSGD(0.1), 2000, proximity=0.5, n_solver_steps=2)
    A = 2 * X.T @ X / 6 + 0.5 * torch.eye(2).double()
    start = network.weight.detach().T
    expected = torch.linalg.solve(A, 2 * X.T @ y / 6 + 0.5 * start)
    found = imaml.adapt(pad([(X, y)]))["backbone.weight"]
    torch.testing.assert_close(found[0].T.detach(), expected)
    found.sum().backward()
    torch.testing.assert_close(
        network.weight.grad.T, torch.linalg.solve(A, 0.5 * torch.ones(2, 1).double())
    )


def test_memory_does_not_grow_with_steps(pad, regression_tasks):
    support, sizes = pad(regression_tasks([5, 3])), []
    for n_steps in (1, 50):
        state = IMAML(small_mlp(), squared_error, InnerSGD(0.1), n_steps).adapt(support)
        sizes.append(_graph_size(state["backbone.layers.0.weight"].grad_fn))
    assert sizes[0] == sizes[1]


def _graph_size(node):
    return 0 if node is None else 1 + sum(_graph_size(parent) for parent, _ in node.next_functions)


def test_no_support_row_gives_the_gradient_at_the_initialisation(pad, regression_tasks):
    network, query = small_mlp(), pad(regression_tasks([4]))
    imaml = IMAML(network, squared_error, InnerSGD(0.3), 5)
    loss = query_loss(imaml, pad(regression_tasks([0])), query)
    expected = torch.autograd.grad(
        squared_error(network(query.X), query.y).mean(), [*network.parameters()]
    )
    torch.testing.assert_close(
        meta_gradient(imaml, loss), torch.cat([g.flatten() for g in expected])
    )


@pytest.mark.parametrize("n", [1, 4, 10])
def test_conjugate_gradients_solve(n):
    root = torch.randn(3, n, n).double()
    A, b = root @ root.mT + 0.1 * torch.eye(n).double(), torch.randn(3, n).double()
    b[1] = 0

    def product(x):
        return (A @ x.unsqueeze(-1)).squeeze(-1)

    expected = torch.linalg.solve(A, b)
    torch.testing.assert_close(conjugate_gradients(product, b, 3 * n), expected)
    assert conjugate_gradients(product, b, 200).isfinite().all()


def test_conjugate_gradients_stop_where_the_matrix_is_not_positive():
    diagonal = torch.tensor([[1.0, 2.0], [-1.0, -2.0]])
    solution = conjugate_gradients(lambda x: diagonal * x, torch.ones(2, 2), 5)
    torch.testing.assert_close(solution, torch.tensor([[1.0, 0.5], [0.0, 0.0]]))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_step_size_that_is_far_too_large_lowers_the_objective_all_the_same(
    momentum, pad, regression_tasks
):
    support = pad(regression_tasks([5, 3]))
    imaml = IMAML(small_mlp(), squared_error, InnerSGD(50.0, momentum), 30).eval()
    states = imaml.trajectory(support)
    objectives = torch.stack(
        [
            imaml._objective({name.removeprefix("backbone."): p for name, p in s.items()}, support)
            for s in states
        ]
    )
    assert (objectives.diff(dim=0) <= 1e-12).all()
    assert (objectives[-1] < 0.9 * objectives[0]).all()


def test_steps_that_lower_the_objective_are_those_of_plain_descent(pad, regression_tasks):
    support = pad(regression_tasks([5, 3]))
    network = small_mlp()
    state = IMAML(network, squared_error, InnerSGD(0.1), 1).eval().adapt(support)
    plain = MAML(network, squared_error, InnerSGD(0.1), 1).eval().adapt(support)
    for name, param in plain.items():
        torch.testing.assert_close(state[name], param)

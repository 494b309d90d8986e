import copy
import pickle

import pytest
import torch
from torch import nn

from skmeta.nets import (
    MLP,
    ConvNet,
    TaskBatchNorm,
    forward_shared,
    forward_tasks,
    initial_parameters,
)
from skmeta.nets._mlp import ACTIVATIONS


class Plain(nn.Module):
    """Hides the fast path of a module, so that it is vectorised like any other."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, X):
        return self.module(X)


def own_parameters(module, n_tasks):
    """Draw other parameters for each task."""
    shared = initial_parameters(module, n_tasks)
    return {name: param + torch.randn(param.shape) for name, param in shared.items()}


def one_by_one(module, params, X):
    """Call an ordinary copy of the module on each task in turn."""
    outputs = []
    for i, rows in enumerate(X):
        task_module = copy.deepcopy(module)
        task_module.load_state_dict({name: p[i] for name, p in params.items()}, strict=False)
        outputs.append(task_module(rows))
    return torch.stack(outputs)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden_sizes", [(), (4,), (5, 4, 3)])
def test_mlp_on_all_tasks_equals_mlp_on_each(hidden_sizes, activation):
    mlp = MLP(3, 2, hidden_sizes, activation).double()
    params, X = own_parameters(mlp, 4), torch.randn(4, 6, 3).double()
    expected = one_by_one(mlp, params, X)
    torch.testing.assert_close(mlp.forward_tasks(params, X), expected)
    vectorised = forward_tasks(
        Plain(mlp), {f"module.{name}": param for name, param in params.items()}, X
    )
    torch.testing.assert_close(vectorised, expected)


def test_mlp_takes_any_leading_axes():
    mlp = MLP(3, 2)
    X = torch.randn(4, 5, 3)
    torch.testing.assert_close(mlp(X)[1, 2], mlp(X[1, 2]))


def test_mlp_refuses_an_unknown_activation():
    with pytest.raises(ValueError, match=r"activation must be one of relu, tanh,.*got 'sine'"):
        MLP(1, 1, activation="sine")


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(3, 2),
        nn.Linear(3, 2, bias=False),
        nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8), nn.PReLU(), nn.Linear(8, 2)),
        nn.Sequential(nn.Unflatten(1, (1, 3)), nn.Conv1d(1, 2, 3), nn.Flatten()),
        nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2)),
    ],
    ids=["linear", "no bias", "layer norm", "conv", "batch norm"],
)
def test_any_module_on_all_tasks_equals_the_module_on_each(module):
    params, X = own_parameters(module, 4), torch.randn(4, 6, 3)
    torch.testing.assert_close(forward_tasks(module, params, X), one_by_one(module, params, X))


def test_module_that_uses_a_layer_twice():
    layer = nn.Linear(3, 3)
    module = nn.Sequential(layer, nn.Tanh(), layer)
    params, X = own_parameters(module, 2), torch.randn(2, 5, 3)
    assert list(params) == ["0.weight", "0.bias"]
    params_of_both = params | {name.replace("0", "2"): p for name, p in params.items()}
    expected = one_by_one(module, params_of_both, X)
    torch.testing.assert_close(forward_tasks(module, params, X), expected)


def test_module_with_a_buffer_but_no_parameter():
    module = nn.Module()
    module.register_buffer("scale", torch.tensor(2.0))
    module.forward = lambda X: X * module.scale
    X = torch.randn(4, 6, 3)
    assert initial_parameters(module, 4) == {}
    torch.testing.assert_close(forward_tasks(module, {}, X), 2 * X)


def test_initial_parameters_are_not_copied():
    linear = nn.Linear(3, 2)
    params = initial_parameters(linear, 5)
    assert params["weight"].data_ptr() == linear.weight.data_ptr()
    params["weight"].sum().backward()
    assert (linear.weight.grad == 5).all()


def test_lazy_module_is_refused():
    with pytest.raises(ValueError, match=r"parameters without a shape: 0\.weight, 0\.bias"):
        initial_parameters(nn.Sequential(nn.LazyLinear(3)), 2)


def test_dropout_differs_between_tasks_and_rests_in_evaluation():
    module = nn.Sequential(nn.Linear(3, 50), nn.Dropout(0.5))
    params, X = initial_parameters(module, 2), torch.ones(2, 1, 3)
    first, second = forward_tasks(module, params, X)
    assert (first != second).any()
    first, second = forward_tasks(module.eval(), params, X)
    assert (first == second).all()


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_uses_the_task_and_leaves_the_module_alone(training):
    module = nn.Sequential(nn.BatchNorm1d(3)).train(training)
    before = copy.deepcopy(module.state_dict())
    X = 100 + torch.randn(4, 50, 3)
    normalised = forward_tasks(module, initial_parameters(module, 4), X)
    torch.testing.assert_close(normalised.mean(1), torch.zeros(4, 3), atol=1e-4, rtol=0)
    assert isinstance(module[0], nn.BatchNorm1d)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("shape", [(7, 3), (7, 3, 4), (7, 3, 4, 5)])
@pytest.mark.parametrize("affine", [True, False])
def test_task_batch_norm_equals_that_of_torch(shape, affine):
    X = torch.randn(shape, dtype=torch.float64)
    layer = TaskBatchNorm(3, affine).double()
    torch.testing.assert_close(layer(X), nn.functional.batch_norm(X, None, None, training=True))


def test_task_batch_norm_skips_padding():
    layer = TaskBatchNorm(3)
    X, mask = torch.randn(7, 3, 4), torch.tensor([1, 1, 0, 1, 0, 1, 0]).bool()
    normalised = torch.func.functional_call(layer, {"row_mask": mask}, X)
    torch.testing.assert_close(normalised[mask], layer(X[mask]))


def test_task_batch_norm_is_finite_without_rows():
    layer = TaskBatchNorm(3)
    no_row = {"row_mask": torch.zeros(2).bool()}
    assert torch.func.functional_call(layer, no_row, torch.zeros(2, 3)).isfinite().all()
    assert layer(torch.zeros(0, 3)).shape == (0, 3)


def test_row_masks_do_not_enter_the_state_dict():
    assert set(TaskBatchNorm(3).state_dict()) == {"weight", "bias"}


def test_convnet_on_all_tasks_equals_convnet_on_each():
    net = ConvNet((2, 8, 9), n_outputs=5, n_channels=4, n_blocks=3).double()
    params, X = own_parameters(net, 3), torch.randn(3, 6, 2 * 8 * 9).double()
    torch.testing.assert_close(forward_tasks(net, params, X), one_by_one(net, params, X))


def test_convnet_takes_any_leading_axes():
    net = ConvNet((1, 4, 4), n_outputs=3, n_channels=2, n_blocks=2)
    X = torch.randn(2, 5, 16)
    torch.testing.assert_close(net(X), net(X.flatten(0, 1)).unflatten(0, (2, 5)))
    assert net(X[:, :0]).shape == (2, 0, 3)


def test_convnet_without_head_returns_features():
    net = ConvNet((1, 8, 8), n_outputs=None, n_channels=3, n_blocks=2)
    assert net(torch.ones(5, 64)).shape == (5, 3 * 2 * 2)


def test_convnet_refuses_a_small_image():
    with pytest.raises(ValueError, match=r"at least 16 for n_blocks=4; got \(3, 15, 40\)"):
        ConvNet((3, 15, 40), n_outputs=5)


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(16, 2),
        nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 2, 4), nn.Flatten()),
        ConvNet((1, 4, 4), n_outputs=2, n_channels=2, n_blocks=1),
    ],
    ids=["linear", "conv", "task batch norm"],
)
def test_shared_module_sees_real_rows_of_one_task(module):
    X, mask = torch.randn(3, 6, 16), torch.rand(3, 6) < 0.6
    output = forward_shared(module, X, mask)
    for i in range(3):
        torch.testing.assert_close(output[i, mask[i]], module(X[i, mask[i]]))


def test_shared_batch_norm_trains_its_running_averages_on_real_rows():
    module = nn.BatchNorm1d(3, momentum=1.0)
    X, mask = torch.randn(2, 6, 3), torch.rand(2, 6) < 0.6
    forward_shared(module, X, mask)
    torch.testing.assert_close(module.running_mean, X[mask].mean(0))


@pytest.mark.parametrize("module", [MLP(4, 2), ConvNet((1, 4, 4), 2, n_blocks=2)])
def test_backbones_pickle(module):
    rows = torch.randn(5, 4 if isinstance(module, MLP) else 16)
    torch.testing.assert_close(pickle.loads(pickle.dumps(module))(rows), module(rows))

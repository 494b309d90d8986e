"""Calling a module on all tasks of a batch at once."""

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy

from skmeta.nets._batch_norm import TaskBatchNorm
from skmeta.nets._mlp import MLP, affine_map

_LAYERS_OF_SINGLE_ROWS = {
    MLP,
    nn.ELU,
    nn.GELU,
    nn.Identity,
    nn.LayerNorm,
    nn.LeakyReLU,
    nn.Linear,
    nn.ModuleList,
    nn.ReLU,
    nn.Sequential,
    nn.Sigmoid,
    nn.SiLU,
    nn.Softplus,
    nn.Tanh,
}


def initial_parameters(module: nn.Module, n_tasks: int) -> dict[str, Tensor]:
    """Give every task the module's parameters, without copying them.

    Parameters
    ----------
    module : Module
        Any module.
    n_tasks : int
        Number of tasks ``B``.

    Returns
    -------
    dict of Tensor, each of shape (B, ...)
        Parameters by name; gradients flow back to those of the module.

    Raises
    ------
    ValueError
        If the module is lazy and does not know the shapes of its parameters yet.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import initial_parameters
    >>> params = initial_parameters(torch.nn.Linear(3, 2), n_tasks=5)
    >>> {name: tuple(param.shape) for name, param in params.items()}
    {'weight': (5, 2, 3), 'bias': (5, 2)}
    """
    return {
        name: param.expand(n_tasks, *param.shape)
        for name, param in _named_parameters(module).items()
    }


def parameter_shapes(module: nn.Module) -> dict[str, torch.Size]:
    """Name the parameters of a module and their shapes.

    Parameters
    ----------
    module : Module
        Any module.

    Returns
    -------
    dict of torch.Size
        Shapes by name.

    Raises
    ------
    ValueError
        If the module is lazy and does not know the shapes of its parameters yet.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import parameter_shapes
    >>> parameter_shapes(torch.nn.Linear(3, 2))
    {'weight': torch.Size([2, 3]), 'bias': torch.Size([2])}
    """
    return {name: param.shape for name, param in _named_parameters(module).items()}


def _named_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    named = dict(module.named_parameters())
    lazy = [name for name, param in named.items() if is_lazy(param)]
    if lazy:
        raise ValueError(
            f"module has parameters without a shape: {', '.join(lazy)}. Call a lazy module on a "
            "few rows before handing it to a meta-learner."
        )
    return named


def forward_tasks(
    module: nn.Module, params: dict[str, Tensor], X: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Call a module on every task, each with parameters of its own.

    A module that has a method ``forward_tasks(params, X, mask)`` does so itself. Any other is
    called on the rows of one task, of shape (N, D): vectorised over the tasks by
    :func:`torch.vmap`, or in a loop where that is faster (see :func:`is_faster_in_a_loop`). The
    call leaves the module untouched, and any number of threads may share it: layers that draw
    random numbers draw others for each task, and batch normalisation uses the statistics of the
    task's real rows (see :class:`TaskBatchNorm`) whatever its running averages, which are neither
    used nor updated. Nor does the module keep what its layers write into buffers.

    Parameters
    ----------
    module : Module
        Any module that maps rows of shape (N, D) to (N, O).
    params : dict of Tensor, each of shape (B, ...)
        Parameters of each task, by name.
    X : Tensor of shape (B, N, D)
        Rows of each task.
    mask : bool Tensor of shape (B, N), optional
        True for real rows, False for padding; None means that all are real.

    Returns
    -------
    Tensor of shape (B, N, O)
        Outputs.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import forward_tasks
    >>> params = {"weight": torch.tensor([[[1.0]], [[2.0]]])}
    >>> forward_tasks(torch.nn.Linear(1, 1, bias=False), params, torch.ones(2, 1, 1)).flatten()
    tensor([1., 2.])
    """
    own = getattr(module, "forward_tasks", None)
    if own is not None:
        return own(params, X, mask)
    if type(module) is nn.Linear:
        return affine_map(X, params["weight"], params.get("bias"))
    return _call_on_each(with_task_statistics(module), params, X, mask)


def forward_shared(module: nn.Module, X: Tensor, mask: Tensor | None = None) -> Tensor:
    """Call a module on the rows of every task, with the same parameters for all.

    The module sees the real rows of all tasks as one table, so that its layers behave as in
    ordinary training; where no layer looks at other rows, padded ones may be in it. Only where it
    holds a :class:`TaskBatchNorm` do the tasks have to be told apart; it is then vectorised over
    them.

    Parameters
    ----------
    module : Module
        Any module that maps rows of shape (N, D) to (N, E).
    X : Tensor of shape (B, N, D)
        Rows of each task.
    mask : bool Tensor of shape (B, N), optional
        True for real rows, False for padding; None means that all are real.

    Returns
    -------
    Tensor of shape (B, N, E)
        Outputs; those of padded rows are of no meaning.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import forward_shared
    >>> mask = torch.tensor([[True, True], [True, False]])
    >>> forward_shared(torch.nn.Linear(3, 4), torch.zeros(2, 2, 3), mask).shape
    torch.Size([2, 2, 4])
    """
    if any(isinstance(layer, TaskBatchNorm) for layer in module.modules()):
        return _call_on_each(_private_copy(module), {}, X, mask)
    if mask is None or _looks_at_single_rows(module) or mask.all():
        return module(X.flatten(end_dim=1)).unflatten(0, X.shape[:2])
    rows = module(X[mask])
    return rows.new_zeros(*mask.shape, *rows.shape[1:]).index_put((mask,), rows)


def _looks_at_single_rows(module: nn.Module) -> bool:
    """Whether what a network computes for a row is known not to depend on the rows beside it."""
    return all(type(layer) in _LAYERS_OF_SINGLE_ROWS for layer in module.modules())


def with_task_statistics(module: nn.Module) -> nn.Module:
    """Copy a module but not its parameters, with batch normalisation by :class:`TaskBatchNorm`.

    Parameters
    ----------
    module : Module
        Any module.

    Returns
    -------
    Module
        A module that shares its parameters.
    """
    return _replace_batch_norm(_private_copy(module))


def is_faster_in_a_loop(module: nn.Module, X: Tensor) -> bool:
    """Whether to call a module on one task after the other, and not on all at once.

    On a CPU, a convolution of one task's images keeps the machine busy, and convolutions with
    weights for each task become grouped ones, which are slower.
    """
    return X.device.type == "cpu" and any(isinstance(layer, _ConvNd) for layer in module.modules())


def _call_on_each(
    module: nn.Module, params: dict[str, Tensor], X: Tensor, mask: Tensor | None
) -> Tensor:
    """Call a module, which nobody else uses, on the rows of each task."""
    if is_faster_in_a_loop(module, X):
        return _call_one_by_one(module, params, X, mask)
    tensors = params | _row_masks(module, mask)
    return vmap(partial(functional_call, module), randomness="different")(tensors, X)


def _call_one_by_one(
    module: nn.Module, params: dict[str, Tensor], X: Tensor, mask: Tensor | None
) -> Tensor:
    if _all_real(mask):
        for layer in _task_norms(module).values():
            layer.knows_all_real = True
    else:
        params = params | _row_masks(module, mask)
    # Not by indexing, whose gradient would be as large as the tensor, for each task.
    parts = {name: tensor.unbind() for name, tensor in params.items()}
    return torch.stack(
        [
            functional_call(module, {name: part[i] for name, part in parts.items()}, (rows,))
            for i, rows in enumerate(X.unbind())
        ]
    )


def _private_copy(module: nn.Module) -> nn.Module:
    """Copy a module but not its parameters.

    A functional call puts tensors into the module and takes them out again; on a module that other
    threads use at the same time, they would meet each other's.
    """
    memo: dict[int, Any] = {id(param): param for param in module.parameters()}
    memo |= {id(buffer): buffer.clone() for buffer in module.buffers()}
    layers = list(module.modules())
    if any(hasattr(layer, "__deepcopy__") for layer in layers):
        return copy.deepcopy(module, memo)
    # By hand, as deepcopy takes a millisecond for a small network, most of it for empty hooks.
    memo |= {id(layer): object.__new__(type(layer)) for layer in layers}
    for layer in layers:
        vars(memo[id(layer)]).update(
            {name: _copy_attribute(name, value, memo) for name, value in vars(layer).items()}
        )
    return memo[id(module)]


def _copy_attribute(name: str, value: Any, memo: dict[int, Any]) -> Any:
    if name in ("_modules", "_parameters", "_buffers"):
        return {key: None if part is None else memo[id(part)] for key, part in value.items()}
    if "_hooks" in name or isinstance(value, int | float | str | None):
        return value
    if isinstance(value, tuple | set) and all(isinstance(part, int | str) for part in value):
        return copy.copy(value)
    return copy.deepcopy(value, memo)


def _replace_batch_norm(module: nn.Module) -> nn.Module:
    """Replace every batch normalisation, in place, and return the module."""
    if isinstance(module, _BatchNorm):
        return TaskBatchNorm.like(module)
    for name, child in module._modules.items():
        if child is not None:
            module._modules[name] = _replace_batch_norm(child)
    return module


def _all_real(mask: Tensor | None) -> bool:
    """Whether no row is padding; a compiler does not see the numbers, and fuses either case."""
    return get_proxy_mode() is None and (mask is None or bool(mask.all()))


def _row_masks(module: nn.Module, mask: Tensor | None) -> dict[str, Tensor]:
    """Name the buffers through which the layers of a module learn which rows are real."""
    if mask is None:
        return {}
    return {f"{name}.row_mask".removeprefix("."): mask for name in _task_norms(module)}


def _task_norms(module: nn.Module) -> dict[str, TaskBatchNorm]:
    """The layers that look at all rows of a task, by name."""
    return {n: layer for n, layer in module.named_modules() if isinstance(layer, TaskBatchNorm)}

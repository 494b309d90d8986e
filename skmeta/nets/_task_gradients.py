"""Losses of all tasks on their support, and the gradients of each in its own parameters.

Every gradient step of every learner calls :func:`task_gradients`, and nothing else computes inner
gradients: what makes it faster makes all of them faster.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from skmeta.nets._functional import forward_tasks
from skmeta.nets._layer_gradients import layer_gradients, layers_of
from skmeta.nets._losses import mask_classes, masked_mean
from skmeta.nets._slopes import LOSS_SLOPES
from skmeta.nets._support import Support

RowLoss = Callable[[Tensor, Tensor], Tensor]


def task_losses(
    module: nn.Module, params: dict[str, Tensor], support: Support, row_loss: RowLoss
) -> Tensor:
    """Mean loss of each task over its support rows.

    Parameters
    ----------
    module : Module
        Network that maps rows of shape (N, D) to outputs of shape (N, O).
    params : dict of Tensor, each of shape (B, ...)
        All parameters of the module, of each task.
    support : Support
        Labelled rows of the tasks.
    row_loss : callable
        Loss of each row, ``row_loss(output, y) -> Tensor of shape (B, S)``.

    Returns
    -------
    Tensor of shape (B,)
        Losses; zero for a task without rows.
    """
    output = forward_tasks(module, params, support.X, support.mask)
    output = mask_classes(output, support.class_mask)
    return masked_mean(row_loss(output, support.y), support.mask, support.weight)


def task_gradients(
    module: nn.Module,
    params: dict[str, Tensor],
    adapted: Sequence[str],
    support: Support,
    row_loss: RowLoss,
    create_graph: bool,
) -> dict[str, Tensor]:
    """Gradient of each task's support loss in its own parameters.

    For an :class:`MLP` or a linear layer and the losses of this package, by hand-derived formulas;
    otherwise by autograd.

    Parameters
    ----------
    module : Module
        Network that maps rows of shape (N, D) to outputs of shape (N, O).
    params : dict of Tensor, each of shape (B, ...)
        All parameters of the module, of each task.
    adapted : sequence of str
        Names of those in which gradients are taken. They must require a gradient. At least one.
    support : Support
        Labelled rows of the tasks.
    row_loss : callable
        Loss of each row, ``row_loss(output, y) -> Tensor of shape (B, S)``.
    create_graph : bool
        Whether gradients are to be differentiable themselves, once.

    Returns
    -------
    dict of Tensor, each of shape (B, ...)
        Gradients by name.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MLP, Support, initial_parameters, squared_error, task_gradients
    >>> mlp = MLP(n_inputs=3, n_outputs=1)
    >>> support = Support(torch.zeros(2, 5, 3), torch.zeros(2, 5, 1), torch.ones(2, 5).bool())
    >>> params = initial_parameters(mlp, n_tasks=2)
    >>> gradients = task_gradients(mlp, params, list(params), support, squared_error, False)
    >>> gradients["layers.0.weight"].shape
    torch.Size([2, 40, 3])
    """
    layers, slopes = layers_of(module), LOSS_SLOPES.get(row_loss)
    if layers is not None and slopes is not None:
        return layer_gradients(layers, params, adapted, support, slopes, create_graph)
    gradients = torch.autograd.grad(
        # A task's parameters touch no other task's loss: the gradient of the sum holds the
        # gradients of all tasks.
        task_losses(module, params, support, row_loss).sum(),
        [params[name] for name in adapted],
        create_graph=create_graph,
        materialize_grads=True,  # a parameter may take no part in the output
    )
    return dict(zip(adapted, gradients, strict=True))

"""Plain gradient descent of fully connected networks on many tasks: in place, without a graph.

Adapting for prediction needs neither gradients nor the parameters that were left behind. A step is
added to the weights by the matrix product that gives the gradient.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from skmeta.nets._inner_sgd import InnerOptimizer, InnerSGD, Params
from skmeta.nets._layer_gradients import Layers, layers_of, row_shares, share_out
from skmeta.nets._losses import mask_classes
from skmeta.nets._mlp import ACTIVATIONS, affine_map, product
from skmeta.nets._slopes import ACTIVATION_SLOPES, LOSS_SLOPES
from skmeta.nets._support import Support
from skmeta.nets._task_gradients import RowLoss


class PlainDescent:
    """Steps of one size down the mean loss of a task, in all parameters of a chain of layers.

    Parameters
    ----------
    layers : Layers
        The network.
    row_loss : callable
        Loss of each row, one of those with known slopes.
    optimizer : InnerSGD
        One that :attr:`~InnerSGD.is_plain`.
    """

    def __init__(self, layers: Layers, row_loss: RowLoss, optimizer: InnerSGD) -> None:
        self.layers, self.optimizer = layers, optimizer
        self.slopes = LOSS_SLOPES[row_loss]

    @classmethod
    def of(
        cls, module: nn.Module, row_loss: RowLoss, optimizer: InnerOptimizer
    ) -> "PlainDescent | None":
        """The descent of a network by an optimiser, if it is one; None if not."""
        layers = layers_of(module)
        if layers is None or row_loss not in LOSS_SLOPES:
            return None
        if type(optimizer) is not InnerSGD or not optimizer.is_plain:
            return None
        return cls(layers, row_loss, optimizer)

    @torch.no_grad()
    def __call__(self, params: Params, support: Support, n_steps: int) -> Params:
        """Take the steps.

        Parameters
        ----------
        params : dict of Tensor, each of shape (B, ...)
            Where to start. They are not changed.
        support : Support
            Labelled rows of the tasks.
        n_steps : int
            Number of steps.

        Returns
        -------
        dict of Tensor, each of shape (B, ...)
            Where that leads, detached.
        """
        params = {name: param.detach() for name, param in params.items()}
        shares = row_shares(support)
        for step in range(n_steps):
            # All that follows is linear in these, and thus of the length of the step.
            lengths = shares * -self.optimizer.rate(self.layers.names[0][0], step)
            self._step(params, support, lengths, in_place=step > 0)
        return params

    def _step(self, params: Params, support: Support, lengths: Tensor, in_place: bool) -> None:
        names, class_mask = self.layers.names, support.class_mask
        weights = [params[weight] for weight, _ in names]
        biases = [None if bias is None else params[bias] for _, bias in names]
        activation = self.layers.activation
        # In place where its slope can be told from its value: it all has to fit into the cache.
        activate = torch.relu_ if activation == "relu" else ACTIVATIONS[activation]
        inputs, sums = [support.X], []
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            sums.append(_affine(inputs[-1], weight, bias))
            inputs.append(activate(sums[-1]))
        output = mask_classes(_affine(inputs[-1], weights[-1], biases[-1]), class_mask)
        delta = share_out(self.slopes.first(output, support.y), lengths, class_mask)
        for i in range(len(names) - 1, -1, -1):
            name, bias_name = names[i]
            pulled = _product(delta, weights[i]) if i else None  # before the weight moves
            params[name] = _add_row_products(weights[i], delta, inputs[i], in_place)
            if bias_name is not None:
                params[bias_name] = params[bias_name] + delta.sum(dim=1)
            if pulled is not None:
                steepness = ACTIVATION_SLOPES[activation].first(sums[i - 1], inputs[i])
                delta = pulled.mul_(steepness)


def _affine(X: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if X.shape[-1] > 1 and _is_shared(weight):
        return linear(X, weight[0], None if bias is None else bias[0])
    return affine_map(X, weight, bias)


def _product(left: Tensor, right: Tensor) -> Tensor:
    return left @ right[0] if left.shape[-1] > 1 and _is_shared(right) else product(left, right)


def _is_shared(weight: Tensor) -> bool:
    """Tell whether tasks share their weights, as before the first step: one product is quicker."""
    return weight.stride(0) == 0


def _add_row_products(total: Tensor, left: Tensor, right: Tensor, in_place: bool) -> Tensor:
    """Add outer products of rows, in one operation."""
    add = Tensor.baddbmm_ if in_place else torch.baddbmm
    if right.shape[-1] == 1:  # at which ``baddbmm`` is slow, unless turned around
        return add(total.mT, right.mT, left).mT
    return add(total, left.mT, right)

"""Gradients of fully connected networks, and their derivatives, derived by hand.

Autograd gives the same numbers, but has to build and walk a graph to get a gradient, and a larger
one to differentiate it. Here a gradient is one node of the graph, whose own derivative is written
out as well; where nothing is differentiated further there is no graph at all.

Notation, for a layer with weight W and bias b: it turns its input ``a`` into ``a W' + b``, and
``delta`` is the derivative of the task's loss in that. In the derivative of the gradient, ``_bar``
marks what multiplies the change of a quantity.
"""

from collections.abc import Collection, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable

from skmeta.nets._losses import mask_classes
from skmeta.nets._mlp import ACTIVATIONS, MLP, affine_map, product, row_products
from skmeta.nets._slopes import ACTIVATION_SLOPES, ActivationSlopes, LossSlopes
from skmeta.nets._support import Support


class Layers(NamedTuple):
    """A network that is a chain of affine maps with an activation in between.

    Attributes
    ----------
    names : list of (str, str or None)
        Names of the weight and the bias of each map; None where there is no bias.
    activation : str
        One of :data:`ACTIVATIONS`.
    """

    names: list[tuple[str, str | None]]
    activation: str


def layers_of(module: nn.Module) -> Layers | None:
    """Take a network for a chain of layers, if it is one; None if not."""
    # A subclass may compute anything.
    if type(module) is MLP:
        count = range(len(module.layers))
        return Layers(
            [(f"layers.{i}.weight", f"layers.{i}.bias") for i in count], module.activation
        )
    if type(module) is nn.Linear:
        return Layers([("weight", None if module.bias is None else "bias")], "relu")
    return None


def layer_gradients(
    layers: Layers,
    params: dict[str, Tensor],
    adapted: Collection[str],
    support: Support,
    slopes: LossSlopes,
    create_graph: bool,
) -> dict[str, Tensor]:
    """Gradient of each task's support loss in its own parameters.

    Parameters
    ----------
    layers : Layers
        The network.
    params : dict of Tensor, each of shape (B, ...)
        All parameters of the network, of each task.
    adapted : collection of str
        Names of those in which gradients are taken.
    support : Support
        Labelled rows of the tasks.
    slopes : LossSlopes
        Derivatives of each row's loss.
    create_graph : bool
        Whether gradients are to be differentiable themselves, once.

    Returns
    -------
    dict of Tensor, each of shape (B, ...)
        Gradients by name.
    """
    weights = [params[weight] for weight, _ in layers.names]
    biases = [None if bias is None else params[bias] for _, bias in layers.names]
    plan = _Plan(layers, frozenset(adapted), slopes)
    rows = support.X, support.y, row_shares(support), support.class_mask
    if create_graph:
        found = _LayerGradients.apply(plan, *rows, *weights, *biases)
    else:
        with torch.no_grad():
            found = _gradients(plan, *rows, weights, biases)[0]
    gradients = {
        name: gradient
        for name, gradient in zip(plan.gradient_names, found, strict=True)
        if name is not None
    }
    return {name: gradients[name] for name in adapted}


class _Plan(NamedTuple):
    """What is differentiated, apart from numbers."""

    layers: Layers
    adapted: frozenset[str]
    loss_slopes: LossSlopes

    @property
    def activation_slopes(self) -> ActivationSlopes:
        return ACTIVATION_SLOPES[self.layers.activation]

    @property
    def gradient_names(self) -> list[str | None]:
        """Names of all weights, then of all biases; None where no gradient is wanted."""
        weights, biases = zip(*self.layers.names, strict=True)
        return [name if name in self.adapted else None for name in (*weights, *biases)]

    @property
    def lowest(self) -> int:
        """The first layer of which anything is adapted."""
        return min(i for i, pair in enumerate(self.layers.names) if self.adapted & set(pair))


class _Pass(NamedTuple):
    """What a pass through the network and back has come by, in lists over layers.

    Below the lowest layer of which anything is adapted, there are no deltas and bends, but None.
    """

    inputs: list[Tensor]
    steepness: list[Tensor]  # slopes of the activations
    deltas: list[Any]
    bends: list[Any]  # what the curvature of the activations is multiplied by
    output: Tensor


def _gradients(
    plan: _Plan,
    X: Tensor,
    y: Tensor,
    shares: Tensor,
    class_mask: Tensor | None,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor | None],
    with_bends: bool = False,
) -> tuple[list[Tensor | None], _Pass]:
    """Gradients in the order of `gradient_names`, by backpropagation."""
    activate, slopes = ACTIVATIONS[plan.layers.activation], plan.activation_slopes
    inputs, sums, steepness = [X], [], []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        sums.append(affine_map(inputs[-1], weight, bias))
        inputs.append(activate(sums[-1]))
        steepness.append(slopes.first(sums[-1], inputs[-1]))
    output = mask_classes(affine_map(inputs[-1], weights[-1], biases[-1]), class_mask)
    delta = share_out(plan.loss_slopes.first(output, y), shares, class_mask)
    n, names = len(weights), plan.gradient_names
    deltas: list[Any] = [None] * n
    bends: list[Any] = [None] * (n - 1)
    found: list[Any] = [None] * (2 * n)
    for i in range(n - 1, plan.lowest - 1, -1):
        deltas[i] = delta
        if names[i] is not None:
            found[i] = row_products(delta, inputs[i])
        if names[n + i] is not None:
            found[n + i] = delta.sum(dim=1)
        if i > plan.lowest:
            pulled = product(delta, weights[i])
            delta = pulled * steepness[i - 1]
            if with_bends and slopes.second is not None:
                bends[i - 1] = pulled * slopes.second(sums[i - 1], inputs[i])
    return found, _Pass(inputs, steepness, deltas, bends, output)


def _transposed(
    plan: _Plan,
    shares: Tensor,
    class_mask: Tensor | None,
    weights: Sequence[Tensor],
    passed: _Pass,
    bars: Sequence[Any],
    needs: Sequence[bool],
) -> tuple[Tensor | None, list[Tensor | None]]:
    """Derivative of the sum of products of gradients with `bars`, in X, all weights, all biases.

    This is the reverse of :func:`_gradients`: first up the layers along the deltas, then down
    again along the inputs.
    """
    inputs, steepness, deltas, bends, output = passed
    n, lowest = len(weights), plan.lowest
    delta_bars: list[Any] = [None] * n
    pushed: list[Any] = [None] * n  # delta_bar of the layer below, through the activation
    for i in range(lowest, n):
        delta_bars[i] = _direct(inputs[i], bars[i], bars[n + i])
        if i > lowest:
            pushed[i] = delta_bars[i - 1] * steepness[i - 1]
            delta_bars[i] = _add_product(delta_bars[i], pushed[i], weights[i].mT)
    bar = share_out(delta_bars[-1], shares, class_mask)
    bar = plan.loss_slopes.second(output, bar)
    if class_mask is not None:
        bar = bar * class_mask.unsqueeze(1)
    found: list[Any] = [None] * (2 * n)
    for i in range(n - 1, -1, -1):
        if needs[1 + i]:
            found[i] = row_products(bar, inputs[i])
            if pushed[i] is not None:
                found[i] = found[i] + row_products(deltas[i], pushed[i])
        if needs[1 + n + i]:
            found[n + i] = bar.sum(dim=1)
        if not any(needs[: 1 + i]) and not any(needs[1 + n : 1 + n + i]):
            return None, found
        bar = product(bar, weights[i])
        if bars[i] is not None:
            bar = _add_product(bar, deltas[i], bars[i])
        if i:
            bar = bar * steepness[i - 1]
            if bends[i - 1] is not None:
                bar = torch.addcmul(bar, bends[i - 1], delta_bars[i - 1])
    return bar, found


class _LayerGradients(Function):
    """Gradients as one node of autograd's graph."""

    @staticmethod
    def forward(
        ctx: Any,
        plan: _Plan,
        X: Tensor,
        y: Tensor,
        shares: Tensor,
        class_mask: Tensor | None,
        *params: Any,
    ) -> tuple:
        n = len(params) // 2
        found, passed = _gradients(
            plan, X, y, shares, class_mask, params[:n], params[n:], with_bends=True
        )
        ctx.plan = plan
        # Through autograd's own store, so that whoever recomputes an inner step can drop them.
        by_layer = (params[:n], *passed[:-1])
        ctx.save_for_backward(shares, class_mask, passed.output, *chain(*by_layer))
        return tuple(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *bars: Tensor | None) -> tuple:
        shares, class_mask, output, *saved = ctx.saved_tensors
        n = len(bars) // 2
        weights, inputs, steepness, deltas, bends = _cut(saved, (n, n, n - 1, n, n - 1))
        passed = _Pass(inputs, steepness, deltas, bends, output)
        needs = ctx.needs_input_grad[1:2] + ctx.needs_input_grad[5:]
        X, params = _transposed(ctx.plan, shares, class_mask, weights, passed, bars, needs)
        return None, X, None, None, None, *params


def share_out(rows: Tensor, shares: Tensor, class_mask: Tensor | None) -> Tensor:
    """Weigh each row by its share in the loss; the output of a masked class does not matter."""
    rows = rows * shares.unsqueeze(-1)
    return rows if class_mask is None else rows * class_mask.unsqueeze(1)


def _direct(inputs: Tensor, weight_bar: Tensor | None, bias_bar: Tensor | None) -> Tensor | None:
    """What the gradients of one layer change by as its delta does."""
    if weight_bar is not None:
        return affine_map(inputs, weight_bar, bias_bar)
    return None if bias_bar is None else bias_bar.unsqueeze(1).expand(-1, inputs.shape[1], -1)


def _add_product(total: Tensor | None, left: Tensor, right: Tensor) -> Tensor:
    if total is None:
        return product(left, right)
    if left.shape[-1] == 1:
        return torch.addcmul(total, left, right)
    return torch.baddbmm(total, left, right)


def _cut(tensors: Sequence[Any], sizes: Sequence[int]) -> list[list]:
    rest = iter(tensors)
    return [list(islice(rest, size)) for size in sizes]


def row_shares(support: Support) -> Tensor:
    """Share of each row in the mean loss of its task, of shape (B, S)."""
    weight = support.mask if support.weight is None else support.weight * support.mask
    weight = weight.to(support.X.dtype)
    total = weight.sum(dim=1, keepdim=True)
    return weight / torch.where(total > 0, total, 1.0)

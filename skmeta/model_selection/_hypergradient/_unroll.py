"""Training a skorch net, and how its validation loss depends on the optimiser's options."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import EarlyStopping, Freezer, GradientNormClipping, LRScheduler
from skorch.dataset import unpack_data
from skorch.utils import to_tensor
from torch import Tensor
from torch.func import functional_call

from skmeta.model_selection._hypergradient._dual import Dual
from skmeta.model_selection._hypergradient._updates import make_update

# Parameters of a net that the loss has a derivative by, and the optimiser's names for them.
OPTIONS = {"lr": "lr", "optimizer__lr": "lr", "optimizer__weight_decay": "weight_decay"}
# These change how a net is trained, in ways that are not followed here.
_NOT_FOLLOWED = (EarlyStopping, Freezer, GradientNormClipping, LRScheduler)


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Parameters
    ----------
    loss : float
        Mean validation loss of the trained net; infinite if training diverged.
    relative : float
        The same over the loss of the net before training, so that datasets can be compared.
    gradient : ndarray of shape (n_options,) or None
        Derivative of the relative loss by the logarithm of each option; None if it was not asked
        for or is not finite.
    seconds : float
        Time that the training took, with its derivatives.
    """

    loss: float
    relative: float
    gradient: np.ndarray | None = None
    seconds: float = 0.0


def train(
    net: Any,
    rows: tuple[Any, Any, Any, Any],
    values: Mapping[str, float],
    *,
    seed: int,
    with_gradient: bool = True,
) -> Outcome:
    """Train a net as skorch does, and carry derivatives along (forward-mode differentiation).

    Parameters
    ----------
    net : skorch.NeuralNet
        Not changed.
    rows : tuple of (X, y, X_valid, y_valid)
    values : dict of str to float
        Learning rate and weight decay, by their names as parameters of the net.
    seed : int
        Of initial weights, the order of rows, and dropout.
    with_gradient : bool

    Returns
    -------
    outcome : Outcome

    References
    ----------
    .. [1] Franceschi et al., "Forward and reverse gradient-based hyperparameter optimization",
       ICML 2017, eq. 14.
    """
    X, y, X_valid, y_valid = rows
    began = time.perf_counter()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = _prepare(net, values, X, y)
        unrolled = _Unrolled(net, values if with_gradient else {})
        with torch.random.fork_rng():  # training draws what it draws without this
            start, _ = unrolled.validate(X_valid, y_valid)
        is_finite = all(unrolled.step(batch) for batch in _batches(net, X, y))
        loss, slope = unrolled.validate(X_valid, y_valid)
    seconds = time.perf_counter() - began
    if not (is_finite and np.isfinite(loss)):
        return Outcome(np.inf, np.inf, seconds=seconds)
    if start == 0:
        raise ValueError("The loss is zero before training: is the target the same everywhere?")
    # A loss may be negative, as that of a density.
    relative, gradient = 1 + (loss - start) / abs(start), slope / abs(start)
    is_known = with_gradient and np.isfinite(gradient).all()
    return Outcome(loss, relative, gradient if is_known else None, seconds)


def _prepare(net: Any, values: Mapping[str, float], X: Any, y: Any) -> Any:
    """An initialised copy, as it is when skorch begins to train."""
    net = clone(net).set_params(**values).initialize()
    for name, callback in net.callbacks_:
        if isinstance(callback, _NOT_FOLLOWED):
            raise ValueError(f"Gradients do not follow the callback {name!r}: remove it.")
    # Callbacks may set sizes of layers by the data.
    net.notify("on_train_begin", X=X, y=y)
    net.check_data(X, y)
    return net


def _batches(net: Any, X: Any, y: Any) -> Iterator[Any]:
    dataset, _ = net.get_split_datasets(X, y)
    iterator = net.get_iterator(dataset, training=True)
    for _ in range(net.max_epochs):
        yield from iterator


class _Unrolled:
    """Weights under training, and their derivatives by the logarithms of the options.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised.
    values : dict of str to float
        Options to differentiate by.
    """

    def __init__(self, net: Any, values: Mapping[str, float]):
        self._net, self._module = net, net.module_
        named = {n: p for n, p in self._module.named_parameters() if p.requires_grad}
        self._shapes = {name: parameter.shape for name, parameter in named.items()}
        self._sizes = [parameter.numel() for parameter in named.values()]
        self._n_steps = 0
        names = [OPTIONS[name] for name in values]
        flat = torch.cat([p.detach().reshape(-1) for p in named.values()])
        self.weights = Dual.constant(flat, len(names))
        groups, options = net.get_params_for_optimizer("optimizer", named.items())
        if isinstance(groups[0][0], dict) and len(groups[0]) > 1:
            raise ValueError("Nets with optimizer__param_groups cannot be differentiated.")
        options = {"lr": net.lr, **options}
        self._update, self._options, self._state = make_update(net.optimizer, options, self.weights)
        for name in ("lr", "weight_decay"):
            value = flat.new_tensor([self._options[name]])
            # The derivative of a value by its own logarithm is the value.
            rows = flat.new_tensor([[float(value) if name == other else 0.0] for other in names])
            self._options[name] = Dual(value, rows.reshape(-1, 1))

    def step(self, batch: Any) -> bool:
        """Train on a batch; False if the loss is not finite any more."""
        self._n_steps += 1
        weights = self.weights.value.requires_grad_()
        self._module.train()
        loss = self._loss(weights, *unpack_data(batch), training=True)
        if not torch.isfinite(loss):
            return False
        is_needed = len(self.weights.rows) > 0
        (gradient,) = torch.autograd.grad(loss, weights, create_graph=is_needed)
        rows = [_curved(gradient, weights, row) for row in self.weights.rows]
        by_options = torch.stack(rows) if rows else self.weights.rows
        self.weights, self._state = self._update(
            Dual(weights.detach(), self.weights.rows),
            Dual(gradient.detach(), by_options),
            self._state,
            self._options,
            self._n_steps,
        )
        return True

    def validate(self, X: Any, y: Any) -> tuple[float, np.ndarray]:
        """Mean loss, and its derivative by the logarithm of each option."""
        weights = self.weights.value.detach().requires_grad_()
        self._module.eval()
        total, n_rows = 0.0, 0
        slope = torch.zeros_like(weights)
        dataset = self._net.get_dataset(X, y)
        for batch in self._net.get_iterator(dataset, training=False):
            Xi, yi = unpack_data(batch)
            loss = self._loss(weights, Xi, yi, training=False)
            total += float(loss.detach()) * len(yi)
            n_rows += len(yi)
            slope += torch.autograd.grad(loss, weights)[0] * len(yi)
        gradient = self.weights.rows @ slope / n_rows
        return total / n_rows, gradient.numpy(force=True)

    def _loss(self, weights: Tensor, Xi: Any, yi: Any, *, training: bool) -> Tensor:
        parts = weights.split(self._sizes)
        shapes = self._shapes.items()
        named = {name: w.view(shape) for (name, shape), w in zip(shapes, parts, strict=True)}
        inputs = to_tensor(Xi, device=self._net.device)
        if isinstance(inputs, Mapping):
            predicted = functional_call(self._module, named, (), dict(inputs))
        else:
            predicted = functional_call(self._module, named, (inputs,))
        return self._net.get_loss(predicted, yi, X=Xi, training=training)


def _curved(gradient: Tensor, weights: Tensor, row: Tensor) -> Tensor:
    """Derivative of the gradient by an option: the Hessian times that of the weights."""
    if not gradient.requires_grad:  # the loss is linear in the weights
        return torch.zeros_like(row)
    return torch.autograd.grad(gradient, weights, row, retain_graph=True)[0]

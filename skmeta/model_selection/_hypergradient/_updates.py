"""Steps of SGD and Adam, with derivatives of everything by the hyperparameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from skmeta.model_selection._hypergradient._dual import Dual

State = tuple[Dual, ...]
# Takes weights, gradient, state, options and the number of the step; returns weights and state.
Update = Callable[[Dual, Dual, State, Mapping[str, Any], int], tuple[Dual, State]]


def make_update(
    optimizer: type, options: Mapping[str, Any], weights: Dual
) -> tuple[Update, dict[str, Any], State]:
    """The update rule of an optimiser, all its options and its state at the start.

    Parameters
    ----------
    optimizer : type
        `torch.optim.SGD`, `Adam` or `AdamW`.
    options : dict
        What it is made with, beside the parameters.
    weights : Dual

    Raises
    ------
    ValueError
        If it is another optimiser, or has options whose rule is not written here.
    """
    known: dict[type, tuple[Update, dict[str, Any], int]] = {
        torch.optim.SGD: (sgd, {"momentum": 0.0, "weight_decay": 0.0, "nesterov": False}, 1),
        torch.optim.Adam: (adam, {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}, 2),
        torch.optim.AdamW: (adamw, {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-2}, 2),
    }
    if optimizer not in known:
        names = ", ".join(kind.__name__ for kind in known)
        raise ValueError(f"optimizer must be one of torch's {names}, got {optimizer!r}.")
    rule, defaults, n_buffers = known[optimizer]
    unknown = sorted(set(options) - set(defaults) - {"lr"})
    if unknown:
        raise ValueError(f"Options {unknown} of {optimizer.__name__} cannot be differentiated.")
    zeros = Dual(torch.zeros_like(weights.value), torch.zeros_like(weights.rows))
    return rule, {**defaults, **options}, (zeros,) * n_buffers


def sgd(
    weights: Dual, gradient: Dual, state: State, options: Mapping[str, Any], step: int
) -> tuple[Dual, State]:
    """A step of stochastic gradient descent, with momentum and weight decay."""
    gradient = gradient + options["weight_decay"] * weights
    moving = state[0] * options["momentum"] + gradient
    direction = gradient + moving * options["momentum"] if options["nesterov"] else moving
    return weights - options["lr"] * direction, (moving,)


def adam(
    weights: Dual, gradient: Dual, state: State, options: Mapping[str, Any], step: int
) -> tuple[Dual, State]:
    """A step of Adam, with weight decay in the gradient."""
    return _adam(weights, gradient + options["weight_decay"] * weights, state, options, step)


def adamw(
    weights: Dual, gradient: Dual, state: State, options: Mapping[str, Any], step: int
) -> tuple[Dual, State]:
    """A step of AdamW: weights decay beside the gradient."""
    decayed = weights - options["lr"] * options["weight_decay"] * weights
    return _adam(decayed, gradient, state, options, step)


def _adam(
    weights: Dual, gradient: Dual, state: State, options: Mapping[str, Any], step: int
) -> tuple[Dual, State]:
    (first, second), (mean, square) = options["betas"], state
    mean = mean * first + gradient * (1 - first)
    square = square * second + gradient * gradient * (1 - second)
    correction = (1 - second**step) ** 0.5
    scaled = mean / square.root(correction * options["eps"])
    factor = correction / (1 - first**step)
    return weights - options["lr"] * scaled * factor, (mean, square)

"""Learning rates of a Gaussian process over an embedding: its scales have farther to go."""

from __future__ import annotations

from typing import Any

from torch.optim import Adam

_TIMES = 10.0


def with_quick_scales(options: dict[str, Any], optimizer: Any, lr: float) -> dict[str, Any]:
    """Options of a skorch net under which logarithms of scales are learned ten times as quickly.

    A step of Adam is about as long as the learning rate, whatever the gradient. The weights of a
    network are tenths, while amplitude, length scales and noise start from orders of magnitude
    away: at the rate of the weights, a hundred steps change them by a tenth.

    Parameters
    ----------
    options : dict
        Options of the net.
    optimizer : callable
        The optimiser; steps of others than Adam do depend on the gradient, and are left alone.
    lr : float
        Learning rate of the other parameters.

    Returns
    -------
    dict
        With a group for the process's own logarithms, and not those of the embedding.
    """
    if not (isinstance(optimizer, type) and issubclass(optimizer, Adam)):
        return options
    return options | {"optimizer__param_groups": [("learner.log_*", {"lr": _TIMES * lr})]}

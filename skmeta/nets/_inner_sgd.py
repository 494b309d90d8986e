"""The inner optimiser: gradient descent on the support, whose step sizes may be learned."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

Params = dict[str, Tensor]
"""Parameters of all tasks of a batch by name, each of shape (B, ...)."""

GROUPINGS = ("shared", "layer", "parameter")


class Position(NamedTuple):
    """Where the descent of every task has got to.

    Attributes
    ----------
    params : dict of Tensor, each of shape (B, ...)
        Parameters that are adapted.
    memory : dict of Tensor
        What the optimiser remembers of the steps before: of gradient descent, running sums of
        gradients; empty before its first step and without momentum.
    """

    params: Params
    memory: Params


class InnerOptimizer(Protocol):
    """What takes the steps of all tasks of a batch."""

    def start(self, params: Params) -> Position:
        """The position before the first step."""

    def __call__(self, position: Position, gradients: Params, step: int) -> Position:
        """Take a step."""


class LearnedRate(nn.Module):
    """A number of the inner optimiser that is learned: a step size, a momentum, a decay.

    What is learned is a multiple of the number that training starts from. An outer optimiser such
    as Adam moves all parameters by about the same length, and a step size of 0.01 that is moved by
    0.003 at a time soon makes inner steps diverge.

    Parameters
    ----------
    value : float
        What training starts from. If it is zero, the number itself is learned.
    shapes : mapping of str to torch.Size
        Shapes of the adapted parameters by name.
    per : {"shared", "layer", "parameter"}, default="shared"
        Whether there is one number for all of them, one for each layer, or one for each single
        weight.
    n_steps : int, default=1
        How many steps have a number of their own. Further steps take that of the last.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MLP, LearnedRate, parameter_shapes
    >>> shapes = parameter_shapes(MLP(n_inputs=1, n_outputs=1))
    >>> rate = LearnedRate(0.1, shapes, per="layer", n_steps=2)
    >>> len(list(rate.parameters())), rate("layers.0.weight", step=7).item()
    (3, 0.10000000149011612)
    """

    def __init__(
        self,
        value: float,
        shapes: Mapping[str, torch.Size],
        per: str = "shared",
        n_steps: int = 1,
    ) -> None:
        super().__init__()
        if per not in GROUPINGS:
            raise ValueError(f"per must be one of {', '.join(GROUPINGS)}; got {per!r}.")
        self.per = per
        groups = {name: _group(name, per) for name in shapes}
        self.groups = list(dict.fromkeys(groups.values()))
        self._index = {name: self.groups.index(group) for name, group in groups.items()}
        sizes = shapes.values() if per == "parameter" else [torch.Size()] * len(self.groups)
        self.unit, start = (value, 1.0) if value != 0.0 else (1.0, 0.0)
        self.multiples = nn.ParameterList(torch.full((max(n_steps, 1), *s), start) for s in sizes)

    def forward(self, name: str, step: int) -> Tensor:
        """The number for a parameter in a step, of shape () or that of the parameter."""
        multiples = self.multiples[self._index[name]]
        return self.unit * multiples[min(step, len(multiples) - 1)]

    def read(self) -> dict[str, Tensor]:
        """The numbers of each group of parameters; their first axis is that of the steps."""
        learned = (self.unit * multiples.detach() for multiples in self.multiples)
        return dict(zip(self.groups, learned, strict=True))


class InnerSGD(nn.Module):
    r"""Gradient descent with momentum and weight decay, each task on its own.

    As in :class:`torch.optim.SGD`: with the gradient :math:`g` of a task's loss,

    .. math:: v \leftarrow \mu v + g + \lambda \theta, \quad \theta \leftarrow \theta - \alpha v.

    Parameters
    ----------
    lr, momentum, weight_decay : float or LearnedRate, default=0.01, 0.0, 0.0
        The numbers :math:`\alpha`, :math:`\mu` and :math:`\lambda`. Learned ones are free to become
        negative, as in Meta-SGD [1]_.

    References
    ----------
    .. [1] Li, Zhou, Chen and Li (2017). Meta-SGD: Learning to learn quickly for few-shot learning.
       arXiv:1707.09835.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import InnerSGD
    >>> params, gradients = {"w": torch.ones(1, 2)}, {"w": torch.tensor([[1.0, 2.0]])}
    >>> InnerSGD(lr=0.1).start(params).params["w"]
    tensor([[1., 1.]])
    >>> sgd = InnerSGD(lr=0.1)
    >>> sgd(sgd.start(params), gradients, step=0).params["w"]
    tensor([[0.9000, 0.8000]])
    """

    def __init__(
        self,
        lr: float | LearnedRate = 0.01,
        momentum: float | LearnedRate = 0.0,
        weight_decay: float | LearnedRate = 0.0,
    ) -> None:
        super().__init__()
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay

    def start(self, params: Params) -> Position:
        """The position before the first step."""
        return Position(params, {})

    def forward(self, position: Position, gradients: Params, step: int) -> Position:
        """Take a step.

        Parameters
        ----------
        position : Position
            Where the tasks are.
        gradients : dict of Tensor, each of shape (B, ...)
            Gradients of the tasks' losses there.
        step : int
            Number of steps taken before.

        Returns
        -------
        Position
            Where the tasks are then.
        """
        params, velocity = position
        moved, directions = {}, {}
        for name, direction in gradients.items():
            if _is_used(self.weight_decay):
                decay = _rate(self.weight_decay, name, step)
                direction = _add(direction, params[name], decay)
            if name in velocity:
                momentum = _rate(self.momentum, name, step)
                direction = _add(direction, velocity[name], momentum)
            directions[name] = direction
            moved[name] = _add(params[name], direction, -self.rate(name, step))
        return Position(moved, directions if _is_used(self.momentum) else {})

    @property
    def is_plain(self) -> bool:
        """Whether a step is the gradient times one number for all weights."""
        is_single = not isinstance(self.lr, LearnedRate) or self.lr.per == "shared"
        return is_single and not (_is_used(self.momentum) or _is_used(self.weight_decay))

    def rate(self, name: str, step: int) -> float | Tensor:
        """Step size for a parameter."""
        return _rate(self.lr, name, step)

    def extra_repr(self) -> str:
        numbers = {"lr": self.lr, "momentum": self.momentum, "weight_decay": self.weight_decay}
        return ", ".join(f"{k}={v}" for k, v in numbers.items() if not isinstance(v, nn.Module))


def _rate(rate: float | LearnedRate, name: str, step: int) -> float | Tensor:
    return rate(name, step) if isinstance(rate, LearnedRate) else rate


def _add(tensor: Tensor, direction: Tensor, length: float | Tensor) -> Tensor:
    """Go some length in a direction, in one operation instead of two."""
    if isinstance(length, Tensor):
        return torch.addcmul(tensor, direction, length)
    return torch.add(tensor, direction, alpha=length)


def _is_used(rate: float | LearnedRate) -> bool:
    return isinstance(rate, LearnedRate) or rate != 0.0


def _group(name: str, per: str) -> str:
    if per == "shared":
        return ""
    return name if per == "parameter" else name.rpartition(".")[0]

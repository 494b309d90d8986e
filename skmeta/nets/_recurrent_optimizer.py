"""The inner optimiser that is a recurrent network, the same for every single weight."""

import math

import torch
from torch import Tensor, nn

from skmeta.nets._flatten import flatten_parameters, unflatten_parameters
from skmeta.nets._inner_sgd import LearnedRate, Params, Position


class RecurrentOptimizer(nn.Module):
    r"""Steps by a long short-term memory (LSTM) that works on each weight for itself.

    The network sees nothing but the gradients of one weight, one step after the other, and puts
    out two numbers, which scale the gradient and shift the step:

    .. math:: \theta \leftarrow \theta - \alpha \left( e^{a} g + b \right), \quad
        (a, b, h) = \mathrm{LSTM}(\mathrm{pre}(g), h).

    With :math:`a` alone it is the gate on gradients of [2]_, with :math:`b` alone the
    update of [1]_. Both are zero before training: it starts as gradient descent. As all
    weights share the network's own, it takes tasks of any number, and networks of any shape.

    Parameters
    ----------
    scale : float or LearnedRate, default=0.01
        The length :math:`\alpha`.
    n_hidden : int, default=20
        Units of each layer of the LSTM.
    n_layers : int, default=1
        Its layers.
    precision : float, default=10.0
        The constant :math:`p` of :func:`log_and_sign`.

    References
    ----------
    .. [1] Andrychowicz, Denil, Gomez, Hoffman, Pfau, Schaul, Shillingford and de Freitas (2016).
       Learning to learn by gradient descent by gradient descent. NeurIPS.
    .. [2] Ravi and Larochelle (2017). Optimization as a model for few-shot learning. ICLR.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import RecurrentOptimizer
    >>> optimizer = RecurrentOptimizer(scale=0.1)
    >>> params, gradients = {"w": torch.ones(1, 2)}, {"w": torch.tensor([[1.0, 2.0]])}
    >>> optimizer(optimizer.start(params), gradients, step=0).params["w"].detach()
    tensor([[0.9000, 0.8000]])
    """

    def __init__(
        self,
        scale: float | LearnedRate = 0.01,
        n_hidden: int = 20,
        n_layers: int = 1,
        precision: float = 10.0,
    ) -> None:
        super().__init__()
        self.lr, self.precision = scale, precision
        self.lstm = nn.LSTM(2, n_hidden, n_layers)
        self.head = nn.Linear(n_hidden, 2)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def start(self, params: Params) -> Position:
        """The position before the first step, of a network that has seen nothing."""
        n_weights = sum(param.numel() for param in params.values())
        shape = self.lstm.num_layers, n_weights, self.lstm.hidden_size
        nothing = next(iter(params.values())).new_zeros(shape)
        return Position(params, {"hidden": nothing, "cell": nothing})

    def forward(self, position: Position, gradients: Params, step: int) -> Position:
        """Take a step.

        Parameters
        ----------
        position : Position
            Where the tasks are, and the states of the LSTM.
        gradients : dict of Tensor, each of shape (B, ...)
            Gradients of the tasks' losses there.
        step : int
            Number of steps taken before. It matters to a scale that differs between steps alone.

        Returns
        -------
        Position
            Where the tasks are then.
        """
        params, memory = position
        # All weights of all networks of all tasks are one batch.
        g = flatten_parameters(list(gradients.values()))
        seen = log_and_sign(g, self.precision).flatten(end_dim=1).unsqueeze(0)
        output, (hidden, cell) = self.lstm(seen, (memory["hidden"], memory["cell"]))
        a, b = self.head(output).view(*g.shape, 2).unbind(dim=-1)
        directions = unflatten_parameters(a.exp() * g + b, list(gradients.values()))
        moved = {
            name: params[name] - self._scale(name, step) * direction
            for name, direction in zip(gradients, directions, strict=True)
        }
        return Position(moved, {"hidden": hidden, "cell": cell})

    def _scale(self, name: str, step: int) -> float | Tensor:
        return self.lr(name, step) if isinstance(self.lr, LearnedRate) else self.lr


def log_and_sign(gradient: Tensor, precision: float = 10.0) -> Tensor:
    r"""Gradients of all magnitudes as two numbers between about -1 and 1.

    .. math:: g \mapsto \begin{cases}
        \left(\log |g| / p, \ \mathrm{sgn}(g)\right) & \text{if } |g| \ge e^{-p}, \\
        \left(-1, \ e^p g\right) & \text{otherwise.} \end{cases}

    Parameters
    ----------
    gradient : Tensor of shape (...)
        Gradients.
    precision : float, default=10.0
        The constant :math:`p`: gradients smaller than :math:`e^{-p}` are told apart linearly.

    Returns
    -------
    Tensor of shape (..., 2)
        Magnitude and sign.

    References
    ----------
    .. [1] Andrychowicz et al. (2016). Learning to learn by gradient descent by gradient descent.
       NeurIPS. The preprocessing of gradients.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import log_and_sign
    >>> log_and_sign(torch.tensor([1.0, -1.0, 0.0]))
    tensor([[ 0.,  1.],
            [ 0., -1.],
            [-1.,  0.]])
    """
    smallest = math.exp(-precision)
    is_large = gradient.abs() >= smallest
    # Clamped before the logarithm: its infinite slope at zero would turn into NaN even if unused.
    magnitude = gradient.abs().clamp(min=smallest).log() / precision
    sign = torch.where(is_large, gradient.sign(), gradient / smallest)
    return torch.stack([magnitude, sign], dim=-1)

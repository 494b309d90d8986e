"""Hypernetworks: the support generates the parameters of a network for the task."""

from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._functional import forward_tasks, parameter_shapes
from skmeta.nets._set_encoders import MeanEncoder
from skmeta.nets._state import State
from skmeta.nets._support import Support
from skmeta.nets._target_code import CodedLearner, NumberCode


class HyperNet(CodedLearner):
    r"""Generate the parameters of a network from the support [1]_, for all tasks at once.

    With :math:`z` what a :class:`MeanEncoder` makes of the support, the parameters of a task are

    .. math:: \phi = \theta + W z,

    where :math:`\theta` is learned and starts from the network's own initial values, and :math:`W`
    is learned and starts small. No gradient is taken in a task.

    Parameters
    ----------
    network : Module
        Network that maps rows of shape (N, D) to ``code.n_outputs`` numbers. All its parameters are
        generated, so it should be small: :math:`W` has ``n_units`` times as many.
    n_inputs : int
        Number of features ``D``.
    code : Module
        What targets are: :class:`NumberCode`, :class:`SharedClassCode` or :class:`OwnClassCode`.
    n_units : int, default=64
        Size of :math:`z`.

    References
    ----------
    .. [1] Ha, Dai and Le (2017). HyperNetworks. ICLR; generated from a set of labelled rows as in
       Zhmoginov, Sandler and Vladymyrov (2022). HyperTransformer: model generation for supervised
       and semi-supervised few-shot learning. ICML. The set encoder is a mean here.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MLP, HyperNet, NumberCode, Support
    >>> code = NumberCode(1)
    >>> net = HyperNet(MLP(3, code.n_outputs, (8,)), 3, code)
    >>> X, y = torch.randn(5, 10, 3), torch.randn(5, 10, 1)
    >>> state = net.adapt(Support(X, y, torch.ones(5, 10).bool()))
    >>> {name: tuple(part.shape) for name, part in state.items()}["layers.0.weight"]
    (5, 8, 3)
    """

    def __init__(
        self, network: nn.Module, n_inputs: int, code: NumberCode, n_units: int = 64
    ) -> None:
        super().__init__(code)
        self.network = network
        self.encoder = MeanEncoder(n_inputs, code.n_targets, n_units)
        self.shapes = parameter_shapes(network)
        self.generator = nn.Linear(n_units, sum(shape.numel() for shape in self.shapes.values()))
        nn.init.normal_(self.generator.weight, std=1.0 / n_units)
        nn.init.zeros_(self.generator.bias)

    def _learn(self, support: Support) -> State:
        summary = F.gelu(self.encoder.summarise(self.encoder.adapt(support)))
        sizes = [shape.numel() for shape in self.shapes.values()]
        offsets = self.generator(summary).split(sizes, dim=-1)
        named = self.network.named_parameters()
        return {
            name: param + offset.view(-1, *param.shape)
            for (name, param), offset in zip(named, offsets, strict=True)
        }

    def _answer(self, state: State, X: Tensor) -> Tensor:
        return forward_tasks(self.network, state, X)

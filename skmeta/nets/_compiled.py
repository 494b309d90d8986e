"""Training on episodes by one compiled function for each shape of a meta-batch."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from skmeta.nets._functional import is_faster_in_a_loop
from skmeta.nets._support import SUPPORT_ROWS

Tensors = Mapping[str, Tensor]

_MOST_PADDING = 2  # times the rows of a meta-batch
_OPTIONS = {
    "fallback_random": True,  # random numbers as without a compiler
    "cpp_wrapper": True,  # kernels are so small that calling them from Python takes a tenth
}


class CompilationWarning(RuntimeWarning):
    """Training runs as it is, since it cannot be compiled."""


class CompiledEpisode:
    """Loss and meta-gradient of an episode as one function, traced and compiled.

    Inner steps, the loss on query rows and its gradient in all parameters are recorded together as
    a graph without control flow, which inductor compiles ahead of time. That takes seconds to a
    minute for each shape of a meta-batch, so that a meta-batch is padded to a shape that has been
    compiled before if there is one that is not far larger. What is left of the tasks at the end of
    an epoch, fewer than a meta-batch holds, is not worth it.

    Parameters
    ----------
    episode : Module
        Such as :class:`Episode`, in training mode.
    criterion : Module
        Called as ``criterion(output, **targets)``; returns the loss. Whatever changes between two
        calls has to be a buffer.

    Attributes
    ----------
    reason : str or None
        Why nothing is compiled; None while nothing speaks against it.

    Examples
    --------
    >>> from skmeta.nets import MAML, MLP, CompiledEpisode, Episode, squared_error
    >>> episode = Episode(MAML(MLP(1, 1), squared_error))
    >>> compiled = CompiledEpisode(episode, torch.nn.Identity())
    >>> compiled.reason is None
    True
    """

    def __init__(self, episode: nn.Module, criterion: nn.Module) -> None:
        self.episode, self.criterion = episode, criterion
        self.reason: str | None = None
        self._functions: dict[tuple, _Function] = {}
        self._n_tasks = 0

    def __call__(self, inputs: Tensors, targets: Tensors) -> tuple[Tensor, Tensor] | None:
        """Add the meta-gradient of a meta-batch to the gradients of the parameters.

        Parameters
        ----------
        inputs, targets : mapping of str to Tensor
            What the episode is called with, and the criterion after it.

        Returns
        -------
        loss : Tensor of shape ()
        output : Tensor
            What the episode has put out, row slots that were added included.

        or None, and then nothing has been done: this meta-batch has to run as it is.

        Warns
        -----
        CompilationWarning
            If the episode cannot be compiled, with the reason.
        """
        n_tasks = len(inputs["X"])
        self._n_tasks = max(n_tasks, self._n_tasks)
        if self.reason is not None or n_tasks < self._n_tasks:
            return None
        function = self._find(inputs, targets) or self._compile(inputs, targets)
        if function is None:
            return None
        loss, output, *gradients = function(inputs, targets)
        for param, gradient in zip(function.learned, gradients, strict=True):
            param.grad = gradient if param.grad is None else param.grad + gradient
        return loss, output

    def _find(self, inputs: Tensors, targets: Tensors) -> "_Function | None":
        """The compiled function into which the meta-batch fits with the least padding."""
        kind, sizes = _kind(inputs, targets), _sizes(inputs)
        fitting = [
            function
            for (other, others), function in self._functions.items()
            if other == kind
            and all(n <= m for n, m in zip(sizes, others, strict=True))
            and sum(others) <= _MOST_PADDING * sum(sizes)
        ]
        return min(fitting, key=lambda function: sum(function.sizes), default=None)

    def _compile(self, inputs: Tensors, targets: Tensors) -> "_Function | None":
        try:
            function = _compiled(self.episode, self.criterion, inputs, targets)
        # A compiler may fail in any way, for want of a C++ compiler, or as it does not know what a
        # network does. The episode is as right without it; if it is at fault, it will fail again.
        except Exception as error:
            message = str(error).strip().splitlines() or [""]
            self.reason = f"{type(error).__name__}: {message[0]}"
            warnings.warn(
                f"Training is not compiled, and slower: {self.reason}",
                CompilationWarning,
                stacklevel=2,
            )
            return None
        self._functions[_kind(inputs, targets), function.sizes] = function
        return function

    def __getstate__(self) -> dict[str, Any]:
        # Compiled functions cannot be copied; the next meta-batch makes them anew.
        return self.__dict__ | {"_functions": {}}


class _Function(NamedTuple):
    """A compiled function of one shape.

    Attributes
    ----------
    call : callable
        Takes tensors; returns the loss, the output, and gradients.
    state : list of Tensor
        Those that do not come with a meta-batch: parameters and buffers.
    learned : list of Parameter
        Those that have a gradient.
    sizes : tuple of int
        Numbers of support and query rows.
    """

    call: Callable[..., Any]
    state: list[Tensor]
    learned: list[nn.Parameter]
    sizes: tuple[int, int]

    def __call__(self, inputs: Tensors, targets: Tensors) -> list[Tensor]:
        rows = [*inputs.values(), *targets.values()]
        if _sizes(inputs) != self.sizes:
            rows = _pad(inputs, targets, self.sizes)
        with torch.no_grad():
            return self.call(*self.state, *rows)


def _compiled(
    episode: nn.Module, criterion: nn.Module, inputs: Tensors, targets: Tensors
) -> _Function:
    """Trace and compile an episode for the shapes of a meta-batch."""
    if len(inputs["X"]) > 1 and is_faster_in_a_loop(episode, inputs["X"]):
        raise NotImplementedError("convolutions are compiled for one task at a time.")
    params, constants = _named_state(episode, criterion)
    state = [*params.values(), *constants.values()]
    learned: list[nn.Parameter] = []

    def loss_and_gradients(*tensors: Tensor) -> list[Tensor]:
        found = dict(zip([*params, *constants], tensors, strict=False))
        rows = tensors[len(found) :]
        leaves = {name: found[name].detach().requires_grad_() for name in params}
        own, others = _split(found | leaves)
        with torch.enable_grad():
            output = functional_call(
                episode, own, kwargs=dict(zip(inputs, rows[: len(inputs)], strict=True))
            )
            loss = functional_call(
                criterion,
                others,
                (output,),
                dict(zip(targets, rows[len(inputs) :], strict=True)),
            )
            gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
        pairs = zip(params.values(), gradients, strict=True)
        learned[:] = [param for param, gradient in pairs if gradient is not None]
        return [loss.detach(), output.detach(), *(g for g in gradients if g is not None)]

    example: list[Any] = [x.detach() for x in (*state, *inputs.values(), *targets.values())]
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # what a compiler says of itself is not about the user
        trace = make_fx(
            loss_and_gradients,
            decomposition_table={torch.ops.aten.baddbmm.default: _add_product},
            tracing_mode="fake",
            _allow_non_fake_inputs=True,  # tensors that a user's module keeps for itself
        )
        graph = trace(*example)
        with torch.no_grad():
            call = torch._inductor.compile(graph, example, options=_OPTIONS)
    return _Function(call, state, learned, _sizes(inputs))


def _add_product(
    total: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """So that the sum is made together with what comes after it."""
    return beta * total + alpha * torch.bmm(left, right)


def _named_state(
    episode: nn.Module, criterion: nn.Module
) -> tuple[dict[str, nn.Parameter], dict[str, Tensor]]:
    """Parameters that are learned, and all other tensors, by names that tell the modules apart."""
    parts = {"episode": episode, "criterion": criterion}
    params: dict[str, nn.Parameter] = {}
    constants: dict[str, Tensor] = {}
    for part, module in parts.items():
        for name, param in module.named_parameters():
            kept: dict = params if param.requires_grad else constants
            kept[f"{part}.{name}"] = param
        constants |= {f"{part}.{name}": buffer for name, buffer in module.named_buffers()}
    return params, constants


def _split(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    own = {_own_name(name): x for name, x in state.items() if name.startswith("episode.")}
    return own, {_own_name(name): x for name, x in state.items() if name.startswith("criterion.")}


def _own_name(name: str) -> str:
    return name.partition(".")[2]


def _kind(inputs: Tensors, targets: Tensors) -> tuple:
    """What a meta-batch has in common with others that differ in numbers of rows alone."""
    named = [*inputs.items(), *targets.items()]
    return tuple((name, x.dtype, len(x), _without_rows(name, x)) for name, x in named)


def _without_rows(name: str, x: Tensor) -> torch.Size:
    return x.shape[1:] if name == "class_mask" else x.shape[2:]


def _sizes(inputs: Tensors) -> tuple[int, int]:
    """Numbers of support and of query rows."""
    return inputs["X"].shape[1], inputs["X_query"].shape[1]


def _pad(inputs: Tensors, targets: Tensors, sizes: tuple[int, int]) -> list[Tensor]:
    """Add row slots that no mask calls real."""
    n_support, n_query = sizes
    padded = []
    for name, x in inputs.items():
        if name == "class_mask":
            padded.append(x)
        else:
            padded.append(_pad_rows(x, n_support if name in SUPPORT_ROWS else n_query))
    return padded + [_pad_rows(x, n_query) for x in targets.values()]


def _pad_rows(x: Tensor, n_rows: int) -> Tensor:
    missing = n_rows - x.shape[1]
    return F.pad(x, (*(0, 0) * (x.ndim - 2), 0, missing)) if missing else x

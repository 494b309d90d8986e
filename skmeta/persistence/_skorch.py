"""The skorch net of a neural learner: how it is made, its history and its optimiser's state."""

from __future__ import annotations

from typing import Any

from skorch.history import History

from skmeta.episodic._net import EpisodicNet
from skmeta.persistence._kind import Kind
from skmeta.persistence._reader import Reader
from skmeta.persistence._writer import Writer

# What learners set when they make one. skorch's own state is a pickle, so a net is made anew.
_PARAMETERS = (
    "module",
    "criterion",
    "optimizer",
    "lr",
    "batch_size",
    "train_split",
    "device",
    "verbose",
)
_GROUPS = "optimizer__param_groups"  # of learners whose parameters have several learning rates


def _write_net(net: EpisodicNet, writer: Writer) -> dict[str, Any]:
    optimizer = net.optimizer_.state_dict()
    parameters = {name: getattr(net, name) for name in _PARAMETERS}
    parameters |= {"module": net.module_, "criterion": net.criterion_}
    if hasattr(net, _GROUPS):
        parameters[_GROUPS] = getattr(net, _GROUPS)
    return {
        "parameters": writer.fields(parameters),
        "history": writer.value(list(net.history_)),
        "optimizer": writer.value([optimizer["state"], optimizer["param_groups"]]),
    }


def _read_net(entry: dict[str, Any], reader: Reader) -> EpisodicNet:
    parameters = reader.fields(entry["parameters"])
    if parameters.keys() - {_GROUPS} != set(_PARAMETERS):
        raise ValueError("a net has other parameters")
    for _ in parameters["module"].modules():
        reader.spend(100_000)
    net = EpisodicNet(**parameters)
    net.initialize()
    net.callbacks, net.callbacks_ = None, []  # as after training
    net.history_ = History(reader.value(entry["history"]))
    _restore_optimizer(net.optimizer_, *reader.value(entry["optimizer"]))
    return net


def _restore_optimizer(optimizer: Any, state: dict[int, dict], groups: list[dict]) -> None:
    """Set what `optimizer.load_state_dict` would, with the precision that the state has.

    After training weights have 64 bits, and so would what is loaded; but training goes on in 32.
    """
    for group, saved in zip(optimizer.param_groups, groups, strict=True):
        group.update({name: value for name, value in saved.items() if name != "params"})
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for i, of_weight in state.items():
        optimizer.state[weights[i]] = dict(of_weight)


KINDS = (Kind("skorch:net", lambda t: isinstance(t, EpisodicNet), _write_net, _read_net),)

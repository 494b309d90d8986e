"""Tensors, modules, and torch's small objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skmeta.persistence._kind import Kind
from skmeta.persistence._objects import restore
from skmeta.persistence._reader import Reader
from skmeta.persistence._writer import Writer

# ---------------------------------------------------------------------- tensors

_OF_NUMPY = {
    torch.from_numpy(np.empty(0, dtype=name)).dtype
    for name in (
        "bool",
        "int8",
        "uint8",
        "int16",
        "int32",
        "int64",
        "float16",
        "float32",
        "float64",
    )
}


def _write_tensor(tensor: Tensor, writer: Writer) -> dict[str, Any]:
    entry: dict[str, Any] = {"device": str(tensor.device)} if tensor.device.type != "cpu" else {}
    if tensor.requires_grad:
        entry["requires_grad"] = True
    values = tensor.detach().cpu()
    order = _order_in_memory(values)
    if order is not None:
        entry["order"] = order
        values = values.permute(order)
    values = values.contiguous()
    if values.dtype in _OF_NUMPY:
        return entry | {"array": writer.array(values.numpy())}
    as_bytes = values.reshape(-1).view(torch.uint8).numpy()
    shape = {"dtype": _name(values.dtype), "shape": list(values.shape)}
    return entry | {"array": writer.array(as_bytes)} | shape


def _order_in_memory(tensor: Tensor) -> list[int] | None:
    """Axes from the outermost, if not in order; predictions to the bit need the same order."""
    if tensor.is_contiguous():
        return None
    order = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
    return order if tensor.permute(order).is_contiguous() else None


def _read_tensor(entry: dict[str, Any], reader: Reader) -> Tensor:
    tensor = torch.from_numpy(reader.array(entry["array"]))
    if "dtype" in entry:
        tensor = tensor.view(_dtype(entry["dtype"])).reshape(entry["shape"])
    if "order" in entry:
        tensor = tensor.permute(np.argsort(entry["order"]).tolist())
    tensor = tensor.to(entry.get("device", "cpu"))
    return tensor.requires_grad_(bool(entry.get("requires_grad", False)))


def _read_parameter(entry: dict[str, Any], reader: Reader) -> nn.Parameter:
    tensor = _read_tensor(entry, reader)
    return nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)


# ---------------------------------------------------------------------- modules

_EMPTY = vars(nn.Module())
_ALWAYS = ("_parameters", "_buffers", "_modules", "training")


def _write_module(module: nn.Module, writer: Writer) -> dict[str, Any]:
    # What every module has, a dozen dicts of hooks, is left out where it is empty.
    state = {
        name: value
        for name, value in module.__getstate__().items()
        if name in _ALWAYS or name not in _EMPTY or value != _EMPTY[name]
    }
    return {"class": writer.name(type(module)), "state": writer.fields(state)}


def _read_module(entry: dict[str, Any], reader: Reader) -> nn.Module:
    cls = reader.thing(entry["class"])
    if not issubclass(cls, nn.Module):
        raise ValueError(f"{cls.__name__} is no torch module")
    module = cls.__new__(cls)
    nn.Module.__init__(module)
    return restore(module, reader.fields(entry["state"]), reader)


# ---------------------------------------------------------------------- names


def _name(thing: Any) -> str:
    return str(thing).removeprefix("torch.")


def _dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"torch.{name} is no type of numbers")
    return dtype


KINDS = (
    Kind("torch:tensor", lambda thing: type(thing) is Tensor, _write_tensor, _read_tensor),
    Kind("torch:parameter", lambda t: type(t) is nn.Parameter, _write_tensor, _read_parameter),
    Kind("torch:module", lambda t: isinstance(t, nn.Module), _write_module, _read_module),
    Kind(
        "torch:dtype",
        lambda thing: isinstance(thing, torch.dtype),
        lambda thing, writer: {"name": _name(thing)},
        lambda entry, reader: _dtype(entry["name"]),
    ),
    Kind(
        "torch:device",
        lambda thing: isinstance(thing, torch.device),
        lambda thing, writer: {"name": str(thing)},
        lambda entry, reader: torch.device(entry["name"]),
    ),
    Kind(
        "torch:size",
        lambda thing: type(thing) is torch.Size,
        lambda thing, writer: {"of": list(thing)},
        lambda entry, reader: torch.Size(entry["of"]),
    ),
)

"""Python's own containers, and the few numbers that JSON has no word for."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from math import isfinite
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from skmeta.persistence._kind import Kind
from skmeta.persistence._reader import Reader
from skmeta.persistence._writer import Writer

_SEQUENCES = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_NAMED = (type, FunctionType, BuiltinFunctionType, np.ufunc)


def _kind_of_sequence(name: str, cls: type) -> Kind:
    is_hashed = issubclass(cls, set | frozenset)

    def write(things: Any, writer: Writer) -> dict[str, Any]:
        return {"of": writer.values(things)}

    def read(entry: dict[str, Any], reader: Reader) -> Any:
        values = reader.values(entry["of"])
        return cls(map(_as_key, values) if is_hashed else values)

    return Kind(f"builtin:{name}", lambda thing: type(thing) is cls, write, read)


def _kind_of_dict(name: str, cls: type) -> Kind:
    def write(things: Any, writer: Writer) -> dict[str, Any]:
        return {"keys": writer.values(things.keys()), "values": writer.values(things.values())}

    def read(entry: dict[str, Any], reader: Reader) -> Any:
        keys, values = reader.values(entry["keys"]), reader.values(entry["values"])
        return cls(zip(map(_as_key, keys), values, strict=True))

    return Kind(f"builtin:{name}", lambda thing: type(thing) is cls, write, read)


def _as_key(thing: Any) -> Any:
    # A tuple is hashed as often as it occurs in others: tuples of tuples can take for ever.
    parts = thing if isinstance(thing, tuple) else (thing,)
    if not all(isinstance(p, str | int | float | np.generic | type(None)) for p in parts):
        raise ValueError(f"a {type(thing).__name__} is no key here")
    return thing


def _write_float(number: float, writer: Writer) -> dict[str, Any]:
    return {"text": str(number)}


def _read_float(entry: dict[str, Any], reader: Reader) -> float:
    number = float(entry["text"])
    if isfinite(number):
        raise ValueError("a finite number stands for itself")
    return number


def _write_slice(part: slice, writer: Writer) -> dict[str, Any]:
    return {"of": writer.values((part.start, part.stop, part.step))}


def _read_slice(entry: dict[str, Any], reader: Reader) -> slice:
    return slice(*map(_as_key, reader.values(entry["of"])))


def _is_namedtuple(thing: Any) -> bool:
    return (
        isinstance(thing, tuple) and type(thing).__bases__ == (tuple,) and hasattr(thing, "_fields")
    )


def _write_namedtuple(things: Any, writer: Writer) -> dict[str, Any]:
    return {"class": writer.name(type(things)), "fields": writer.fields(things._asdict())}


def _read_namedtuple(entry: dict[str, Any], reader: Reader) -> Any:
    cls, fields = reader.thing(entry["class"]), reader.fields(entry["fields"])
    if not (issubclass(cls, tuple) and set(cls._fields) == fields.keys()):
        raise ValueError(f"{cls.__name__} has other fields")
    return cls(**fields)


def _write_partial(thing: partial, writer: Writer) -> dict[str, Any]:
    return {
        "function": writer.value(thing.func),
        "args": writer.values(thing.args),
        "keywords": writer.fields(thing.keywords),
    }


def _read_partial(entry: dict[str, Any], reader: Reader) -> partial:
    args, keywords = reader.values(entry["args"]), reader.fields(entry["keywords"])
    return partial(reader.value(entry["function"]), *args, **keywords)


KINDS = (
    Kind("builtin:float", lambda thing: type(thing) is float, _write_float, _read_float),
    *(_kind_of_sequence(name, cls) for name, cls in _SEQUENCES.items()),
    _kind_of_dict("dict", dict),
    _kind_of_dict("ordered_dict", OrderedDict),
    Kind("builtin:slice", lambda thing: type(thing) is slice, _write_slice, _read_slice),
    Kind("builtin:namedtuple", _is_namedtuple, _write_namedtuple, _read_namedtuple),
    Kind("builtin:partial", lambda thing: type(thing) is partial, _write_partial, _read_partial),
    Kind(
        "builtin:name",
        lambda thing: isinstance(thing, _NAMED),
        lambda thing, writer: {"name": writer.name(thing)},
        lambda entry, reader: reader.thing(entry["name"]),
    ),
)

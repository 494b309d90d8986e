"""Arrays, and numpy's other objects."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.format import descr_to_dtype, dtype_to_descr

from skmeta.persistence._container import DTYPES
from skmeta.persistence._exceptions import PersistenceError
from skmeta.persistence._kind import Kind
from skmeta.persistence._reader import Reader
from skmeta.persistence._writer import Writer

_NATIVE = frozenset(DTYPES.values())

# ---------------------------------------------------------------------- types


def _describe(dtype: np.dtype) -> Any:
    """A text, or a list of the fields of a record, padding included."""
    if dtype.hasobject:
        raise PersistenceError(f"An array of {dtype} cannot be saved.")
    return dtype_to_descr(dtype)


def _as_dtype(descr: Any) -> np.dtype:
    # JSON made lists of the tuples that fields are.
    fields: Any = descr if isinstance(descr, str) else [_as_field(*field) for field in descr]
    dtype = descr_to_dtype(fields)
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"{dtype} is no type of numbers or texts")
    return dtype


def _as_field(name: Any, kind: str, shape: Any = ()) -> tuple:
    if not isinstance(kind, str):
        raise ValueError("a field of a record must be a number or text")
    return (name, kind, tuple(shape)) if shape else (name, kind)


# ---------------------------------------------------------------------- arrays


def _write_array(array: np.ndarray, writer: Writer) -> dict[str, Any]:
    array = np.asarray(array)
    if array.dtype == object:
        return {"of": writer.values(array.ravel().tolist()), "shape": array.shape}
    # Predictions to the bit need the same order in memory.
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    if is_fortran:
        array = array.T
    entry: dict[str, Any] = {"fortran": True} if is_fortran else {}
    if array.dtype.isnative and array.dtype.name in _NATIVE:
        return entry | {"array": writer.array(array)}
    as_bytes = np.frombuffer(array.tobytes(), dtype=np.uint8)
    shape = {"dtype": _describe(array.dtype), "shape": array.shape}
    return entry | {"array": writer.array(as_bytes)} | shape


def _read_array(entry: dict[str, Any], reader: Reader) -> np.ndarray:
    if "of" in entry:
        return _read_objects(reader.values(entry["of"]), _as_shape(entry["shape"]))
    array = reader.array(entry["array"])
    if "dtype" in entry:
        array = array.view(_as_dtype(entry["dtype"])).reshape(_as_shape(entry["shape"]))
    return array.T if entry.get("fortran") else array


def _read_objects(things: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    if prod(shape) != len(things):
        raise ValueError(f"{len(things)} objects are not of the shape {shape}")
    array = np.empty(len(things), dtype=object)
    for i, thing in enumerate(things):  # not at once: numpy would look into sequences
        array[i] = thing
    return array.reshape(shape)


def _as_shape(shape: Any) -> tuple[int, ...]:
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"{shape!r:.50} is no shape")
    return tuple(shape)


def _write_masked(array: np.ma.MaskedArray, writer: Writer) -> dict[str, Any]:
    parts = {"data": array.data, "mask": np.ma.getmaskarray(array)}
    return {"parts": writer.fields(parts), "fill_value": writer.value(array.fill_value)}


def _read_masked(entry: dict[str, Any], reader: Reader) -> np.ma.MaskedArray:
    parts = reader.fields(entry["parts"])
    if parts["mask"].dtype != bool or parts["mask"].shape != parts["data"].shape:
        raise ValueError("the mask does not fit the array")  # numpy would make one that does
    return np.ma.MaskedArray(**parts, fill_value=reader.value(entry["fill_value"]))


# ---------------------------------------------------------------------- single numbers


def _write_scalar(scalar: np.generic, writer: Writer) -> dict[str, Any]:
    return {"dtype": _describe(scalar.dtype), "hex": scalar.tobytes().hex()}


def _read_scalar(entry: dict[str, Any], reader: Reader) -> np.generic:
    dtype = descr_to_dtype(entry["dtype"])
    if dtype.hasobject or dtype.fields is not None:
        raise ValueError(f"{dtype} is no type of a number or text")
    if dtype.itemsize == 0:  # the empty text
        return dtype.type()
    (scalar,) = np.frombuffer(bytes.fromhex(entry["hex"]), dtype=dtype)
    return scalar


# ---------------------------------------------------------------------- random numbers


def _write_random_state(state: np.random.RandomState, writer: Writer) -> dict[str, Any]:
    return {"state": writer.value(state.get_state(legacy=False))}


def _read_random_state(entry: dict[str, Any], reader: Reader) -> np.random.RandomState:
    state = _checked(reader.value(entry["state"]))
    if state["bit_generator"] != "MT19937":
        raise ValueError("a RandomState is a MT19937")
    reader.spend(100_000)
    random_state = np.random.RandomState(0)
    random_state.set_state(state)
    return random_state


_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


def _write_generator(generator: np.random.Generator, writer: Writer) -> dict[str, Any]:
    return {"state": writer.value(generator.bit_generator.state)}


def _read_generator(entry: dict[str, Any], reader: Reader) -> np.random.Generator:
    state = _checked(reader.value(entry["state"]))
    if state["bit_generator"] not in _BIT_GENERATORS:
        raise ValueError(f"there is no bit generator {state['bit_generator']!r:.50}")
    reader.spend(100_000)
    bit_generator = getattr(np.random, state["bit_generator"])(0)
    bit_generator.state = state
    return np.random.Generator(bit_generator)


def _checked(state: dict[str, Any]) -> dict[str, Any]:
    """Numpy takes the position in its buffer as it is, and would read behind the buffer's end."""
    ends = {"MT19937": ("state", "pos", 624), "Philox": ("", "buffer_pos", 4)}
    part, key, end = ends.get(state["bit_generator"], ("", "has_uint32", 1))
    position = (state[part] if part else state).get(key, 0)
    if not 0 <= int(position) <= end:
        raise ValueError(f"{key} must be from 0 to {end}, got {position!r:.50}")
    return state


KINDS = (
    Kind(
        "numpy:array",
        lambda thing: type(thing) in (np.ndarray, np.memmap),
        _write_array,
        _read_array,
    ),
    Kind("numpy:masked", lambda t: type(t) is np.ma.MaskedArray, _write_masked, _read_masked),
    Kind("numpy:scalar", lambda thing: isinstance(thing, np.generic), _write_scalar, _read_scalar),
    Kind(
        "numpy:dtype",
        lambda thing: isinstance(thing, np.dtype),
        lambda thing, writer: {"dtype": _describe(thing)},
        lambda entry, reader: _as_dtype(entry["dtype"]),
    ),
    Kind(
        "numpy:random_state",
        lambda thing: type(thing) is np.random.RandomState,
        _write_random_state,
        _read_random_state,
    ),
    Kind(
        "numpy:generator",
        lambda thing: type(thing) is np.random.Generator,
        _write_generator,
        _read_generator,
    ),
)

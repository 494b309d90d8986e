"""Taking an estimator apart: a list of objects, each of which refers to earlier ones only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skmeta.persistence._container import DTYPES
from skmeta.persistence._exceptions import PersistenceError
from skmeta.persistence._kind import Kind
from skmeta.persistence._kinds import kinds_to_write
from skmeta.persistence._names import name_of

_NATIVE = frozenset(DTYPES.values())
_SMALL = 64  # bytes: what a tensor takes in the header of a file
_IN_PROGRESS = -1


class Writer:
    """Collects what goes into a file.

    A value is a JSON scalar, or a list with one number: which object it refers to. Objects that
    are shared are stored once.

    Attributes
    ----------
    entries : list of dict
        The objects, parts before wholes.
    names : list of str
        The classes and functions that entries refer to.
    arrays : dict of name to ndarray
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.names: list[str] = []
        self.arrays: dict[str, np.ndarray] = {}
        self._kinds = kinds_to_write()
        self._kind_of: dict[type, Kind] = {}
        self._place: dict[int, int] = {}
        self._alive: list[Any] = []  # an address stands for an object as long as it lives

    def value(self, thing: Any) -> Any:
        """A JSON value that stands for an object."""
        if thing is None or type(thing) in (bool, int, str):
            return thing
        if type(thing) is float and math.isfinite(thing):
            return thing
        place = self._place.get(id(thing))
        if place is None:
            place = self._add(thing)
        if place == _IN_PROGRESS:
            raise PersistenceError(f"{_describe(thing)} cannot be saved: it holds itself.")
        return [place]

    def values(self, things: Any) -> list[Any]:
        """JSON values that stand for a sequence of objects."""
        return [self.value(thing) for thing in things]

    def fields(self, things: dict[str, Any]) -> dict[str, Any]:
        """JSON values that stand for attributes."""
        return {name: self.value(thing) for name, thing in things.items()}

    def array(self, array: np.ndarray) -> Any:
        """A JSON value that stands for an array of numbers: a name, or a small array itself."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        if array.dtype.name not in _NATIVE:
            raise PersistenceError(f"An array of {array.dtype} is not stored as it is.")
        if array.nbytes <= _SMALL:
            return {"dtype": array.dtype.name, "shape": array.shape, "hex": array.tobytes().hex()}
        self.arrays[name := str(len(self.arrays))] = array
        return name

    def name(self, thing: Any) -> int:
        """Refer to a class or function."""
        name = name_of(thing)
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def _add(self, thing: Any) -> int:
        kind = self._kind(thing)
        self._place[id(thing)] = _IN_PROGRESS
        self._alive.append(thing)
        entry = {"kind": kind.name} | kind.write(thing, self)
        self.entries.append(entry)
        self._place[id(thing)] = len(self.entries) - 1
        return len(self.entries) - 1

    def _kind(self, thing: Any) -> Kind:
        kind = self._kind_of.get(type(thing))
        if kind is None:
            kind = next((kind for kind in self._kinds if kind.takes(thing)), None)
            if kind is None:
                raise PersistenceError(
                    f"{_describe(thing)} cannot be saved: it is made of more than its attributes."
                )
            self._kind_of[type(thing)] = kind
        return kind


def _describe(thing: Any) -> str:
    return f"An object of type {type(thing).__module__}.{type(thing).__qualname__}"

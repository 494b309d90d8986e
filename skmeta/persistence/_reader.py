"""Making an estimator of the entries of a file, none of which is taken for granted."""

from __future__ import annotations

from typing import Any

import numpy as np

from skmeta.persistence._container import DTYPES
from skmeta.persistence._exceptions import PersistenceError
from skmeta.persistence._kinds import kind_to_read

_MAX_DEPTH = 200  # of parts within parts: freeing deeper ones may exhaust the stack
_BUDGET = 10**9  # nanoseconds of work, about, and
_BUDGET_PER_BYTE = 100  # for each byte of arrays


class Reader:
    """Makes objects of entries, in their order.

    There is no recursion, and an entry refers to earlier ones only: a file cannot nest deeply or
    hold a loop, and what it shares is made once.

    Parameters
    ----------
    things : list
        The classes and functions that entries refer to, trusted by now.
    arrays : dict of name to ndarray
    """

    def __init__(self, things: list[Any], arrays: dict[str, np.ndarray]):
        self._things, self._arrays = things, arrays
        self._objects: list[Any] = []
        self._depths: list[int] = []
        self._depth = 0
        self._budget = _BUDGET + _BUDGET_PER_BYTE * sum(array.nbytes for array in arrays.values())

    def read(self, entries: list[dict[str, Any]]) -> None:
        """Make an object of each entry."""
        for i, entry in enumerate(entries):
            self._depth = 0
            try:
                self._objects.append(self._make(entry))
            except PersistenceError:
                raise
            except Exception as error:  # an entry may be anything, and a library raise anything
                kind = entry.get("kind") if isinstance(entry, dict) else None
                raise PersistenceError(
                    f"Object {i} of the file, {kind!r:.50}, cannot be made: "
                    f"{type(error).__name__}: {error!s:.500}"
                ) from error
            if self._depth > _MAX_DEPTH:
                raise PersistenceError(f"Object {i} of the file is nested too deeply.")
            self._depths.append(self._depth)

    def _make(self, entry: dict[str, Any]) -> Any:
        kind = kind_to_read(entry["kind"])
        if kind is None:
            raise ValueError("this version of skmeta knows no such kind")
        return kind.read(entry, self)

    def value(self, value: Any) -> Any:
        """The object that a JSON value stands for."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        (place,) = value
        if type(place) is not int or not 0 <= place < len(self._objects):
            raise ValueError(f"it refers to object {place!r:.50}, which is not before it")
        self._depth = max(self._depth, self._depths[place] + 1)
        return self._objects[place]

    def values(self, values: list[Any]) -> list[Any]:
        """The objects that a list of JSON values stands for."""
        if type(values) is not list:
            raise ValueError("it needs a list of values")
        return [self.value(value) for value in values]

    def fields(self, values: dict[str, Any]) -> dict[str, Any]:
        """Attributes."""
        if type(values) is not dict:
            raise ValueError("it needs values with names")
        return {name: self.value(value) for name, value in values.items()}

    def array(self, value: Any) -> np.ndarray:
        """An array. Each of the file is used once, so that a short file cannot make long work."""
        if isinstance(value, str):
            return self._arrays.pop(value)
        if value["dtype"] not in DTYPES.values():
            raise ValueError(f"{value['dtype']!r:.50} is no type of numbers")
        data = bytearray.fromhex(value["hex"])  # may be written, as any array
        return np.frombuffer(data, dtype=value["dtype"]).reshape(value["shape"])

    def spend(self, work: int) -> None:
        """Account for work that is not in proportion to the entry that asks for it.

        A part that is shared may be copied or checked for each of those that share it. An honest
        file never gets near the limit: it makes a hundred times the work of its arrays.
        """
        self._budget -= work
        if self._budget < 0:
            raise ValueError("the file takes more work than its size can account for")

    def thing(self, number: int) -> Any:
        """A class or function that is trusted."""
        if type(number) is not int or number < 0:
            raise ValueError(f"{number!r:.50} is not the number of a name")
        return self._things[number]

"""What a kind of object is to a file: how to take it apart, and how to make it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from skmeta.persistence._reader import Reader
    from skmeta.persistence._writer import Writer


class Kind(NamedTuple):
    """One kind of object.

    Attributes
    ----------
    name : str
        What the kind is called in files: once files are about, it stays.
    takes : callable
        Whether an object is of this kind.
    write : callable
        `write(object, writer)` returns a dict of JSON values, which hold parts by reference.
    read : callable
        `read(entry, reader)` makes the object of that dict. The dict may hold anything: whatever
        this raises becomes a :class:`~skmeta.persistence.PersistenceError`, so what matters is
        that it checks whatever else would pass silently.
    """

    name: str
    takes: Callable[[Any], bool]
    write: Callable[[Any, Writer], dict[str, Any]]
    read: Callable[[dict[str, Any], Reader], Any]

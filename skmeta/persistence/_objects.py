"""Objects made of their attributes: estimators, and the parts of estimators."""

from __future__ import annotations

from typing import Any

from sklearn.utils import Bunch

from skmeta.persistence._integrity import check_integrity, check_state
from skmeta.persistence._kind import Kind
from skmeta.persistence._reader import Reader
from skmeta.persistence._writer import Writer
from skmeta.tasks import TaskCollection

# Whose `__setstate__` is known to do no more than set attributes.
_HARMLESS = ("sklearn.", "skmeta.", "torch.nn.modules.")


def restore(thing: Any, state: dict[str, Any], reader: Reader) -> Any:
    """Give a new object its attributes.

    Raises
    ------
    ValueError
        If the class has a `__setstate__` of a library that is not known: skorch's, for one,
        unpickles. Or if compiled code would not survive the attributes.
    """
    setstate = getattr(type(thing), "__setstate__", None)
    check_state(type(thing), state, reader.spend)
    if setstate is None:
        vars(thing).update(state)
    elif _is_harmless(setstate, type(thing)):
        thing.__setstate__(state)
    else:
        raise ValueError(f"{type(thing).__name__} is not restored by its attributes alone")
    check_integrity(thing, reader.spend)
    return thing


def _is_harmless(setstate: Any, cls: type) -> bool:
    # A class of the user's own is here only if it is trusted, with what it writes itself.
    home = f"{setstate.__module__}."
    return home.startswith(_HARMLESS) or setstate.__module__ == cls.__module__


# ---------------------------------------------------------------------- any object


def _is_plain(thing: Any) -> bool:
    """Whether pickle, too, would take the attributes alone; compiled classes say otherwise."""
    cls = type(thing)
    return (
        cls.__reduce__ is object.__reduce__
        and cls.__reduce_ex__ is object.__reduce_ex__
        and hasattr(thing, "__dict__")
        and not isinstance(thing, dict | list | tuple | set | frozenset | BaseException | type)
    )


def _write_object(thing: Any, writer: Writer) -> dict[str, Any]:
    state = thing.__getstate__() or {}
    return {"class": writer.name(type(thing)), "state": writer.fields(state)}


def _read_object(entry: dict[str, Any], reader: Reader) -> Any:
    cls = reader.thing(entry["class"])
    thing = object.__new__(cls)
    if not _is_plain(thing):
        raise ValueError(f"{cls.__name__} is more than its attributes")
    return restore(thing, reader.fields(entry["state"]), reader)


# ---------------------------------------------------------------------- two that are more


def _write_tasks(tasks: TaskCollection, writer: Writer) -> dict[str, Any]:
    compact = tasks.compact()  # a slice takes its own rows along, not the whole table
    return {"class": writer.name(type(compact)), "state": writer.fields(vars(compact))}


def _read_tasks(entry: dict[str, Any], reader: Reader) -> TaskCollection:
    cls = reader.thing(entry["class"])
    if not issubclass(cls, TaskCollection):
        raise ValueError(f"{cls.__name__} is no collection of tasks")
    tasks = object.__new__(cls)
    vars(tasks).update(reader.fields(entry["state"]))
    return tasks


def _write_bunch(bunch: Bunch, writer: Writer) -> dict[str, Any]:
    return {"of": writer.fields(dict(bunch))}


def _read_bunch(entry: dict[str, Any], reader: Reader) -> Bunch:
    return Bunch(**reader.fields(entry["of"]))


KINDS = (
    Kind("objects:tasks", lambda t: isinstance(t, TaskCollection), _write_tasks, _read_tasks),
    Kind("objects:bunch", lambda t: type(t) is Bunch, _write_bunch, _read_bunch),
    Kind("objects:object", _is_plain, _write_object, _read_object),
)

"""Which kinds of object there are, and in which module each is: torch's only where torch is."""

from __future__ import annotations

import sys
from importlib import import_module

from skmeta.persistence._kind import Kind

# In the order in which an object is offered to them.
_MODULES = ("_builtin", "_numpy", "_scipy", "_torch", "_skorch", "_optuna", "_sklearn", "_objects")
_NEEDS = {"_torch": "torch", "_skorch": "skorch", "_optuna": "optuna"}


def kinds_to_write() -> list[Kind]:
    """Kinds of what this process can hold: without torch there are no tensors."""
    modules = [name for name in _MODULES if _NEEDS.get(name, "sys") in sys.modules]
    return [kind for name in modules for kind in _kinds(name)]


def kind_to_read(name: str) -> Kind | None:
    """The kind of a name; torch is imported where it is met."""
    for module in _MODULES:
        if name.split(":")[0] == module[1:]:
            return next((kind for kind in _kinds(module) if kind.name == name), None)
    return None


def _kinds(module: str) -> tuple[Kind, ...]:
    return import_module(f"skmeta.persistence.{module}").KINDS

"""Classes and functions in files: named, never stored, and found again only if they are trusted."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from types import FunctionType
from typing import Any

import numpy as np

from skmeta.persistence._exceptions import PersistenceError

# Where classes are trusted: making an object from its attributes runs no more of them than a
# `__setstate__` that is known to be harmless.
_PACKAGES_OF_CLASSES = (
    "skmeta",
    "sklearn",
    "torch.nn.modules",
    "torch.optim",
    "optuna.distributions",
    "optuna.pruners",
)
# Where functions are trusted: they compute, and touch nothing else.
_PACKAGES_OF_FUNCTIONS = (
    "skmeta.nets",
    "sklearn.feature_selection",
    "sklearn.metrics",
    "torch.nn.functional",
)
_FUNCTIONS = (
    "skmeta.model_selection._metafeatures._extract.metafeatures",
    "sklearn.utils.validation.check_array",  # in gradient boosting with categories
)
_PACKAGES_OF_UFUNCS = ("numpy", "scipy.special")
_NOT_THERE = frozenset({"conftest", "datasets", "externals", "persistence", "testing", "tests"})
_LONGEST = 300  # characters of a name
_BUILTINS = (bool, float, int, object, str)


# ---------------------------------------------------------------------- names of things


def name_of(thing: Any) -> str:
    """The name under which a class or function is found again, a public one if there is one."""
    name = str(getattr(thing, "__qualname__", None) or getattr(thing, "__name__", ""))
    for module in _homes(thing):
        if "." not in name and getattr(sys.modules.get(module), name, None) is thing:
            return f"{module}.{name}"
    raise PersistenceError(
        f"{thing!r} cannot be saved: a class or function is saved by its name, so it must be "
        "defined at the top level of a module. Lambdas and local functions are not."
    )


def _homes(thing: Any) -> Iterable[str]:
    """Modules to look for it in, the best first."""
    if isinstance(thing, np.ufunc):
        return _PACKAGES_OF_UFUNCS
    parts = (getattr(thing, "__module__", None) or "").split(".")
    n_public = next((i for i, part in enumerate(parts) if part.startswith("_")), len(parts))
    # Where a class is public stays; in which private module it is written may change.
    return ".".join(parts[:n_public]), ".".join(parts)


# ---------------------------------------------------------------------- things of names


def find(names: list[str], trusted: Iterable[Any]) -> list[Any]:
    """Find the classes and functions that a file names.

    Nothing is imported for a name before it is known to be trusted.

    Parameters
    ----------
    names : list of str
    trusted : iterable of str, class or function
        What the caller allows in addition to what is trusted anyway.

    Raises
    ------
    PersistenceError
        If some are not trusted, all of which it names, or cannot be found.
    """
    if max(map(len, names), default=0) > _LONGEST:
        raise PersistenceError(f"The file has a name of more than {_LONGEST} characters.")
    allowed = {thing if isinstance(thing, str) else name_of(thing): thing for thing in trusted}
    found = [_find(name, allowed) for name in names]
    refused = sorted({name for name, thing in zip(names, found, strict=True) if thing is _REFUSED})
    if refused:
        refused = refused[:5]  # the others next time
        raise PersistenceError(
            "The file names classes or functions of other libraries, whose code would run: "
            f"{', '.join(refused)}. If you know them and trust the file, allow them with "
            f"`skmeta.load(path, trusted={refused!r})`."
        )
    return found


_REFUSED = object()


def _find(name: str, allowed: dict[str, Any]) -> Any:
    if name in allowed:
        return allowed[name] if not isinstance(allowed[name], str) else _import(name)
    if not _may_be_trusted(name):
        return _REFUSED
    thing = _import(name)
    return thing if _is_trusted(thing) else _REFUSED


def _may_be_trusted(name: str) -> bool:
    packages = (*_PACKAGES_OF_CLASSES, *_PACKAGES_OF_FUNCTIONS, *_PACKAGES_OF_UFUNCS, "builtins")
    return _is_within(name, packages) and not _NOT_THERE.intersection(name.split("."))


def _is_within(name: str, packages: Iterable[str]) -> bool:
    return any(name.startswith(f"{package}.") for package in packages)


def _import(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise PersistenceError(
            f"The file names {name!r:.200}, which is not here: {error}. It may be of another "
            "version of its library."
        ) from error


def _is_trusted(thing: Any) -> bool:
    """Whether a thing is what its name made believe: modules hold much that is not their own."""
    if isinstance(thing, np.ufunc):
        return True
    home = getattr(thing, "__module__", None)
    if not isinstance(home, str):
        return False
    if isinstance(thing, FunctionType):
        name = f"{home}.{thing.__qualname__}"
        return name in _FUNCTIONS or _is_within(name, _PACKAGES_OF_FUNCTIONS)
    if not isinstance(thing, type):
        return False
    if thing in _BUILTINS or issubclass(thing, np.generic):
        return True
    is_elsewhere = _NOT_THERE.intersection(home.split("."))
    return not is_elsewhere and _is_within(f"{home}.", _PACKAGES_OF_CLASSES)

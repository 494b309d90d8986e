"""The reference lists every public name, and each name shows how it is used."""

import importlib
import inspect
import runpy
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "docs" / "_ext" / "api_reference.py"
REFERENCE = runpy.run_path(str(DATA))["REFERENCE"]

MODULES = [
    "skmeta",
    "skmeta.datasets",
    "skmeta.model_selection",
    "skmeta.inspection",
    "skmeta.testing",
    "skmeta.tree",
]

LISTED = [
    (section.module, name)
    for part in REFERENCE
    for section in part.sections
    for name in section.names
]


def _public(module):
    """Public names of a module that are not modules themselves."""
    found = importlib.import_module(module)
    return {name for name in found.__all__ if not inspect.ismodule(getattr(found, name))}


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(module):
    missing = _public(module) - {name for _, name in LISTED}
    assert not missing, f"list them in docs/_ext/api_reference.py: {sorted(missing)}"


def test_no_name_is_listed_twice():
    names = [name for _, name in LISTED]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("module", "name"), LISTED)
def test_a_listed_name_is_public_and_has_an_example(module, name):
    assert name in _public(module)
    docstring = getattr(importlib.import_module(module), name).__doc__ or ""
    assert ">>> " in docstring, f"the docstring of {module}.{name} has no example"

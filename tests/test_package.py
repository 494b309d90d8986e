"""The package as a whole: light to import, complete at the top, documented."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import skmeta
from skmeta.testing import all_meta_learners


def test_importing_it_loads_neither_torch_nor_optuna():
    code = (
        "import sys, sklearn; before = set(sys.modules); import skmeta;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "assert not new & {'torch', 'skorch', 'optuna', 'pandas'}, new"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", skmeta.__all__)
def test_public_names_resolve_and_are_documented(name):
    thing = getattr(skmeta, name)
    assert inspect.getdoc(thing)
    assert name in dir(skmeta)


def test_every_public_class_of_a_family_is_at_the_top():
    stub = ast.parse(Path(skmeta.__file__).with_suffix(".pyi").read_text())
    imported = {alias.name for node in stub.body for alias in node.names}
    families = {cls.__module__.split(".")[1] for _, cls in all_meta_learners()}
    for family in families:
        module = importlib.import_module(f"skmeta.{family}")
        classes = {name for name in module.__all__ if inspect.isclass(getattr(module, name))}
        assert classes <= imported


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="MAMLTransformer"):
        _ = skmeta.MAMLTransformer

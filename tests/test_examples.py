"""The program for tables of the user's: it runs on any grouped table and says what is wrong."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

_spec = importlib.util.spec_from_file_location(
    "few_shot_table", Path(__file__).parents[1] / "examples" / "few_shot_table.py"
)
few_shot_table = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(few_shot_table)


@pytest.fixture
def table(tmp_path):
    """Write a table and return the command line for it."""

    def write(n_patients=20, target=None, **columns):
        rng = np.random.default_rng(0)
        patient = np.repeat(np.arange(n_patients), 12)
        df = pd.DataFrame({"patient": patient, "dose": rng.normal(size=len(patient))})
        df["ward"] = np.where(rng.random(len(df)) < 0.5, "north", None)
        df["y"] = df["dose"] + rng.normal(size=n_patients)[patient] if target is None else target
        path = tmp_path / "table.csv"
        df.assign(**columns).to_csv(path, index=False)
        return [str(path), "--target", "y", "--task", "patient", "--shots", "5"]

    return write


@pytest.mark.parametrize("target", [None, np.tile(["ill", "well", "ill"], 80)])
def test_it_compares_learners_on_a_table(table, target, capsys):
    assert few_shot_table.main(table(target=target)) == 0
    out = capsys.readouterr().out
    assert "6 held out" in out
    assert ("MetaRidge" if target is None else "MetaLogistic") in out
    assert "k = 5, 6 tasks" in out


@pytest.mark.parametrize(
    ("message", "columns", "options"),
    [
        ("cannot read", {}, ["missing.csv"]),
        ("no column 'z'", {}, ["--target", "z"]),
        ("up to 11", {}, ["--shots", "12"]),
        ("at least 5 tasks", {"n_patients": 3}, []),
        ("target of numbers", {"target": ["a", "b"] * 120}, ["--kind", "regression"]),
    ],
)
def test_clear_errors(table, capsys, message, columns, options):
    path, *rest = table(**columns)
    if options[:1] == ["missing.csv"]:
        path, options = path.replace("table", "missing"), []
    assert few_shot_table.main([path, *rest, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1

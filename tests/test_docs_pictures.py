"""Pictures of measurements show what the pages say: both are of the same figures."""

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

DOCS = Path(__file__).parents[1] / "docs"
# File of rows, its column of figures, and the page that shows them in a table.
ROWS = {
    "real_tables": ("ratio", "measured.md"),
    "real_tables_collections": ("ratio", "measured.md"),
    "search_regret": ("regret", "measured.md"),
    "throughput": ("times_as_fast", "gradient_based.md"),
    "memory": ("megabytes", "gradient_based.md"),
    "omniglot": ("accuracy", "measured.md"),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_a_picture_are_those_of_the_page(name):
    column, page = ROWS[name]
    rows = pd.read_csv(DOCS / "results" / f"{name}.csv")
    text = (DOCS / page).read_text()
    shown = {float(number) for number in re.findall(r"(?<![\w.])\d*\.?\d+(?![\w.])", text)}
    missing = sorted(set(rows[column]) - shown)
    assert not missing, f"{page} does not show {missing}"
    assert f"images/measured/{name}.svg" in text


def test_pictures_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    pictures = runpy.run_path(str(DOCS / "_ext" / "measured_pictures.py"))
    pictures["draw_all"](tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == set(ROWS)
    for path in tmp_path.iterdir():
        root = ElementTree.parse(path).getroot()
        assert root.tag.endswith("svg")
        assert len(list(root.iter())) > 100

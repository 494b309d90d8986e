"""The page on searching: its code runs, and its table leaves nothing of GridSearchCV out."""

import inspect
import re
from pathlib import Path

import pytest
from sklearn.model_selection import GridSearchCV

from skmeta.model_selection import MetaSearchCV

PAGE = (Path(__file__).parents[2] / "docs" / "meta_search.md").read_text()
TABLE = PAGE[PAGE.index("## Beside GridSearchCV") :]


def test_the_code_of_the_page_runs():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(block, names)
    assert list(names["search"].studies_) == ["a", "b"]
    assert len(names["stored"].cv_results_["params"]) == 10
    assert names["best"].best_score_ > 0.3


def documented_attributes():
    section = inspect.getdoc(GridSearchCV).split("Attributes\n")[1].split("See Also\n")[0]
    return re.findall(r"^(\w+_) :", section, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "name", [*inspect.signature(GridSearchCV).parameters, *documented_attributes()]
)
def test_the_table_has_every_parameter_and_attribute_of_grid_search(name):
    assert f"`{name}`" in TABLE


def test_every_parameter_is_documented():
    for name in inspect.signature(MetaSearchCV).parameters:
        assert re.search(rf"^ {{4}}{name} : ", MetaSearchCV.__doc__, flags=re.MULTILINE), name

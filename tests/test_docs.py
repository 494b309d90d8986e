"""What README and pages say is true: their code runs, their excerpts are what the files hold."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from skmeta.testing import check_meta_learner

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "own_learner.py"


def _blocks(page, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


def test_the_code_of_the_readme_runs():
    names = {}
    for block in _blocks("README.md"):
        exec(block, names)
    assert names["model"].models_
    assert len(names["best"].cv_results_["params"]) == 3
    assert names["best"].best_score_ > 0.9


def test_the_page_on_own_learners_shows_the_example():
    source = EXAMPLE.read_text()
    parts = [b for b in _blocks("docs/own_learner.md") if b.startswith(("class", "    def"))]
    assert len(parts) == 4
    assert all(part in source for part in parts)
    assert len(source.splitlines()) < 60


def _load_learner():
    spec = importlib.util.spec_from_file_location("own_learner", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["own_learner"] = module  # where pickle looks for the class
    spec.loader.exec_module(module)
    return module.RandomInterceptRegressor


LEARNER = _load_learner()


@pytest.mark.parametrize(("learner", "check"), [*check_meta_learner(LEARNER(), generate_only=True)])
def test_the_example_keeps_every_promise(learner, check):
    check(learner)


PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target

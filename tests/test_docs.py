"""What README and pages say is true: their code runs and prints what they show, links lead on.

`python tests/test_docs.py docs/tour.md ...` writes into pages what their code prints now.
"""

import contextlib
import importlib.util
import io
import re
import sys
from pathlib import Path

import pytest

from skmeta.testing import check_meta_learner

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "own_learner.py"

# A block of code, and the block of text after it, if any, which is what it prints.
CODE = re.compile(
    r"```python\n(?P<code>.*?)```(?:\n\n```text\n(?P<printed>.*?)```)?", flags=re.DOTALL
)


def _run(code, names):
    """Run a block of code and return what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    return "".join(line.rstrip() + "\n" for line in printed.getvalue().splitlines())


def test_the_code_of_the_readme_runs():
    names = {}
    for block in CODE.finditer((ROOT / "README.md").read_text()):
        _run(block["code"], names)
    assert names["model"].models_
    assert len(names["best"].cv_results_["params"]) == 3
    assert names["best"].best_score_ > 0.9


RUN = ["docs/index.md", "docs/tour.md", "docs/long_runs.md"]
RUN += sorted(
    str(path.relative_to(ROOT))
    for folder in ("needs", "coming_from")
    for path in (ROOT / "docs" / folder).glob("*.md")
)


@pytest.mark.parametrize("page", RUN)
def test_the_code_of_a_page_prints_what_the_page_shows(page):
    names = {}
    for block in CODE.finditer((ROOT / page).read_text()):
        _assert_alike(_run(block["code"], names), block["printed"] or "")


NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]\d+)?")


def _assert_alike(printed, shown):
    """Words are the same; numbers may differ a little from one machine to another."""
    assert NUMBER.sub("", printed).split() == NUMBER.sub("", shown).split()
    numbers, expected = ([float(n) for n in NUMBER.findall(text)] for text in (printed, shown))
    assert numbers == pytest.approx(expected, rel=0.1, abs=0.05)


def test_the_page_on_own_learners_shows_the_example():
    source = EXAMPLE.read_text()
    page = (ROOT / "docs" / "own_learner.md").read_text()
    blocks = [block["code"] for block in CODE.finditer(page)]
    parts = [block for block in blocks if block.startswith(("class", "    def"))]
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


PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *PAGES], ids=lambda path: str(path.relative_to(ROOT))
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation():
    listed = set()
    for page in PAGES:
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), flags=re.DOTALL):
            names = [line for line in tree.splitlines() if line and not line.startswith(":")]
            listed |= {(page.parent / f"{name}.md").resolve() for name in names}
    missing = set(PAGES) - listed - {ROOT / "docs" / "index.md"}
    assert not missing, f"name them in a toctree of docs/guide.md: {sorted(map(str, missing))}"


def _write_printed(page):
    """Put what the code of a page prints into its blocks of text."""
    names = {}

    def updated(block):
        printed = _run(block["code"], names)
        text = f"```python\n{block['code']}```"
        return f"{text}\n\n```text\n{printed}```" if printed else text

    page.write_text(CODE.sub(updated, page.read_text()))


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        _write_printed(Path(argument))

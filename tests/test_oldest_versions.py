"""Lower bounds are versions that are tested: `constraints-oldest.txt` has each of them."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TESTED = dict(
    line.lower().split("==")
    for line in (ROOT / "constraints-oldest.txt").read_text().splitlines()
    if not line.startswith("#")
)
EXTRAS = ("fetch", "pandas", "plot", "polars", "progress")
BOUNDS = [
    *PROJECT["dependencies"],
    *(bound for extra in EXTRAS for bound in PROJECT["optional-dependencies"][extra]),
]


def _release(version):
    """1.9 is 1.9.0."""
    numbers = [int(number) for number in version.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


@pytest.mark.parametrize("bound", sorted(set(BOUNDS)))
def test_a_lower_bound_is_tested(bound):
    name, oldest = re.fullmatch(r"([\w-]+)>=([\d.]+)", bound).groups()
    tested = TESTED.get(name) or TESTED[name.replace("-", "_")]
    assert _release(tested) == _release(oldest)


def test_an_extra_asks_for_what_others_do():
    extras = PROJECT["optional-dependencies"]
    bounds = {}
    for bound in sum(extras.values(), PROJECT["dependencies"]):
        bounds.setdefault(re.split("[>\\[]", bound)[0], set()).add(bound)
    assert not [found for found in bounds.values() if len(found) > 1]

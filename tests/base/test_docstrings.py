"""Docstrings are filled with what base classes say, whatever margin Python leaves them."""

import inspect

import pytest

from skmeta.base._docstrings import fill_docstring
from skmeta.testing import all_meta_learners


class Base:
    _shared_docs = {
        "alpha": """
            alpha : float
                One line,

                and another.""",
        "kind": """
            kind : str""",
        "both": """
            {{alpha}}
            {{kind}}""",
    }


class Nearer(Base):
    _shared_docs = {"kind": "kind : int"}


WITH_MARGIN = """Summary.

    Parameters
    ----------
    {{both}} And more.
    beta : {"{{kind}}"}
    """


@pytest.mark.parametrize("doc", [WITH_MARGIN, inspect.cleandoc(WITH_MARGIN)])
def test_lines_that_begin_with_a_name_are_filled(doc):
    filled = fill_docstring(type("Learner", (Nearer,), {"__doc__": doc}))
    assert inspect.getdoc(filled).splitlines() == [
        "Summary.",
        "",
        "Parameters",
        "----------",
        "alpha : float",
        "    One line,",
        "",
        "    and another.",
        "kind : int And more.",
        'beta : {"{{kind}}"}',
    ]


def test_a_name_without_a_text_is_an_error():
    with pytest.raises(KeyError, match="gamma"):
        fill_docstring(type("Learner", (Base,), {"__doc__": "    {{gamma}}"}))


def test_learners_have_no_names_left_to_fill():
    for name, learner in all_meta_learners():
        assert "{{" not in learner.__doc__, name

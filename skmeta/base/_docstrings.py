"""Describing what several classes have once, in the base class that gives it to them.

A line of a docstring that begins with a name in double braces stands for a text that is kept under
that name: what siblings share is written once, and `help` shows all of it for each.
"""

from __future__ import annotations

import re
from inspect import cleandoc
from textwrap import indent
from typing import TypeVar

T = TypeVar("T")

_PLACEHOLDER = re.compile(r"^( *)\{\{(\w+)\}\}", re.MULTILINE)


def fill_docstring(cls: type[T]) -> type[T]:
    """Fill the docstring of a class with the texts of its base classes.

    Parameters
    ----------
    cls : class
        Where a line of its docstring begins with a name in double braces, that stands for the text
        of this name in the dict `_shared_docs` of the class or of a base class, the nearest one
        that has it. Texts may hold such lines, too.

    Returns
    -------
    cls : class
        The same one.

    Raises
    ------
    KeyError
        If there is no text of a name.
    """
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        texts |= vars(base).get("_shared_docs", {})

    def fill(doc: str) -> str:
        # Indented like its line: from Python 3.13 on docstrings have lost their margin by now.
        return _PLACEHOLDER.sub(
            lambda line: indent(fill(cleandoc(texts[line[2]])), prefix=line[1]), doc
        )

    cls.__doc__ = fill(cls.__doc__ or "")
    return cls

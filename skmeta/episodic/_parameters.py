"""Declaring a learner's parameters once, not once for each class that has them.

scikit-learn wants every parameter in the signature of `__init__`, and `__init__` to do nothing but
store them: that is what a dataclass writes. Neural learners share twenty parameters, so they
declare them as dataclass fields, and inherit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar, dataclass_transform

from skmeta.base._docstrings import fill_docstring

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, eq_default=False)
def parameters(cls: type[T]) -> type[T]:
    """Make a learner's annotated fields its parameters, and fill its docstring.

    In the texts that fill it (see :func:`fill_docstring`), "default={name}" stands for the default
    that the class has. What is valid for a parameter (`_parameter_constraints`) is inherited from
    all base classes.
    """
    # A dataclass's own equality and repr would replace those of an estimator.
    learner = fill_docstring(dataclass(kw_only=True, eq=False, repr=False)(cls))
    doc = learner.__doc__ or ""
    for field in fields(learner):  # type: ignore[arg-type]
        doc = doc.replace(f"default={{{field.name}}}", f"default={field.default}")
    learner.__doc__ = doc
    constraints: dict = {}
    for base in reversed(learner.__mro__):
        constraints |= vars(base).get("_parameter_constraints", {})
    learner._parameter_constraints = constraints  # type: ignore[attr-defined]
    return learner

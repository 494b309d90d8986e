"""Finding all meta-learners of the package."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

from sklearn.base import is_classifier, is_regressor

import skmeta
from skmeta.base import BaseMetaLearner


def all_meta_learners() -> list[tuple[str, type]]:
    """All meta-learners of skmeta: what tests, docs and benchmarks run over.

    Returns
    -------
    learners : list of (name, class)
        Sorted by name. A learner is a public class that inherits from
        :class:`~skmeta.BaseMetaLearner` and from a classifier's or regressor's mixin.

    Examples
    --------
    >>> from skmeta.testing import all_meta_learners
    >>> "MAMLRegressor" in dict(all_meta_learners())
    True
    """
    for module in walk_packages(skmeta.__path__, prefix="skmeta."):
        import_module(module.name)
    return sorted(
        (cls.__name__, cls)
        for cls in _subclasses(BaseMetaLearner)
        if cls.__module__.startswith("skmeta.")
        and not cls.__name__.startswith("_")
        and (is_classifier(cls()) or is_regressor(cls()))
    )


def _subclasses(cls: type) -> set[type]:
    direct: set[type] = set(cls.__subclasses__())
    return direct.union(*(_subclasses(sub) for sub in direct))

"""All configurations of a finite space, conditional ones included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FixedTrial

from skmeta.model_selection._meta_search._space import SearchSpace

# A larger space counts as endless: the search ends long before it does.
_MAX_LISTED = 2000


def list_configurations(space: SearchSpace) -> list[dict[str, Any]] | None:
    """All configurations of a small finite space, as a study holds them.

    Walks the tree of decisions depth first: a run of the space follows a path of choices and takes
    the first choice wherever the path ends. So a condition in a callable needs no declaration.

    Returns
    -------
    configurations : list of dict, or None
        None if the space is not finite, or too large to be exhausted.
    """
    found: list[dict[str, Any]] = []
    path: list[int] = []
    while len(found) < _MAX_LISTED:
        walk = _Walk(path)
        try:
            space.suggest(walk)
        except _EndlessError:
            return None
        found.append(walk.params)
        path = walk.next_path()
        if not path:
            return found
    return None


class _EndlessError(Exception):
    """A hyperparameter has infinitely many values."""


class _Walk(FixedTrial):
    """A trial whose suggestions follow a path of choices."""

    def __init__(self, path: Sequence[int]):
        super().__init__({})
        self._path = [*path]
        self._sizes: list[int] = []

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self._params:
            values = _values(distribution)
            depth = len(self._sizes)
            if depth == len(self._path):
                self._path.append(0)
            self._sizes.append(len(values))
            self._params[name] = values[self._path[depth]]
        return super()._suggest(name, distribution)

    def next_path(self) -> list[int]:
        """The path after this one in depth-first order; empty after the last."""
        path, sizes = self._path, self._sizes
        depth = len(path)
        while depth and path[depth - 1] == sizes[depth - 1] - 1:
            depth -= 1
        return [*path[: depth - 1], path[depth - 1] + 1] if depth else []


def _values(distribution: BaseDistribution) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    if isinstance(distribution, FloatDistribution):
        if distribution.low == distribution.high:
            return [distribution.low]
        if distribution.step is not None:
            n_steps = round((distribution.high - distribution.low) / distribution.step)
            return (distribution.low + distribution.step * np.arange(n_steps + 1)).tolist()
    raise _EndlessError

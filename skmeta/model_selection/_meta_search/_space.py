"""A search space: what turns an Optuna trial into parameters of the estimator."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    distribution_to_json,
)
from optuna.trial import BaseTrial, FixedTrial

from skmeta.model_selection._meta_search._dimension import Dimension, make_dimension

# What the study calls the choice among several dicts. No parameter can be called so.
PART = "space#"


class SearchSpace:
    """Turn trials into parameters of the estimator.

    Parameters
    ----------
    space : dict, list of dict, or callable
        As in :class:`MetaSearchCV`.
    """

    def __init__(
        self, space: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Callable[[Any], Any]
    ):
        self._function = space if callable(space) else None
        self._parts: list[dict[str, tuple[str, Dimension]]] = []
        if not callable(space):
            self._parts = _read_parts([space] if isinstance(space, Mapping) else list(space))

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """Parameters of the estimator in a trial.

        Raises
        ------
        TypeError
            If a callable space returns something else than a dict.
        """
        if self._function is not None:
            params = self._function(trial)
            if not isinstance(params, Mapping):
                raise TypeError(
                    "A callable space must return a dict of the estimator's parameters, got "
                    f"{params!r}."
                )
            return dict(params)
        part = self._parts[0]
        if len(self._parts) > 1:
            part = self._parts[int(trial.suggest_categorical(PART, self._part_labels))]
        return {name: dimension.suggest(trial, key) for name, (key, dimension) in part.items()}

    def decode(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of the estimator for values that a study holds.

        Raises
        ------
        ValueError
            If the values were drawn from another space.
        """
        return self.suggest(FixedTrial(dict(stored)))

    @property
    def distributions(self) -> dict[str, BaseDistribution] | None:
        """What a study of this space holds, by name; None if only running it can tell."""
        if self._function is not None:
            return None
        found = {key: dim.distribution for part in self._parts for key, dim in part.values()}
        if len(self._parts) > 1:
            found[PART] = CategoricalDistribution(self._part_labels)
        return found

    def describe(self) -> str:
        """A text that is the same for equal spaces, to be kept with a study."""
        if self.distributions is None:
            return "callable"
        return json.dumps(
            {key: distribution_to_json(d) for key, d in sorted(self.distributions.items())}
        )

    def encode_defaults(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The estimator's own parameters, as a study would hold them, where the space has them.

        Parameters
        ----------
        params : dict
            Parameters of the estimator.
        """
        if len(self._parts) != 1:  # a parameter may belong to one of the parts only
            return {}
        encoded = {}
        for name, (key, dimension) in self._parts[0].items():
            try:
                encoded[key] = dimension.encode(params[name])
            except (KeyError, ValueError):
                continue  # its value says nothing about this space
        return encoded

    @property
    def _part_labels(self) -> tuple[str, ...]:
        return tuple(map(str, range(len(self._parts))))


def _read_parts(dicts: list[Any]) -> list[dict[str, tuple[str, Dimension]]]:
    """For each dict the name of each parameter, its name in the study and its values.

    A study cannot hold two distributions under one name, so that a parameter whose values differ
    between dicts gets a name for each.
    """
    if not dicts:
        raise ValueError("space has no dict to search over, got an empty list.")
    for part in dicts:
        if not isinstance(part, Mapping):
            raise TypeError(f"space must be a dict, a list of dicts or a callable, got {part!r}.")
    parts = [{name: make_dimension(name, v) for name, v in part.items()} for part in dicts]
    owners: dict[str, list[BaseDistribution]] = {}
    for part in parts:
        for name, dimension in part.items():
            owners.setdefault(name, []).append(dimension.distribution)
    return [
        {
            name: (name if _all_equal(owners[name]) else f"{name}#{i}", dimension)
            for name, dimension in part.items()
        }
        for i, part in enumerate(parts)
    ]


def _all_equal(distributions: Sequence[BaseDistribution]) -> bool:
    return all(distribution == distributions[0] for distribution in distributions)

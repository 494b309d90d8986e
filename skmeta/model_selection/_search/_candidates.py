"""Configurations worth a look: past ones, random ones and neighbours of the best."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from skmeta.model_selection._search._encoding import conditional_names

Number = FloatDistribution | IntDistribution
Distribution = Number | CategoricalDistribution
Space = Mapping[str, Distribution]

_N_PAST, _N_RANDOM, _N_LOCAL = 80, 50, 40
# A finite space of at most this size is listed completely.
_MAX_LISTED = 400
# Standard deviations of a local step, in units of the range.
_STEPS = (0.03, 0.15)


def configuration_key(config: Mapping[str, Any]) -> Hashable:
    """What two configurations have in common if and only if they are equal."""
    return tuple(sorted((name, repr(value)) for name, value in config.items()))


class Candidates:
    """Draw candidates from a space.

    Random ones and neighbours are copies of a known configuration with other values. So a
    conditional hyperparameter is present only where it belongs, although the conditions are unknown
    to the sampler: in a conditional space the choices of a copy stay as they are. A choice that no
    past configuration has is tried with the hyperparameters alone that are always present. A
    hyperparameter that is in the space but in no past study is drawn at random.

    Parameters
    ----------
    space : dict of str to distribution
    configs : list of list of dict
        Configurations of each past study.
    scores : list of ndarray
        Their scores; higher is better.
    """

    def __init__(
        self, space: Space, configs: Sequence[Sequence[dict]], scores: Sequence[np.ndarray]
    ):
        known = {name for part in configs for config in part for name in config}
        self._conditional = conditional_names(configs)
        self._past = best_of_each(configs, scores, _N_PAST)
        self._new_choices = [
            (name, choice)
            for name, distribution in space.items()
            if isinstance(distribution, CategoricalDistribution) and name in known
            for choice in distribution.choices
            if not any(_is_same(config.get(name), choice) for part in configs for config in part)
        ]

    def draw(self, best_first: Sequence[dict], space: Space, rng: np.random.Generator) -> list:
        """Candidates without repetition.

        Parameters
        ----------
        best_first : list of dict
            Configurations tried on the target, best first.
        space : dict of str to distribution
            The current space.
        rng : Generator

        Returns
        -------
        candidates : list of dict
        """
        listed = None if self._conditional else list_space(space)
        if listed is not None:
            return listed
        past = [self._extend(c, space, rng) for c in self._past if _fits(c, space)]
        known = [*past, *best_first] or [{name: _any_value(d, rng) for name, d in space.items()}]
        centres = list(best_first[:3]) or known
        found = [*past]
        for _ in range(_N_RANDOM):
            found.append(self._vary(known[rng.integers(len(known))], space, rng, np.inf))
        for i in range(_N_LOCAL):
            centre = centres[rng.integers(len(centres))]
            found.append(self._vary(centre, space, rng, _STEPS[i % len(_STEPS)]))
        found += [self._with_choice(known[0], *new) for new in self._new_choices]
        return list({configuration_key(config): config for config in found}.values())

    def with_new_choices(self, fresh: Sequence[dict], tried: Sequence[dict]) -> list[dict]:
        """Those of the fresh candidates that have a choice which nobody has tried yet.

        Parameters
        ----------
        fresh : list of dict
        tried : list of dict
            Configurations tried or under way on the target.

        Returns
        -------
        candidates : list of dict
        """
        untried = [
            (name, choice)
            for name, choice in self._new_choices
            if not any(_is_same(config.get(name), choice) for config in tried)
        ]
        return [
            config
            for config in fresh
            if any(_is_same(config.get(name), choice) for name, choice in untried)
        ]

    def _extend(self, config: dict, space: Space, rng: np.random.Generator) -> dict:
        """Any value for a hyperparameter that the study of a configuration did not know."""
        missing = [name for name in space if name not in config and name not in self._conditional]
        values = {name: _any_value(space[name], rng) for name in missing}
        return {name: (config | values)[name] for name in sorted({*config, *values})}

    def _with_choice(self, config: dict, name: str, choice: Any) -> dict:
        """Another choice; what may hang on the old one is left to be drawn at random."""
        kept = {k: v for k, v in config.items() if k not in self._conditional}
        return kept | {name: choice}

    def _vary(self, config: dict, space: Space, rng: np.random.Generator, step: float) -> dict:
        """Other numbers, and other choices where no condition can hang on them."""
        varied = {}
        for name in sorted(config.keys() & space.keys()):
            distribution = space[name]
            if isinstance(distribution, CategoricalDistribution):
                stays = bool(self._conditional) or rng.random() < np.exp(-step)
                varied[name] = config[name] if stays else _any_value(distribution, rng)
            elif not np.isfinite(step):
                varied[name] = _any_value(distribution, rng)
            else:
                varied[name] = _neighbour(config[name], distribution, step, rng)
        return {name: varied[name] for name in sorted(varied)}


def list_space(space: Space) -> list[dict] | None:
    """All configurations of a small finite space, or None."""
    choices: list[list] = []
    for distribution in space.values():
        values = _choices(distribution)
        if values is None:
            return None
        choices.append(values)
    if prod(map(len, choices)) > _MAX_LISTED:
        return None
    return [dict(zip(space, values, strict=True)) for values in product(*choices)]


def _choices(distribution: Distribution) -> list | None:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    low, high, step = distribution.low, distribution.high, distribution.step
    if step is None:
        return [low] if low == high else None
    count = round((high - low) / step) + 1
    if count > _MAX_LISTED:
        return None
    return [_clip(low + i * step, distribution) for i in range(count)]


def best_of_each(
    configs: Sequence[Sequence[dict]], scores: Sequence[np.ndarray], size: int
) -> list[dict]:
    """The best of every study, then the second best of every study, until there are enough.

    Parameters
    ----------
    configs : list of list of dict
        Configurations of each study.
    scores : list of ndarray
        Their scores; higher is better.
    size : int

    Returns
    -------
    best : list of dict
        Without repetition.
    """
    orders = [np.argsort(-part, kind="stable") for part in scores]
    found: dict[Hashable, dict] = {}
    for rank in range(max(len(order) for order in orders)):
        for part, order in zip(configs, orders, strict=True):
            if rank < len(order) and len(found) < size:
                config = part[order[rank]]
                found.setdefault(configuration_key(config), config)
    return list(found.values())


def _is_same(value: Any, choice: Any) -> bool:
    return type(value) is type(choice) and value == choice


def _fits(config: dict, space: Space) -> bool:
    """Whether the current space still allows all values."""
    return all(name in space and _allows(space[name], value) for name, value in config.items())


def _allows(distribution: Distribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return distribution.low <= value <= distribution.high


def _any_value(distribution: Distribution, rng: np.random.Generator) -> Any:
    return value_at(rng.random(), distribution)


def value_at(position: float, distribution: Distribution) -> Any:
    """The value at a position between 0 and 1.

    Parameters
    ----------
    position : float
        0 is the lowest number or the first choice, 1 the highest or the last.
    distribution : BaseDistribution
    """
    if isinstance(distribution, CategoricalDistribution):
        n_choices = len(distribution.choices)
        return distribution.choices[min(int(position * n_choices), n_choices - 1)]
    return _at(position, distribution)


def _neighbour(value: float, distribution: Number, step: float, rng: np.random.Generator) -> Any:
    low, high = _bounds(distribution)
    position = (_warp(value, distribution) - low) / max(high - low, 1e-12)
    return _at(float(np.clip(position + step * rng.standard_normal(), 0, 1)), distribution)


def _at(position: float, distribution: Number) -> Any:
    """The value at a position between 0 (low) and 1 (high)."""
    low, high = _bounds(distribution)
    value = low + position * (high - low)
    return _clip(np.exp(value) if distribution.log else value, distribution)


def _bounds(distribution: Number) -> tuple[float, float]:
    return _warp(distribution.low, distribution), _warp(distribution.high, distribution)


def _warp(value: float, distribution: Number) -> float:
    return float(np.log(value)) if distribution.log else float(value)


def _clip(value: float, distribution: Number) -> Any:
    if distribution.step is not None:
        value = distribution.low + round((value - distribution.low) / distribution.step) * (
            distribution.step
        )
    value = min(max(value, distribution.low), distribution.high)
    return int(value) if isinstance(distribution, IntDistribution) else float(value)

"""A search space in the unit cube, conditional hyperparameters included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, cast

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from skmeta.model_selection._search._candidates import Distribution, value_at
from skmeta.model_selection._search._encoding import conditional_names, is_number, range_of


class UnitSpace:
    """Configurations as points of the unit cube, one axis for each hyperparameter.

    When a conditional hyperparameter belongs to a configuration is learned from past ones: it does
    if, for each category that all configurations have, it was seen together with the same choice.

    Parameters
    ----------
    studies : list of list of dict
        Past configurations by study.
    space : dict of str to BaseDistribution, default=None
        What is known of the space; the rest is read off the configurations.
    """

    def __init__(
        self,
        studies: Sequence[Sequence[Mapping[str, Any]]],
        space: Mapping[str, BaseDistribution] | None = None,
    ):
        configs = [config for part in studies for config in part]
        self.space = _covering(configs) | dict(space or {})
        self.names = sorted(self.space)
        conditional = conditional_names(studies)
        switches = [
            name
            for name, distribution in self.space.items()
            if isinstance(distribution, CategoricalDistribution) and name not in conditional
        ]
        self._conditions = {
            name: {
                switch: {repr(c[switch]) for c in configs if name in c and switch in c}
                for switch in switches
            }
            for name in sorted(conditional)
        }

    def configurations(self, points: np.ndarray) -> list[dict[str, Any]]:
        """Configurations at points of the cube.

        Parameters
        ----------
        points : ndarray of shape (n_points, n_names)

        Returns
        -------
        configs : list of dict
        """
        return [self._configuration(point) for point in points]

    def _configuration(self, point: np.ndarray) -> dict[str, Any]:
        config = {
            name: value_at(float(position), cast(Distribution, self.space[name]))
            for name, position in zip(self.names, point, strict=True)
        }
        for name, conditions in self._conditions.items():
            if any(repr(config[switch]) not in seen for switch, seen in conditions.items()):
                del config[name]
        return config


def _covering(configs: Sequence[Mapping[str, Any]]) -> dict[str, BaseDistribution]:
    """Distributions that just hold all values."""
    values: dict[str, list[Any]] = {}
    for config in configs:
        for name, value in config.items():
            values.setdefault(name, []).append(value)
    return {name: _distribution(part) for name, part in values.items()}


def _distribution(values: Sequence[Any]) -> BaseDistribution:
    if not all(is_number(value) for value in values):
        return CategoricalDistribution([*{repr(value): value for value in values}.values()])
    low, high, is_log = range_of(values)
    if all(isinstance(value, Integral) for value in values):
        return IntDistribution(int(low), int(high), log=is_log)
    return FloatDistribution(low, high, log=is_log)

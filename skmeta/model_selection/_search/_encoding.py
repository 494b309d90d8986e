"""Configurations as vectors: near vectors stand for similar hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from numbers import Real
from typing import Any, TypeGuard

import numpy as np

# A positive hyperparameter that spans more than this factor is compared on a log scale.
_LOG_RATIO = 50.0


class ConfigurationEncoder:
    """Encode configurations, dicts of hyperparameters, as vectors.

    A number becomes its position between the lowest and the highest value, on a log scale where
    the values span orders of magnitude; a category becomes one column for each choice. A
    conditional hyperparameter, which some configurations of a study have and others have not, gets
    one more column that says whether it is present. Where a hyperparameter is absent, it stands in
    the middle of its range, and no choice is set: a study that did not know it yet is taken for one
    with a mean value.

    Parameters
    ----------
    configs : list of dict
        Configurations that show the names, ranges and choices.
    ranges : dict of str to (low, high, is_log), default=None
        Known ranges of numbers, which are otherwise read off the configurations.
    choices : dict of str to sequence, default=None
        Known choices of categories, beside those of the configurations.
    studies : list of list of dict, default=None
        The configurations by study, which tell a conditional hyperparameter from one that is new.

    Attributes
    ----------
    names : list of str
        All hyperparameters, sorted.
    """

    def __init__(
        self,
        configs: Sequence[Mapping[str, Any]],
        ranges: Mapping[str, tuple[float, float, bool]] | None = None,
        choices: Mapping[str, Sequence[Any]] | None = None,
        studies: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    ):
        known = {**(ranges or {}), **(choices or {})}
        self.names = sorted({name for config in configs for name in config} | set(known))
        self._ranges = dict(ranges or {})
        choices = choices or {}
        conditional = conditional_names([configs] if studies is None else studies)
        self._choices: dict[str, list[str]] = {}
        self._is_conditional: dict[str, bool] = {}
        for name in self.names:
            values = [config[name] for config in configs if name in config]
            self._is_conditional[name] = name in conditional
            if name in self._ranges:
                continue
            if name not in choices and all(is_number(value) for value in values):
                self._ranges[name] = range_of(values)
            else:
                every = [*values, *choices.get(name, ())]
                self._choices[name] = sorted({repr(value) for value in every})

    @property
    def n_columns(self) -> int:
        """Length of a vector."""
        return self.encode([{}]).shape[1]

    def encode(self, configs: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Encode configurations.

        Parameters
        ----------
        configs : list of dict
            Unknown hyperparameters are ignored, unknown choices have no column set.

        Returns
        -------
        vectors : ndarray of shape (n_configs, n_columns)
        """
        columns: list[Any] = [np.zeros(len(configs))]
        for name in self.names:
            if name in self._choices:
                texts = [repr(config[name]) if name in config else None for config in configs]
                # Two choices are at distance one, as the two ends of a range are.
                columns += [
                    [(text == choice) * np.sqrt(0.5) for text in texts]
                    for choice in self._choices[name]
                ]
            else:
                columns.append([self._position(name, config) for config in configs])
            if self._is_conditional[name]:
                columns.append([float(name in config) for config in configs])
        return np.array(columns, dtype=np.float64).T

    def _position(self, name: str, config: Mapping[str, Any]) -> float:
        value = config.get(name)
        if not is_number(value):
            return 0.5
        low, high, is_log = self._ranges[name]
        if is_log:
            low, high, value = np.log([low, high, max(value, low)])
        return float(np.clip((value - low) / max(high - low, 1e-12), 0.0, 1.0))


def conditional_names(studies: Sequence[Sequence[Mapping[str, Any]]]) -> set[str]:
    """Hyperparameters that some configurations of a study have and others of it have not."""
    found: set[str] = set()
    for configs in studies:
        if configs:
            names: list[set[str]] = [set(config) for config in configs]
            found |= names[0].union(*names) - names[0].intersection(*names)
    return found


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value has a place on a line: a finite number that is not a truth value."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def range_of(values: Sequence[float]) -> tuple[float, float, bool]:
    """Lowest and highest value, and whether values span orders of magnitude."""
    low, high = float(min(values)), float(max(values))
    return low, high, low > 0 and high / low > _LOG_RATIO

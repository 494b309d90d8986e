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
    hyperparameter that not every configuration has (a conditional one) gets one more column that
    says whether it is present, and stands in the middle of its range where it is not.

    Parameters
    ----------
    configs : list of dict
        Configurations that show the names, ranges and choices.
    ranges : dict of str to (low, high, is_log), default=None
        Known ranges of numbers, which are otherwise read off the configurations.

    Attributes
    ----------
    names : list of str
        All hyperparameters, sorted.
    """

    def __init__(
        self,
        configs: Sequence[Mapping[str, Any]],
        ranges: Mapping[str, tuple[float, float, bool]] | None = None,
    ):
        self.names = sorted({name for config in configs for name in config})
        self._ranges = dict(ranges or {})
        self._choices: dict[str, list[str]] = {}
        self._is_conditional: dict[str, bool] = {}
        for name in self.names:
            values = [config[name] for config in configs if name in config]
            self._is_conditional[name] = len(values) < len(configs)
            if name in self._ranges:
                continue
            if all(_is_number(value) for value in values):
                self._ranges[name] = _range_of(values)
            else:
                self._choices[name] = sorted({repr(value) for value in values})

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
        if not _is_number(value):
            return 0.5
        low, high, is_log = self._ranges[name]
        if is_log:
            low, high, value = np.log([low, high, max(value, low)])
        return float(np.clip((value - low) / max(high - low, 1e-12), 0.0, 1.0))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _range_of(values: Sequence[float]) -> tuple[float, float, bool]:
    low, high = float(min(values)), float(max(values))
    return low, high, low > 0 and high / low > _LOG_RATIO

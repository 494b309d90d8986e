"""What a hypergradient search may change: ranges for gradients to move in, and choices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn.pipeline import Pipeline

from skmeta.model_selection._hypergradient._unroll import OPTIONS
from skmeta.model_selection._meta_search._space import SearchSpace


@dataclass(frozen=True)
class Space:
    """Parameters of an estimator that are moved by gradients, and those that are chosen.

    Parameters
    ----------
    prefix : str
        What the estimator's names of the net's parameters begin with.
    ranges : dict of str to (float, float)
        Lowest and highest value, by the estimator's names.
    choices : list of dict
        Each combination of the choices.
    """

    prefix: str
    ranges: Mapping[str, tuple[float, float]]
    choices: list[dict[str, Any]]

    @property
    def bounds(self) -> np.ndarray:
        """Logarithms of the ranges' ends, of shape (n_ranges, 2)."""
        return np.log(np.array([*self.ranges.values()]))

    def start(self, estimator: Any) -> np.ndarray:
        """Logarithms of the estimator's own values; middles of ranges that do not hold them."""
        own = estimator.get_params()
        middles = self.bounds.mean(axis=1)
        return np.array(
            [
                np.log(own[name]) if name in own and low <= own[name] <= high else middle
                for (name, (low, high)), middle in zip(self.ranges.items(), middles, strict=True)
            ]
        )

    def values(self, point: np.ndarray) -> dict[str, float]:
        """Parameters of the estimator at a point of logarithms."""
        return dict(zip(self.ranges, np.exp(point).tolist(), strict=True))

    def of_net(self, point: np.ndarray) -> dict[str, float]:
        """Parameters of the net at a point of logarithms."""
        return {name.removeprefix(self.prefix): v for name, v in self.values(point).items()}


def read_space(space: Any, estimator: Any) -> Space:
    """Read what a user gave.

    Raises
    ------
    TypeError
        If it is no dict.
    ValueError
        If there is no range, or one for something that has no derivative, or one that is not on a
        logarithmic scale.
    """
    if not isinstance(space, Mapping):
        raise TypeError(f"space must be a dict, got {space!r}.")
    prefix = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
    ranges: dict[str, tuple[float, float]] = {}
    choices: dict[str, list[Any]] = {}
    for name, values in space.items():
        distribution = (SearchSpace({name: values}).distributions or {})[name]
        if isinstance(distribution, CategoricalDistribution):
            choices[name] = list(values)
        elif name.removeprefix(prefix) not in OPTIONS:
            allowed = " and ".join(f"{prefix}{option}" for option in ("lr", "weight_decay"))
            allowed = allowed.replace("weight_decay", "optimizer__weight_decay")
            raise ValueError(
                f"space has a range for {name!r}, but the loss has derivatives by {allowed} alone: "
                "give a list of choices."
            )
        elif not (isinstance(distribution, FloatDistribution) and distribution.log):
            raise ValueError(f"The range of {name!r} must be on a logarithmic scale.")
        else:
            ranges[name] = (distribution.low, distribution.high)
    if not ranges:
        raise ValueError("space has no range for the learning rate or weight decay.")
    combined = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    return Space(prefix, ranges, combined)

"""One hyperparameter: what Optuna draws and stores, and what the estimator gets for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

# Ends of the unit interval at which a quantile function may be infinite are left out.
_QUANTILES = FloatDistribution(1e-6, 1 - 1e-6)


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter of a search.

    Parameters
    ----------
    distribution : BaseDistribution
        What the study draws from; its values can be written to any storage.
    decode : callable, default=None
        Turns a value of the study into the estimator's. By default they are the same.
    """

    distribution: BaseDistribution
    decode: Callable[[Any], Any] | None = None

    def suggest(self, trial: BaseTrial, name: str) -> Any:
        """The estimator's value in a trial."""
        value = _suggest(trial, name, self.distribution)
        return value if self.decode is None else self.decode(value)

    def encode(self, value: Any) -> Any:
        """The study's value for one of the estimator's, if the space has it.

        Raises
        ------
        ValueError
            If the space does not have it.
        """
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            for choice in distribution.choices:
                decoded = choice if self.decode is None else self.decode(choice)
                if type(decoded) is type(value) and repr(decoded) == repr(value):
                    return choice
        elif (
            self.decode is None
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and distribution._contains(distribution.to_internal_repr(value))
        ):
            return value
        raise ValueError(f"{value!r} is not in {distribution}.")


def make_dimension(name: str, values: Any) -> Dimension:
    """Read what a user gave for one hyperparameter.

    Parameters
    ----------
    name : str
        For messages.
    values : BaseDistribution, frozen scipy distribution, range, mapping or sequence

    Raises
    ------
    TypeError
        If `values` is none of these.
    ValueError
        If there is no value.
    """
    if isinstance(values, BaseDistribution):
        return Dimension(values)
    if hasattr(values, "ppf") and hasattr(values, "support"):
        return _from_scipy(values)
    if isinstance(values, str) or not isinstance(values, Mapping | Sequence | np.ndarray):
        raise TypeError(
            f"Hyperparameter {name!r} must have an Optuna distribution, a frozen scipy "
            f"distribution, a sequence of values or a dict of named values, got {values!r}."
        )
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise ValueError(
            f"Hyperparameter {name!r} needs a one-dimensional array of values, got shape "
            f"{values.shape}."
        )
    if not len(values):
        raise ValueError(f"Hyperparameter {name!r} has no values to choose from, got {values!r}.")
    if isinstance(values, range):
        low, high = sorted((values[0], values[-1]))
        return Dimension(IntDistribution(low, high, step=abs(values.step)))
    if isinstance(values, Mapping):
        return _from_choices({str(label): value for label, value in values.items()})
    return _from_choices(_labelled(list(values)))


@dataclass(frozen=True)
class _Choice:
    """The value that a stored label stands for."""

    values: Mapping[Any, Any]

    def __call__(self, label: Any) -> Any:
        return self.values[label]


@dataclass(frozen=True)
class _Quantile:
    """The quantile of a distribution at a stored number between 0 and 1."""

    frozen: Any
    is_discrete: bool

    def __call__(self, position: float) -> float | int:
        value = float(self.frozen.ppf(position))
        return int(value) if self.is_discrete else value


def _from_scipy(frozen: Any) -> Dimension:
    """Exact where Optuna has the distribution, and else quantiles of a uniform number."""
    is_discrete = hasattr(frozen, "pmf")
    name = getattr(getattr(frozen, "dist", None), "name", None)
    low, high = (float(end) for end in frozen.support())
    if name == "randint":
        return Dimension(IntDistribution(int(low), int(high)))
    if name == "uniform":
        return Dimension(FloatDistribution(low, high))
    # A shifted loguniform is not uniform on the log scale: its median tells.
    if name in ("loguniform", "reciprocal") and math.isclose(frozen.median() ** 2, low * high):
        return Dimension(FloatDistribution(low, high, log=True))
    return Dimension(_QUANTILES, _Quantile(frozen, is_discrete))


def _from_choices(choices: Mapping[Any, Any]) -> Dimension:
    """Choices by label; where every label is its own value there is nothing to decode."""
    distribution = CategoricalDistribution(tuple(choices))
    if all(label is value for label, value in choices.items()):
        return Dimension(distribution)
    return Dimension(distribution, _Choice(dict(choices)))


def _labelled(values: list[Any]) -> dict[Any, Any]:
    """Names for values, since a storage holds numbers, strings and None alone.

    A value that is given twice counts once. Numbers that are equal but not the same (1 and True)
    are named as well, or the study would take one for the other.
    """
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    storable = [value for value in values if _is_storable(value)]
    storable = list({(type(value), value): value for value in storable}.values())
    labelled = {value: value for value in storable if storable.count(value) == 1}
    labelled |= {repr(value): value for value in storable if storable.count(value) > 1}
    others = [value for value in values if not _is_storable(value)]
    kinds = [_kind(value) for value in others]
    for value, kind in zip(others, kinds, strict=True):
        text = kind if kinds.count(kind) == 1 else " ".join(repr(value).split())
        n_same = sum(str(label).partition(" #")[0] == text for label in labelled)
        labelled[f"{text} #{n_same + 1}" if n_same else text] = value
    return labelled


def _is_storable(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _kind(value: Any) -> str:
    """A short name that is the same in every process: a repr may hold an address."""
    if isinstance(value, list | tuple | float):
        return repr(value)
    return getattr(value, "__qualname__", type(value).__name__)


def _suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    """Ask a trial for a value, by Optuna's public methods."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        ints = distribution
        return trial.suggest_int(name, ints.low, ints.high, step=ints.step, log=ints.log)
    if isinstance(distribution, FloatDistribution):
        floats = distribution
        return trial.suggest_float(name, floats.low, floats.high, step=floats.step, log=floats.log)
    raise TypeError(f"Hyperparameter {name!r} has an unknown distribution, {distribution!r}.")

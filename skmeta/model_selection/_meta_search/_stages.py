"""In which steps a configuration is evaluated, so that a poor one can be given up early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from optuna.pruners import BasePruner, SuccessiveHalvingPruner, WilcoxonPruner


@dataclass(frozen=True)
class Stage:
    """One step of an evaluation: some folds, with some of the resource.

    Parameters
    ----------
    splits : sequence of int
        Folds to run.
    step : int
        What the pruner is told as the step: how many folds were run, or how much was spent.
    amount : float or None
        Fraction of the training rows, or value of the resource parameter; None for everything.
    """

    splits: Sequence[int]
    step: int
    amount: float | int | None = None


@dataclass(frozen=True)
class Schedule:
    """The stages of every evaluation.

    Parameters
    ----------
    stages : list of Stage
    resource : str or None
        "n_samples" or the name of a parameter, where there are rungs.
    is_pruned : bool
        Whether scores are reported to a pruner.
    reports_folds : bool
        Whether it is told the score of each fold alone rather than the mean so far.
    """

    stages: Sequence[Stage]
    resource: str | None
    is_pruned: bool
    reports_folds: bool = False

    def params(self, stage: Stage) -> dict[str, Any]:
        """Parameters of the estimator that a stage sets."""
        if self.resource in (None, "n_samples"):
            return {}
        return {str(self.resource): stage.amount}

    def train_rows(self, train: np.ndarray, stage: Stage, split: int) -> np.ndarray:
        """Rows of a fold to train on in a stage.

        They are the same for all trials, and larger stages contain the smaller ones.
        """
        if self.resource != "n_samples" or stage.amount == 1.0:
            return train
        n_rows = max(1, round(float(stage.amount or 1.0) * len(train)))
        return np.asarray(train)[np.random.default_rng(split).permutation(len(train))[:n_rows]]


def make_schedule(
    n_splits: int,
    pruner: BasePruner | None,
    resource: str,
    rungs: Sequence[float] | None,
    n_train: int,
) -> Schedule:
    """Everything at once; fold by fold with a pruner; rung by rung with rungs.

    Parameters
    ----------
    n_splits : int
    pruner : BasePruner or None
    resource : str
    rungs : sequence of number or None
    n_train : int
        Number of training rows of a fold.
    """
    folds = range(n_splits)
    if rungs is not None:
        scale = n_train if resource == "n_samples" else 1
        stages = [Stage(folds, max(1, round(scale * amount)), amount) for amount in rungs]
        return Schedule(stages, resource, is_pruned=True)
    if pruner is None:
        return Schedule([Stage(folds, n_splits)], None, is_pruned=False)
    return Schedule(
        [Stage([i], i + 1) for i in folds],
        None,
        is_pruned=True,
        # It compares two configurations fold by fold; others compare scores at the same step.
        reports_folds=isinstance(pruner, WilcoxonPruner),
    )


def default_pruner(schedule: Schedule) -> SuccessiveHalvingPruner:
    """Successive halving over the rungs: each keeps the share that its cost allows."""
    steps = [stage.step for stage in schedule.stages]
    factor = min((after / before for before, after in pairwise(steps)), default=2.0)
    return SuccessiveHalvingPruner(
        min_resource=steps[0], reduction_factor=max(2, int(factor)), min_early_stopping_rate=0
    )


def check_rungs(rungs: Any, resource: str, estimator: Any) -> None:
    """Raise an error for rungs that cannot be used.

    Parameters
    ----------
    rungs : sequence of number
    resource : str
    estimator : estimator
    """
    values: list[Any] = list(rungs)
    is_number = all(
        isinstance(v, int | float | np.number) and not isinstance(v, bool) and v > 0 for v in values
    )
    if not values or not is_number or any(a >= b for a, b in pairwise(values)):
        raise ValueError(f"rungs must be increasing positive numbers, got {rungs!r}.")
    if resource == "n_samples":
        if values[-1] != 1:
            raise ValueError(
                "rungs must be fractions of the training rows that end with 1 if "
                f"resource='n_samples', got {rungs!r}."
            )
        return
    if resource not in estimator.get_params():
        raise ValueError(
            f"resource={resource!r} must be 'n_samples' or a parameter of the estimator, which "
            f"has {sorted(estimator.get_params())}."
        )
    if not all(isinstance(v, Integral) for v in values):
        raise ValueError(f"rungs must be integers if resource={resource!r}, got {rungs!r}.")

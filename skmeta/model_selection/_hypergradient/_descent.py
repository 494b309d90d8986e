"""Descending a validation loss over logarithms of hyperparameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from skmeta.model_selection._hypergradient._unroll import Outcome

# Decay rates of Adam's averages; there are few steps, so that the memory is short.
_FIRST, _SECOND, _EPS = 0.7, 0.9, 1e-8
# A derivative larger than this tells of chaos in one training, not of a large gain.
_LARGEST = 1.0


@dataclass
class Path:
    """Points of a descent, and how the trainings at each of them ended.

    Parameters
    ----------
    points : list of ndarray of shape (n_options,)
    outcomes : list of list of Outcome
    """

    points: list[np.ndarray] = field(default_factory=list)
    outcomes: list[list[Outcome]] = field(default_factory=list)


def descend(
    run: Callable[[np.ndarray, int], list[Outcome]],
    start: np.ndarray,
    bounds: np.ndarray,
    n_steps: int,
    step_size: float,
    is_rate: np.ndarray,
) -> tuple[np.ndarray, Path]:
    """Minimise a mean loss with Adam, whose step sizes fall to nothing.

    Parameters
    ----------
    run : callable
        Takes a point and the number of the step, and returns how trainings there ended.
    start : ndarray of shape (n_options,)
    bounds : ndarray of shape (n_options, 2)
    n_steps : int
    step_size : float
        Of the first step, in natural logarithms.
    is_rate : ndarray of bool, shape (n_options,)
        Which of the options is the learning rate.

    Returns
    -------
    point : ndarray of shape (n_options,)
        Where the last step led.
    path : Path
        What was tried: the start and all further points but the last.
    """
    point, path = start, Path()
    mean, square = np.zeros_like(start), np.zeros_like(start)
    for step in range(n_steps):
        outcomes = run(point, step)
        path.points.append(point)
        path.outcomes.append(outcomes)
        gradient = mean_gradient(outcomes, is_rate)
        mean = _FIRST * mean + (1 - _FIRST) * gradient
        square = _SECOND * square + (1 - _SECOND) * gradient**2
        direction = mean / (1 - _FIRST ** (step + 1))
        direction /= np.sqrt(square / (1 - _SECOND ** (step + 1))) + _EPS
        size = step_size * (1 - step / n_steps)
        point = np.clip(point - size * direction, *bounds.T)
    return point, path


def mean_gradient(outcomes: Sequence[Outcome], is_rate: np.ndarray) -> np.ndarray:
    """Mean over trainings, none of which counts for more than one that is as steep as can be.

    A training that diverged, or whose derivative did, asks for a lower learning rate.
    """
    slower = np.where(is_rate, _LARGEST, 0.0)
    gradients = [
        slower if outcome.gradient is None else _clipped(outcome.gradient) for outcome in outcomes
    ]
    return np.mean(gradients, axis=0)


def mean_relative_loss(outcomes: Sequence[Outcome]) -> float:
    """Mean over datasets, where a training that did worse than none counts as none."""
    return float(np.mean([min(outcome.relative, 1.0) for outcome in outcomes]))


def _clipped(gradient: np.ndarray) -> np.ndarray:
    norm = float(np.linalg.norm(gradient))
    return gradient * min(1.0, _LARGEST / norm) if norm > 0 else gradient

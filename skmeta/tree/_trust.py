"""How far to trust support rows, learned from few-shot predictions of training tasks.

The evidence of a task takes it to depart from what tasks share in one way all along. Where the
support is the first rows in time that may be wrong: how a task departs early need not be how it
departs later. So the departure of later rows is taken to be correlated with that of the support,
not equal to it, and the correlation is learned from what the first rows of training tasks said of
their later rows, for several sizes of the support.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from skmeta.tree._episodes import Episodes, make_episodes
from skmeta.tree._growing import Committee, Table
from skmeta.tree._learning import Learned
from skmeta.tree._likelihood import Bernoulli, Gaussian
from skmeta.tree._prior import MACKAY
from skmeta.tree._process import Rows, posterior

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# Numbers of support rows at which trust is learned, and how many tasks it takes.
SHOTS = (5, 10, 20)
MIN_TASKS = 5
# Enough to scale the variances of classes where support rows are like any others.
SHOTS_OF_CLASSES = (8,)
# Shares of the variances to choose from, and correlations.
SCALES = (1.0, 0.3, 0.1, 0.03)
_CORRELATIONS = np.linspace(0, 1, 21)


def few_shot_episodes(
    table: Table, committee: Committee, n_levels: int, shots: Sequence[int] = SHOTS
) -> list[Episodes]:
    """Episodes with no support rows, and with more and more, as far as tasks have so many rows."""
    sizes = np.bincount(table.task, minlength=table.n_tasks)
    shots = [k for k in shots if np.sum(sizes > k) >= MIN_TASKS]
    return [make_episodes(table, committee, n_levels, k) for k in (0, *(shots or _few(sizes)))]


def _few(sizes: Index) -> list[int]:
    """Half a typical task, where tasks have few rows."""
    half = int(np.median(sizes)) // 2
    return [half] if half else []


class Trust(NamedTuple):
    """How a task's departure at its support rows carries over to its other rows."""

    shots: Array  # (n_shots,), numbers of support rows, increasing
    correlation: Array  # (n_shots,), of both departures
    inflation: Array  # (n_shots,), factor of the variance of predictions
    losses: Array  # (n_shots,), of training tasks' later rows

    def carry(
        self, n_support: int, mean: Array, variance: Array, spread: Array
    ) -> tuple[Array, Array]:
        """Mean and variance of the departure, given those if it were the same in all rows.

        Parameters
        ----------
        n_support : int
        mean, variance : ndarray
            Posterior of the departure at rows.
        spread : ndarray
            Prior variance of the departure at rows.
        """
        correlation = np.interp(n_support, self.shots, self.correlation)
        return _carry(float(correlation), mean, variance, spread)

    def widen(self, n_support: int) -> float:
        """Factor of the variance of predictions."""
        return float(np.interp(n_support, self.shots, self.inflation))


FULL_TRUST = Trust(np.zeros(1), np.ones(1), np.ones(1), np.full(1, np.nan))


class _Later(NamedTuple):
    """Later rows of tasks, and the departure that the first rows make expect."""

    rows: Rows
    mean: Array  # (n_tasks, n_rows)
    variance: Array
    spread: Array
    noise: float | None  # None for classes
    n_outputs: int

    def squared_errors(self, correlation: float) -> Array:
        """Mean squared error of each task."""
        y, prior, inside = self.rows
        return _mean(inside, (y - prior - correlation * self.mean) ** 2)

    def log_losses(self, correlation: float) -> Array:
        """Mean log loss of each task, for classes."""
        y, prior, inside = self.rows
        mean, variance = _carry(correlation, self.mean, self.variance, self.spread)
        odds = (prior + mean) / np.sqrt(1 + MACKAY * variance)
        if self.n_outputs == 1:
            return _mean(inside, -Bernoulli().log_density(y, odds))
        # One against the rest; probabilities are scaled to sum to one.
        by_class = (self.n_outputs, len(y) // self.n_outputs, y.shape[1])
        proba, y = expit(odds).reshape(by_class), y.reshape(by_class)
        of_class = (proba * y).sum(axis=0) / proba.sum(axis=0)
        inside = inside[: by_class[1]]
        return _mean(inside, -np.log(np.where(inside > 0, np.maximum(of_class, 1e-9), 1.0)))

    def losses(self, correlation: float) -> Array:
        """Loss of each task."""
        return (
            self.squared_errors(correlation)
            if self.noise is not None
            else self.log_losses(correlation)
        )

    def surprise(self, correlation: float) -> float:
        """Mean squared error in units of the variance of predictions, for numbers."""
        assert self.noise is not None
        y, prior, inside = self.rows
        mean, variance = _carry(correlation, self.mean, self.variance, self.spread)
        return float(_mean(inside, (y - prior - mean) ** 2 / (variance + self.noise)).mean())


def scale_for_classes(
    episodes: Episodes, classes: Array, log_odds: Array, learned: Learned
) -> Learned:
    """Scale the variances so that few-shot predictions of training tasks are best.

    Laplace's approximation of the evidence errs where tasks have few rows or one class only; what
    a task's support says of its other rows does not.

    Parameters
    ----------
    episodes : Episodes
        With support rows.
    classes, log_odds : ndarray of shape (n_rows_of_table, n_outputs)
        As in :func:`~skmeta.tree._learning.learn_bernoulli`.
    learned : Learned

    Returns
    -------
    learned : Learned
    """
    options = [learned._replace(variances=scale * learned.variances) for scale in SCALES]
    losses = np.array([_later(episodes, classes, log_odds, o, True).losses(1.0) for o in options])
    gain, error = _gains(losses)
    # What looks better by chance is not.
    return options[int(np.argmax(np.where(gain > error, gain, 0.0)))]


def learn_trust(
    episodes: Sequence[Episodes],
    targets: Array,
    prior: Array,
    learned: Learned,
    scales: Sequence[float],
    *,
    is_classes: bool,
) -> tuple[Learned, Trust]:
    """Learn how far to trust support rows, for several sizes of the support.

    What is chosen gains most over not adapting at all, less the standard error of the gain.

    Parameters
    ----------
    episodes : sequence of Episodes
        With no support rows, and then with more and more.
    targets, prior : ndarray of shape (n_rows_of_table, n_outputs)
        Numbers, or indicators of classes, and what tasks share according to trees that have not
        seen the task: numbers, or log odds.
    learned : Learned
    scales : sequence of float
        Factors of the variances to choose from, the same for all sizes. What they take away
        from the variance of numbers is noise.
    is_classes : bool

    Returns
    -------
    learned : Learned
    trust : Trust
    """
    options = [_scaled(learned, scale, episodes[0], is_classes) for scale in scales]
    ways = [[_later(e, targets, prior, o, is_classes) for e in episodes] for o in options]
    chosen = [[_choose_correlation(later) for later in way[1:]] for way in ways]
    best = int(np.argmax([sum(gain for _, gain in of_way) for of_way in chosen]))
    found = [c for c, _ in chosen[best]]
    correlation = np.array([found[0] if found else 1.0, *found])  # no support: it is not used
    pairs = list(zip(ways[best], correlation, strict=True))
    losses = np.array([later.losses(c).mean() for later, c in pairs])
    inflation = np.ones(len(episodes))
    if not is_classes:
        inflation = np.array([later.surprise(c) for later, c in pairs])
    shots = np.array([e.n_support for e in episodes], dtype=float)
    return options[best], Trust(shots, correlation, inflation, losses)


def _scaled(learned: Learned, scale: float, episodes: Episodes, is_classes: bool) -> Learned:
    """Smaller variances; the noise of numbers is larger by as much."""
    noise = learned.noise_variance
    if not is_classes:
        spread = np.einsum("tiid,d->ti", episodes.kernels, learned.variances)
        noise += (1 - scale) * float(_mean(episodes.inside, spread).mean())
    return learned._replace(variances=scale * learned.variances, noise_variance=noise)


def _choose_correlation(later: _Later) -> tuple[float, float]:
    """Correlation, and what is certain of its gain, relative to the loss without adapting."""
    losses = np.array([later.losses(c) for c in _CORRELATIONS])
    gain, error = _gains(losses)
    best = int(np.argmax(gain - error))
    return float(_CORRELATIONS[best]), float((gain - error)[best] / losses[0].mean())


def _gains(losses: Array) -> tuple[Array, Array]:
    """Gain of each option over the first one, and its standard error over tasks."""
    gain = losses[0] - losses
    return gain.mean(axis=1), gain.std(axis=1) / np.sqrt(gain.shape[1])


def _later(
    episodes: Episodes, targets: Array, prior: Array, learned: Learned, is_classes: bool
) -> _Later:
    """Adapt to the first rows of each task, and predict the others."""
    kernels, rows = episodes.stack(targets, prior)
    kernel, n = kernels @ learned.variances, episodes.n_support
    spread = np.einsum("tii->ti", kernel)
    if is_classes:
        rows = rows._replace(prior=rows.prior * np.sqrt(1 + MACKAY * spread))
    likelihood = Bernoulli() if is_classes else Gaussian(learned.noise_variance)
    support, query = (Rows(*(p[:, part] for p in rows)) for part in (slice(n), slice(n, None)))
    found = posterior(kernel[:, :n, :n], support, likelihood)
    cross = kernel[:, n:, :n]
    mean = np.einsum("tqs,ts->tq", cross, found.weights)
    known = np.einsum("tqs,tqs->tq", cross @ found.precision, cross)
    noise = None if is_classes else learned.noise_variance
    return _Later(query, mean, spread[:, n:] - known, spread[:, n:], noise, targets.shape[1])


def _carry(correlation: float, mean: Array, variance: Array, spread: Array) -> tuple[Array, Array]:
    return correlation * mean, (1 - correlation**2) * spread + correlation**2 * variance


def _mean(inside: Array, values: Array) -> Array:
    """Mean over the rows of each task."""
    return (inside * values).sum(axis=1) / np.maximum(inside.sum(axis=1), 1)

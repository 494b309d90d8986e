"""Choosing the parameters of a biased machine by few-shot validation on the training tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context

from skmeta.svm._biased import Correction
from skmeta.svm._pooled import Kernel
from skmeta.tasks import TaskCollection, split_support_query

Array = NDArray[np.floating]
# (X, targets) of the rows of some tasks -> the function that these tasks share.
FitPrior = Callable[[Array, Array], Callable[[Array], Array]]
# (gram, target, prior, C) of one output -> what the support says.
Correct = Callable[[Array, Array, Array, float], Correction]

_N_FOLDS = 3
# Validation on more tasks would cost more time than it gains in reliability.
_MAX_TASKS = 60
_MAX_QUERY = 30


class Setting(NamedTuple):
    """Parameters of a biased machine."""

    C: float
    gamma: float
    trust: float


class Episode(NamedTuple):
    """Support and query of a training task, and the function that the other tasks share."""

    X: Array
    targets: Array
    prior: Array
    X_query: Array
    targets_query: Array
    prior_query: Array


def make_episodes(
    tasks: TaskCollection, targets: Array, fit_prior: FitPrior, n_support: int
) -> list[Episode]:
    """Episodes of training tasks, each with a prior function that has not seen its task.

    Parameters
    ----------
    tasks : TaskCollection
    targets : ndarray of shape (n_rows, n_outputs)
        Targets of the rows of `tasks`.
    fit_prior : callable
        Learns the shared function from rows.
    n_support : int
        Support rows of an episode at most. They are drawn whatever their class, as a new task's
        rows come: some supports have one class only.

    Returns
    -------
    episodes : list of Episode
        Empty where there is one task only.
    """
    if len(tasks) < 2:
        return []
    return list(_episodes(tasks, targets, fit_prior, n_support))


def _episodes(
    tasks: TaskCollection, targets: Array, fit_prior: FitPrior, n_support: int
) -> Iterator[Episode]:
    X, row_fold = tasks.X, tasks.row_task % min(_N_FOLDS, len(tasks))
    chosen = np.linspace(0, len(tasks) - 1, min(len(tasks), _MAX_TASKS)).round().astype(np.intp)
    numbers = np.zeros((len(tasks.storage[1]), 1))
    numbers[tasks.row_index(), 0] = np.arange(len(X))
    numbered = tasks.with_storage(numbers)
    for fold in range(min(_N_FOLDS, len(tasks))):
        prior = fit_prior(X[row_fold != fold], targets[row_fold != fold])
        held = chosen[chosen % min(_N_FOLDS, len(tasks)) == fold]
        held = held[tasks.sizes[held] > 1]
        if not len(held):
            continue
        split = split_support_query(numbered[held], n_support, _MAX_QUERY)
        for support, query in zip(*split, strict=True):
            s, q = (np.asarray(part.X)[:, 0].astype(np.intp) for part in (support, query))
            yield Episode(X[s], targets[s], prior(X[s]), X[q], targets[q], prior(X[q]))


def query_values(
    episodes: list[Episode], settings: list[Setting], kernel_name: str, correct: Correct
) -> Iterator[Array]:
    """Decision values on all query rows after adapting to the supports, for each setting."""
    gammas = dict.fromkeys(setting.gamma for setting in settings)
    grams = {
        gamma: [
            (kernel(e.X, e.X), kernel(e.X_query, e.X))
            for kernel in [Kernel(kernel_name, gamma)]
            for e in episodes
        ]
        for gamma in gammas
    }
    for setting in settings:
        yield np.concatenate(
            [
                setting.trust * episode.prior_query
                + adapt(gram, episode.targets, episode.prior, setting, correct)(cross)
                for episode, (gram, cross) in zip(episodes, grams[setting.gamma], strict=True)
            ]
        )


class Corrections(NamedTuple):
    """Corrections of all outputs, functions of the kernel between rows and the support."""

    dual: Array  # (n_support, n_outputs)
    intercept: Array  # (n_outputs,)

    def __call__(self, cross: Array) -> Array:
        return cross @ self.dual + self.intercept


def adapt(
    gram: Array, targets: Array, prior: Array, setting: Setting, correct: Correct
) -> Corrections:
    """Correct each output on a support."""
    # The machines are many and tiny: checking their input would take most of the time.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        parts = [
            correct(gram, target, setting.trust * f0, setting.C)
            for target, f0 in zip(targets.T, prior.T, strict=True)
        ]
    dual = np.column_stack([part.dual for part in parts])
    return Corrections(dual, np.array([part.intercept for part in parts]))


def grid(C: list[float], gamma: list[float], trust: list[float]) -> list[Setting]:
    """All combinations."""
    return [Setting(*values) for values in product(C, gamma, trust)]


def select(
    episodes: list[Episode],
    settings: list[Setting],
    kernel_name: str,
    correct: Correct,
    loss: Callable[[Array, Array], float],
) -> tuple[Setting, Array, Array]:
    """Choose the setting of least loss.

    Returns
    -------
    setting : Setting
    values : ndarray of shape (n_query, n_outputs)
        Its decision values on the query rows of all episodes.
    targets : ndarray of shape (n_query, n_outputs)
        Their targets.
    """
    targets = np.concatenate([episode.targets_query for episode in episodes])
    found = list(query_values(episodes, settings, kernel_name, correct))
    best = int(np.argmin([loss(values, targets) for values in found]))
    return settings[best], found[best], targets

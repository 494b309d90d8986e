"""Choosing the parameters of a biased machine by few-shot validation on the training tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context

from skmeta.svm._biased import Correction
from skmeta.svm._pooled import Kernel, KernelName
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


class Validation:
    """Priors that have not seen a part of the tasks, and episodes of that part.

    Parameters
    ----------
    tasks : TaskCollection
        At least two.
    targets : ndarray of shape (n_rows, n_outputs)
        Targets of the rows of `tasks`.
    fit_prior : callable
        Learns the shared function from rows.
    """

    def __init__(self, tasks: TaskCollection, targets: Array, fit_prior: FitPrior) -> None:
        self.tasks, self.targets = tasks, targets
        self.n_folds = min(_N_FOLDS, len(tasks))
        fold = tasks.row_task % self.n_folds
        self.priors = [
            fit_prior(tasks.X[fold != i], targets[fold != i]) for i in range(self.n_folds)
        ]

    def episodes(self, n_support: int, *, exact: bool) -> list[Episode]:
        """Episodes of training tasks, each with a prior function that has not seen its task.

        Parameters
        ----------
        n_support : int
            Support rows of an episode. They are drawn whatever their class, as a new task's rows
            come: some supports have one class only.
        exact : bool
            Whether tasks with no more rows than that are left out. Otherwise all but one of their
            rows are their support.
        """
        enough = np.flatnonzero(self.tasks.sizes > (n_support if exact else 1))
        if not len(enough):
            return []
        chosen = np.linspace(0, len(enough) - 1, min(len(enough), _MAX_TASKS)).round()
        held = enough[chosen.astype(np.intp)]
        numbers = np.zeros((len(self.tasks.storage[1]), 1))
        numbers[self.tasks.row_index(), 0] = np.arange(len(self.targets))
        numbered = self.tasks.with_storage(numbers)[held]
        split = split_support_query(numbered, n_support, _MAX_QUERY)
        return [
            self._episode(
                self.priors[number % self.n_folds],
                *(np.asarray(part.X)[:, 0].astype(np.intp) for part in parts),
            )
            for number, *parts in zip(held, *split, strict=True)
        ]

    def _episode(
        self, prior: Callable[[Array], Array], s: NDArray[np.intp], q: NDArray[np.intp]
    ) -> Episode:
        X, targets = self.tasks.X, self.targets
        return Episode(X[s], targets[s], prior(X[s]), X[q], targets[q], prior(X[q]))


def query_values(
    episodes: list[Episode], settings: list[Setting], kernel_name: KernelName, correct: Correct
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
                _adapted_values(episode, setting, gram, cross, correct)
                for episode, (gram, cross) in zip(episodes, grams[setting.gamma], strict=True)
            ]
        )


def _adapted_values(
    episode: Episode, setting: Setting, gram: Array, cross: Array, correct: Correct
) -> Array:
    if not len(episode.X):  # nothing to correct, nor to distrust
        return episode.prior_query
    corrections = adapt(gram, episode.targets, episode.prior, setting, correct)
    return setting.trust * episode.prior_query + corrections(cross)


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


def targets_of(episodes: list[Episode]) -> Array:
    """Targets of all query rows."""
    return np.concatenate([episode.targets_query for episode in episodes])


def grid(C: list[float], gamma: list[float], trust: list[float]) -> list[Setting]:
    """All combinations."""
    return [Setting(*values) for values in product(C, gamma, trust)]


def select(
    episodes: list[Episode],
    settings: list[Setting],
    kernel_name: KernelName,
    correct: Correct,
    loss: Callable[[Array, list[Episode]], float],
) -> Setting:
    """The setting whose decision values on the query rows have the least loss."""
    found = query_values(episodes, settings, kernel_name, correct)
    return settings[int(np.argmin([loss(values, episodes) for values in found]))]

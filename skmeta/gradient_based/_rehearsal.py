"""The past tasks that a learner on a stream of tasks keeps, to go on learning from them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skmeta.tasks import TaskCollection


class Rehearsal:
    """A random choice of the tasks of a stream, each of them kept with the same probability.

    It never changes: models that were adapted before further tasks came may share it.

    Parameters
    ----------
    size : int or None
        How many tasks are kept at most; None keeps all.
    seed : int
        The choice is a function of it and of the order in which tasks come.

    Attributes
    ----------
    tasks : TaskCollection or None
        The kept tasks; None while there are none.
    """

    def __init__(self, size: int | None, seed: int):
        self.size, self.seed = size, seed
        self.tasks: TaskCollection | None = None
        self._n_seen = 0
        self._lots = np.empty(0)  # one for each kept task

    def join(self, tasks: TaskCollection) -> TaskCollection:
        """The kept tasks, then the given ones, split into support and query like these."""
        return tasks if self.tasks is None else _Joined.of(self.tasks, tasks)

    def add(self, tasks: TaskCollection) -> Rehearsal:
        """What is kept when the given tasks have come, too."""
        later = Rehearsal(self.size, self.seed)
        later._n_seen = self._n_seen + len(tasks)
        if self.size == 0:
            return later
        # Every task draws a lot; the lowest ones are a random choice of all that ever came.
        drawn = np.random.default_rng([self.seed, self._n_seen]).random(len(tasks))
        lots = np.concatenate([self._lots, drawn])
        kept = np.sort(np.argsort(lots, kind="stable")[: self.size])
        later.tasks = self.join(tasks)[kept].compact()
        later._lots = lots[kept]
        return later


class _Joined(TaskCollection):
    """Tasks of two collections, with the default split of the second."""

    @classmethod
    def of(cls, first: TaskCollection, second: TaskCollection) -> Self:
        joined = cls(
            np.concatenate([first.X, second.X]),
            np.concatenate([first.y, second.y]),
            np.concatenate([first.offsets, first.n_rows + second.offsets[1:]]),
            shared_target=second.shared_target,
        )
        joined._split = second.default_split
        return joined

    @property
    def default_split(self) -> tuple[int, int]:
        return self._split

    def _select(self, key: Any) -> Self:
        selected = super()._select(key)
        selected._split = self._split
        return selected

    _split: tuple[int, int]

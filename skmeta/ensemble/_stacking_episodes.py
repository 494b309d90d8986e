"""What candidates say of training tasks that they have not seen, after a few of their rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier

from skmeta.base._progress import Progress
from skmeta.tasks import TaskCollection, split_support_query
from skmeta.tasks._table import take_rows

Array = NDArray[np.floating]

# Probabilities below count as this, as in the usual log-loss of a wrong certainty.
MIN_PROBABILITY = 1e-6
# More episodes would cost more time than they add to what is known of the weights ...
_MAX_TASKS = 240
_MAX_QUERY = 30
# ... and where tasks are few, each serves several times.
_MIN_EPISODES = 60
_MAX_REPEATS = 4
# Fewer tasks tell nothing of how much a difference varies over tasks.
_MIN_TASKS = 3
# So many tasks will do, even if most others are too small for a number of shots.
_MANY_TASKS = 120


@dataclass(frozen=True, eq=False)
class Episodes:
    """Query rows of held-out tasks at one number of shots, and what each candidate says of them.

    Attributes
    ----------
    shots : int
        Rows that candidates had adapted to.
    y : ndarray of shape (n_rows,)
        Target of the query rows; for classifiers the codes of their classes.
    task : ndarray of int of shape (n_rows,)
        Position of the task of each row in the collection.
    said : ndarray of shape (n_rows, n_candidates) or (n_rows, n_candidates, n_classes)
        Predicted target; for classifiers the log probabilities of all classes.
    std : ndarray of shape (n_rows, n_candidates)
        Predicted standard deviation; NaN for candidates that have none, and for classifiers.
    """

    shots: int
    y: Array
    task: NDArray[np.intp]
    said: Array
    std: Array

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return len(np.unique(self.task))

    def of(self, rows: NDArray[np.bool_]) -> Episodes:
        """Return some of the rows."""
        return Episodes(self.shots, self.y[rows], self.task[rows], self.said[rows], self.std[rows])


def usable_shots(sizes: NDArray[np.integer], shots: tuple[int, ...]) -> list[int]:
    """Numbers of shots that leave a query row to half of the tasks, or to many tasks."""
    enough = min(max(_MIN_TASKS, len(sizes) / 2), _MANY_TASKS)
    return [k for k in shots if np.sum(sizes > k) >= enough]


class OutOfTask:
    """Draws of support and query from training tasks, in folds over tasks, the same for everyone.

    Parameters
    ----------
    tasks : TaskCollection
        Training tasks; their rows as candidates take them, their classes codes.
    shots : list of int
        Numbers of support rows.
    n_folds : int
        Candidates are fitted on the tasks of all folds but one, and adapted to that one's.
    strategy : {"random", "first"}
        How supports are drawn.
    random_state : int
        Seed.
    """

    def __init__(
        self,
        tasks: TaskCollection,
        shots: list[int],
        *,
        n_folds: int,
        strategy: str,
        random_state: int,
    ) -> None:
        self.tasks, self.shots, self.strategy = tasks, shots, strategy
        self.random_state = random_state
        # Rows far ahead are what first rows mislead about, so that near ones must not hide it.
        self._query_after = max(shots) if strategy == "first" else 0
        self.n_classes = int(tasks.y.max()) + 1  # means nothing to regressors
        order = np.random.default_rng(random_state).permutation(len(tasks))
        self.folds = np.array_split(order, min(n_folds, len(tasks)))

    def predictions(self, candidate: Any, progress: Progress) -> list[Episodes]:
        """What one candidate says at each number of shots."""
        parts: list[list[Episodes]] = [[] for _ in self.shots]
        for held in self.folds:
            others = np.setdiff1d(np.arange(len(self.tasks)), held)
            meta = clone(candidate)
            with progress.fit_of(meta, "validation"):
                meta.fit(self.tasks[others])
            for part, shots in zip(parts, self.shots, strict=True):
                part += self._episodes(meta, held, shots)
        return [_stack_rows(part) for part in parts]

    def _episodes(self, meta: Any, held: NDArray[np.intp], shots: int) -> Iterator[Episodes]:
        held = held[self.tasks.sizes[held] > shots][: _MAX_TASKS // len(self.folds)]
        n_repeats = -(-_MIN_EPISODES // max(1, len(held) * len(self.folds)))
        if not shots or (self.strategy == "first" and len(held)):
            n_repeats = 1  # there is but one support
        for repeat in range(min(n_repeats, _MAX_REPEATS) if len(held) else 0):
            support, query = split_support_query(
                self.tasks[held],
                shots,
                _MAX_QUERY,
                strategy=self.strategy,
                query_after=self._query_after,
                random_state=self.random_state + repeat,
            )
            if is_classifier(meta):
                # No candidate knows a class that is missing from the other folds.
                support, query = (_with_classes(part, meta.classes_) for part in (support, query))
            models = meta.fit_adapt_many(support)
            for model, task, name in zip(models, query, held, strict=True):
                if task.n_rows:
                    yield self._one(model, task, shots, int(name))

    def _one(self, model: Any, task: Any, shots: int, name: int) -> Episodes:
        y, std = task.y, np.full(task.n_rows, np.nan)
        if is_classifier(model):
            y = y.astype(np.intp)
            said = log_proba(model, task.X, self.n_classes)
        elif predicts_std(model):
            said, std = model.predict(task.X, return_std=True)
        else:
            said = model.predict(task.X)
        return Episodes(shots, y, np.full(task.n_rows, name), said[:, None], std[:, None])


def predicts_std(model: Any) -> bool:
    """Whether a regressor gives standard deviations."""
    return "return_std" in signature(model.predict).parameters


def log_proba(model: Any, X: Any, n_classes: int) -> Array:
    """Log probabilities of all classes, also those that the model does not know.

    Parameters
    ----------
    model : classifier
        Its classes are codes.
    X : array-like or data frame of shape (n_rows, n_features)
    n_classes : int

    Returns
    -------
    log_proba : ndarray of shape (n_rows, n_classes)
    """
    proba = np.zeros((len(X), n_classes))
    proba[:, model.classes_.astype(np.intp)] = model.predict_proba(X)
    return np.log(np.clip(proba, MIN_PROBABILITY, 1.0))


def _with_classes(tasks: TaskCollection, classes: np.ndarray) -> TaskCollection:
    """The rows of these classes."""
    rows = np.flatnonzero(np.isin(tasks.y, classes))
    if len(rows) == tasks.n_rows:
        return tasks
    sizes = np.bincount(tasks.row_task[rows], minlength=len(tasks))
    return TaskCollection(
        take_rows(tasks.X, rows),
        tasks.y[rows],
        np.concatenate([[0], np.cumsum(sizes)]),
        names=tasks.names,
        shared_target=tasks.shared_target,
    )


def _stack_rows(parts: list[Episodes]) -> Episodes:
    fields = (np.concatenate([getattr(p, f) for p in parts]) for f in ("y", "task", "said", "std"))
    return Episodes(parts[0].shots, *fields)


def side_by_side(parts: list[Episodes]) -> Episodes:
    """Put what several candidates say of the same rows into one."""
    first = parts[0]
    said, std = (np.hstack([getattr(p, field) for p in parts]) for field in ("said", "std"))
    return Episodes(first.shots, first.y, first.task, said, std)

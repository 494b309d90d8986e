"""N-way tasks, drawn from one pool of labelled rows: the way of Omniglot."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skmeta.tasks._collection import TaskCollection
from skmeta.tasks._flat import Block
from skmeta.tasks._hashing import combine, uniform
from skmeta.tasks._table import as_table, as_target, take_rows
from skmeta.tasks._task import Task


class NWayTasks(TaskCollection):
    """A lazy collection of n-way tasks; see :func:`make_n_way_tasks`, which makes one.

    Holds the pool of rows and a seed. Task `i` is drawn when it is asked for and is always
    the same.

    Attributes
    ----------
    n_way, n_support, n_query : int
        Classes of a task; rows per class in the support and in the query.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_support=1, n_query=2, random_state=0)
    >>> tasks.n_way, len(tasks[0].y)
    (3, 9)
    """

    def __init__(self, X, y, *, n_way, n_support, n_query, indices, seed):
        self._blocks, self._block_of = (Block(X, y),), None
        self.n_way, self.n_support, self.n_query = n_way, n_support, n_query
        self.shared_target, self._hashed = False, None
        self._indices, self._seed = indices, seed
        self._by_class = np.argsort(y, kind="stable")  # rows sorted by class
        _, self._class_starts, self._class_sizes = np.unique(
            y[self._by_class], return_index=True, return_counts=True
        )

    @property
    def default_split(self) -> tuple[int, int]:
        """Rows of a task that serve as support and as query: `n_way` times those per class."""
        return self.n_way * self.n_support, self.n_way * self.n_query

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def sizes(self) -> np.ndarray:
        return np.full(len(self), self.n_way * (self.n_support + self.n_query))

    @property
    def names(self) -> np.ndarray:
        return self._indices

    def row_index(self, tasks: np.ndarray | None = None) -> np.ndarray:
        """Draw the rows of the given tasks; of each, the support's come first, class by class."""
        index = self._indices if tasks is None else self._indices[tasks]
        index = index.astype(np.int64)[:, None]
        n_classes, n_rows = len(self._class_sizes), self.n_support + self.n_query
        classes = _draw_distinct(
            np.full_like(index[:, 0], n_classes), self.n_way, self._seed, index
        )
        starts, sizes = self._class_starts[classes].ravel(), self._class_sizes[classes].ravel()
        slot = np.arange(classes.size)[:, None] % self.n_way
        streams = np.repeat(index, self.n_way, axis=0)
        within = _draw_distinct(sizes, n_rows, combine(self._seed, 1), combine(streams, slot))
        rows = self._by_class[starts[:, None] + within].reshape(len(index), self.n_way, n_rows)
        support, query = rows[..., : self.n_support], rows[..., self.n_support :]
        return np.concatenate(
            [part.reshape(len(index), -1) for part in (support, query)], axis=1
        ).ravel()

    def _task(self, i: int) -> Task:
        rows = self.row_index(np.array([i]))
        X, y = self.storage
        return Task(take_rows(X, rows), y[rows], name=int(self._indices[i]))

    def _select(self, key):
        selected = object.__new__(type(self))
        selected.__dict__.update(self.__dict__)
        selected._indices = self._indices[key]
        return selected

    def compact(self) -> NWayTasks:
        """Itself: the pool belongs to every task."""
        return self

    def _is_stored_in_order(self) -> bool:
        return False

    def __reduce__(self):
        return _restore, (type(self), self.__dict__)


def _restore(cls, state):
    tasks = object.__new__(cls)
    tasks.__dict__.update(state)
    return tasks


@validate_params(
    {
        "X": ["array-like"],
        "y": ["array-like"],
        "n_way": [Interval(Integral, 2, None, closed="left")],
        "n_support": [Interval(Integral, 0, None, closed="left")],
        "n_query": [Interval(Integral, 1, None, closed="left")],
        "n_tasks": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_n_way_tasks(
    X: Any,
    y: Any,
    *,
    n_way: int = 5,
    n_support: int = 1,
    n_query: int = 15,
    n_tasks: int = 1000,
    random_state: Any = None,
) -> NWayTasks:
    """Draw many small classification tasks from one pool of labelled rows.

    Each task has `n_way` classes, drawn without replacement from the pool's, and for each class
    `n_support + n_query` of its rows. Tasks are drawn when they are asked for: a collection of a
    million costs no more than the pool. Task `i` depends on `random_state` and `i` alone.

    Parameters
    ----------
    X : array-like or data frame of shape (n_rows, n_features)
        The pool. An image is a row: flatten it.
    y : array-like of shape (n_rows,)
        Class of each row.
    n_way : int, default=5
        Classes of a task.
    n_support : int, default=1
        Rows of each class that serve as support ("shots").
    n_query : int, default=15
        Rows of each class that are left for the query.
    n_tasks : int, default=1000
        Number of tasks.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same tasks each time.

    Returns
    -------
    tasks : NWayTasks
        A collection with `shared_target=False`: the classes of a task are its own.

    Raises
    ------
    ValueError
        If the pool has fewer than `n_way` classes with enough rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_support=1, n_query=5, random_state=0)
    >>> tasks
    NWayTasks(n_tasks=1000, n_rows=18000, n_features=64)
    >>> tasks[7]
    Task(name=7, n_rows=18, n_features=64)
    """
    X = as_table(X)
    y = as_target(y, X.shape[0])
    if y.ndim != 1:
        raise ValueError(f"y must hold one class for each row, got shape {y.shape}.")
    n_rows = n_support + n_query
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < n_way:
        raise ValueError(f"n_way={n_way} classes asked for, but y has only {len(classes)}.")
    if counts.min() < n_rows:
        raise ValueError(
            f"Every class needs n_support + n_query = {n_rows} rows, but class "
            f"{classes.tolist()[counts.argmin()]!r} has {counts.min()}. Ask for fewer rows or "
            "leave such classes out."
        )
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return NWayTasks(
        X,
        y,
        n_way=n_way,
        n_support=n_support,
        n_query=n_query,
        indices=np.arange(n_tasks),
        seed=seed,
    )


def _draw_distinct(n: np.ndarray, k: int, seed: Any, streams: np.ndarray) -> np.ndarray:
    """For each of many streams, `k` distinct integers below `n`, in random order.

    Floyd's algorithm (Bentley & Floyd, 1987), all streams at a time: its cost does not depend on
    `n`, so a class may have a million rows.
    """
    chosen = np.full((len(n), k), -1, dtype=np.int64)
    for j in range(k):
        top = n - k + j
        drawn = (uniform(combine(seed, streams, j))[:, 0] * (top + 1)).astype(np.int64)
        is_taken = (chosen == drawn[:, None]).any(axis=1)
        chosen[:, j] = np.where(is_taken, top, drawn)
    shuffle = np.argsort(combine(seed, streams, k, np.arange(k)), axis=1)  # Floyd's order is biased
    return np.take_along_axis(chosen, shuffle, axis=1)

"""Drawing support and query rows, for many tasks at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skmeta.tasks._collection import TaskCollection
from skmeta.tasks._hashing import combine, uniform
from skmeta.tasks._layout import offsets_of
from skmeta.tasks._table import take_rows


class Draw(NamedTuple):
    """Rows of `n_tasks` tasks, concatenated, and how many each task has."""

    rows: np.ndarray
    sizes: np.ndarray


class SupportQueryDraw:
    """Draws support and query rows from the tasks of a collection.

    The draw of a task depends on what its rows hold, on the seed and on the epoch, and on nothing
    else: not on the order of storage, nor on which other tasks are there. Of two supports of the
    same task and seed the smaller one is part of the larger.

    Parameters
    ----------
    tasks : TaskCollection
        Tasks with the same columns.

    n_support : int
        Rows in the support of a task. A task that has no more rows than that leaves one of them
        for the query; a task of a single row has an empty support.

    n_query : int or None, default=None
        Rows in the query at most; None takes all that are left.

    stratify : bool, default=False
        Whether to draw each class in proportion to its rows in the task, after one row of each
        class. For classes that are rare in a task this gives a support in which as many classes as
        possible are present.

    strategy : {"random", "first"}, default="random"
        "first" takes the first rows of a task as support, in the order in which they are stored:
        time, where the table is sorted by it. The query is drawn from the others at random.

    query_after : int, default=0
        Rows that are passed over, the support among them, before the query begins. Supports of
        several sizes so share their query. One row is left for it.

    random_state : int, default=0
        Seed.
    """

    def __init__(
        self,
        tasks: TaskCollection,
        n_support: int,
        n_query: int | None = None,
        *,
        stratify: bool = False,
        strategy: str = "random",
        query_after: int = 0,
        random_state: int = 0,
    ):
        _check_draw(n_support, n_query, strategy, query_after)
        self.tasks = tasks
        self.n_support, self.n_query = n_support, n_query
        self.n_passed = max(n_support, query_after)
        self.stratify, self.strategy, self.random_state = stratify, strategy, random_state
        self._hashes = tasks.row_hashes()
        self._codes = (
            np.unique(tasks.storage[1], return_inverse=True)[1].astype(np.int64)
            if stratify
            else None
        )

    def __call__(self, indices: np.ndarray | None = None, epoch: int = 0) -> tuple[Draw, Draw]:
        """Draw from the tasks at the given positions (all by default).

        Returns
        -------
        support, query : Draw
            Rows number the collection's `storage`.
        """
        rows = self.tasks.row_index(indices)
        sizes = self.tasks.sizes if indices is None else self.tasks.sizes[indices]
        offsets = offsets_of(sizes)
        order, rank = self._order(rows, sizes, offsets, epoch)
        n_passed = np.clip(sizes - 1, 0, self.n_passed)
        n_support = np.minimum(n_passed, self.n_support)
        n_query = sizes - n_passed
        if self.n_query is not None:
            n_query = np.minimum(n_query, self.n_query)
        is_support = rank < np.repeat(n_support, sizes)
        is_query = (rank >= np.repeat(n_passed, sizes)) & (
            rank < np.repeat(n_passed + n_query, sizes)
        )
        ordered = rows[order]
        return Draw(ordered[is_support], n_support), Draw(ordered[is_query], n_query)

    def _order(
        self, rows: np.ndarray, sizes: np.ndarray, offsets: np.ndarray, epoch: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """An order that sorts rows by task and then by draw, and each row's rank in its task."""
        task = np.repeat(np.arange(len(sizes)), sizes)
        rank = np.arange(len(rows)) - np.repeat(offsets[:-1], sizes)
        hashes = self._hashes[rows]
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashes)])  # wraps, as it should
        of_task = combine(self.random_state, epoch, sums[offsets[1:]] - sums[offsets[:-1]])
        keys = combine(of_task[task], hashes)
        if self.strategy == "first":
            keys = uniform(keys)
            is_first = rank < np.repeat(np.clip(sizes - 1, 0, self.n_passed), sizes)
            keys[is_first] = rank[is_first] - len(rows)
        elif self._codes is not None:
            keys = _stratified_keys(task, self._codes[rows], keys, of_task[task])
        return np.lexsort((keys, task)), rank


def split_support_query(
    tasks: TaskCollection,
    n_support: int,
    n_query: int | None = None,
    *,
    stratify: bool = False,
    strategy: str = "random",
    query_after: int = 0,
    random_state: int = 0,
) -> tuple[TaskCollection, TaskCollection]:
    """Split every task into a support and a query set.

    Parameters
    ----------
    tasks : TaskCollection
    n_support : int
        Rows in the support. A task keeps at least one row for its query.
    n_query : int or None, default=None
        Rows in the query at most; None takes all that are left.
    stratify : bool, default=False
        Whether to draw each class in proportion, after one row of each class.
    strategy : {"random", "first"}, default="random"
        "first" takes the first rows of each task as support, as they are stored.
    query_after : int, default=0
        Rows that are passed over, the support among them, before the query begins: with the same
        number, supports of several sizes share their query. A task keeps at least one row for it.
    random_state : int, default=0
        Seed. The split of a task depends on its rows and on this number alone.

    Returns
    -------
    support, query : TaskCollection
        The same tasks in the same order.

    Examples
    --------
    >>> from skmeta import TaskCollection, split_support_query
    >>> tasks = TaskCollection.from_arrays([[0.0], [1], [2], [3]], [0, 1, 0, 1], ["a"] * 4)
    >>> support, query = split_support_query(tasks, n_support=2, stratify=True)
    >>> sorted(support[0].y.tolist())
    [0, 1]
    """
    if not tasks.has_equal_widths:
        return _split_by_width(
            tasks,
            n_support,
            n_query,
            stratify=stratify,
            strategy=strategy,
            query_after=query_after,
            random_state=random_state,
        )
    draws = SupportQueryDraw(
        tasks,
        n_support,
        n_query,
        stratify=stratify,
        strategy=strategy,
        query_after=query_after,
        random_state=random_state,
    )()
    support, query = (_gather(tasks, draw) for draw in draws)
    return support, query


def _gather(tasks: TaskCollection, draw: Draw) -> TaskCollection:
    X, y = tasks.storage
    offsets = offsets_of(draw.sizes)
    return TaskCollection(
        take_rows(X, draw.rows),
        y[draw.rows],
        offsets,
        names=tasks.names,
        shared_target=tasks.shared_target,
    )


def _split_by_width(
    tasks: TaskCollection, n_support: int, n_query: int | None, **options: Any
) -> tuple[TaskCollection, TaskCollection]:
    """Tasks of different widths: a collection of one task at a time, then all together."""
    splits = [
        split_support_query(tasks[[i]], n_support, n_query, **options) for i in range(len(tasks))
    ]
    supports, queries = (
        TaskCollection.from_tasks([part[0] for part in half], shared_target=tasks.shared_target)
        for half in zip(*splits, strict=True)
    )
    return supports, queries


def _stratified_keys(
    task: np.ndarray, codes: np.ndarray, keys: np.ndarray, task_keys: np.ndarray
) -> np.ndarray:
    """Numbers that sort a task's rows: one of each class first, then classes in proportion.

    Row number r (from 0, at random) of a class with n rows gets (r + u) / n, where u is one random
    number for the class: a systematic sample, so that any first rows hold every class in
    proportion up to one row.
    """
    order = np.lexsort((keys, codes, task))
    t, c = task[order], codes[order]
    starts = np.concatenate([[0], np.flatnonzero((t[1:] != t[:-1]) | (c[1:] != c[:-1])) + 1])
    counts = np.diff(np.append(starts, len(t)))
    if not len(t):
        return np.zeros(0)
    rank = np.arange(len(t)) - np.repeat(starts, counts)
    u = uniform(combine(task_keys[order], c))
    sorted_keys = np.where(rank == 0, u - 1.0, (rank + u) / np.repeat(counts, counts))
    result = np.empty(len(t))
    result[order] = sorted_keys
    return result


def _check_draw(n_support: Any, n_query: Any, strategy: Any, query_after: Any) -> None:
    for name, value in (("n_support", n_support), ("query_after", query_after)):
        if not isinstance(value, int | np.integer) or value < 0:
            raise ValueError(f"{name} must be an integer of at least 0, got {value!r}.")
    if n_query is not None and (not isinstance(n_query, int | np.integer) or n_query < 1):
        raise ValueError(f"n_query must be None or an integer of at least 1, got {n_query!r}.")
    if strategy not in ("random", "first"):
        raise ValueError(f"strategy must be 'random' or 'first', got {strategy!r}.")

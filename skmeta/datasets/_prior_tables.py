"""Synthetic tables to learn from tables with: a prior over what a small table may look like."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skmeta.datasets._prior_mechanisms import draw_graph, draw_trees
from skmeta.tasks import Task, TaskCollection

_MECHANISMS = {"graph": draw_graph, "trees": draw_trees}
_WARPS = (np.sinh, np.exp, np.cbrt, lambda x: np.sign(x) * x**2)


@validate_params(
    {
        "n_tasks": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left"), tuple],
        "n_classes": [Interval(Integral, 2, None, closed="left"), tuple, None],
        "n_rows": [Interval(Integral, 2, None, closed="left")],
        "mechanism": [StrOptions({"graph", "trees", "both"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_prior_tables(
    n_tasks: int = 100,
    n_features: int | tuple[int, int] = (3, 20),
    n_classes: int | tuple[int, int] | None = (2, 6),
    n_rows: int = 100,
    *,
    mechanism: str = "both",
    random_state: Any = None,
) -> TaskCollection:
    """Tables drawn from random mechanisms, each with its own columns and its own classes.

    A learner that trains on many of them learns how tables are to be learned, as prior-data fitted
    networks do [1]_. A table comes from one of two mechanisms:

    - "graph": a random structural causal model. Causes go through a random sparse network with
      random nonlinearities, and every node gets noise of its own. Columns are nodes drawn from all
      layers, so that they are correlated and may be causes or effects of the target, which is
      made of other nodes.
    - "trees": the target is a sum of random decision trees of correlated normal columns.

    Columns are then seen as tables show them: scaled and shifted at random, some of them bent by a
    monotone function, some cut into categories. Numbers become classes by cutting one target into
    quantiles of random size, or by taking the largest of several targets. In half of the tables a
    share of the labels, up to 15 %, is drawn at random. Classes are in random order, each has at
    least two rows where there are enough, and no class has more than about three times its fair
    share.

    Parameters
    ----------
    n_tasks : int, default=100
    n_features : int or (int, int), default=(3, 20)
        Columns of each table, or the lowest and the highest number, from which one is drawn.
    n_classes : int, (int, int) or None, default=(2, 6)
        Classes of each table, likewise. None leaves the target a number, standardised in each
        table.
    n_rows : int, default=100
        Rows of each table; at least twice the number of classes.
    mechanism : {"graph", "trees", "both"}, default="both"
        Where tables come from; "both" tosses a coin for each, which lands on "graph" in two of
        three cases.
    random_state : int, RandomState instance or None, default=None
        An int gives the same tables in every call; the first tables do not depend on `n_tasks`.

    Returns
    -------
    tasks : TaskCollection
        With `shared_target=False`.

    Raises
    ------
    ValueError
        If a range is not one, or there are too few rows for the classes.

    References
    ----------
    .. [1] Hollmann, Müller, Eggensperger & Hutter (2023). TabPFN: a transformer that solves small
       tabular classification problems in a second. ICLR. Section 4.

    Examples
    --------
    >>> from skmeta.datasets import make_prior_tables
    >>> make_prior_tables(n_tasks=5, n_rows=40, random_state=0)
    TaskCollection(n_tasks=5, n_rows=200, n_features=3 to 13)
    """
    widths = _as_range(n_features, "n_features", 1)
    classes = None if n_classes is None else _as_range(n_classes, "n_classes", 2)
    if classes is not None and n_rows < 2 * classes[1]:
        raise ValueError(
            f"n_rows must be at least twice the number of classes, got n_rows={n_rows} for "
            f"{classes[1]} classes."
        )
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    tables = (
        _draw_table(np.random.default_rng([seed, i]), widths, classes, n_rows, mechanism)
        for i in range(n_tasks)
    )
    return TaskCollection.from_tasks([Task(X, y) for X, y in tables], shared_target=False)


def _as_range(value: Any, name: str, lowest: int) -> tuple[int, int]:
    low, high = value if isinstance(value, tuple) and len(value) == 2 else (value, value)
    is_range = all(isinstance(end, Integral) for end in (low, high)) and lowest <= low <= high
    if not is_range:
        raise ValueError(
            f"{name} must be an integer of at least {lowest}, or a pair (lowest, highest) of such, "
            f"got {value!r}."
        )
    return int(low), int(high)


def _draw_table(
    rng: np.random.Generator,
    widths: tuple[int, int],
    classes: tuple[int, int] | None,
    n_rows: int,
    mechanism: str,
) -> tuple[np.ndarray, np.ndarray]:
    n_features = int(rng.integers(widths[0], widths[1] + 1))
    n_classes = 1 if classes is None else int(rng.integers(classes[0], classes[1] + 1))
    if mechanism == "both":
        mechanism = "graph" if rng.random() < 2 / 3 else "trees"
    X, targets = _MECHANISMS[mechanism](rng, n_rows, n_features, n_classes)
    y = targets[:, 0] if classes is None else _as_classes(rng, targets)
    return _as_seen(rng, X), y


# ---------------------------------------------------------------------- how tables show columns


def _as_seen(rng: np.random.Generator, X: np.ndarray) -> np.ndarray:
    """Bend some columns, cut others into categories, and give each a unit of its own."""
    X = X.copy()
    kind = rng.random(X.shape[1])
    for j in np.flatnonzero(kind < 0.2):
        X[:, j] = _WARPS[rng.integers(len(_WARPS))](X[:, j].clip(-4, 4))
    for j in np.flatnonzero(kind > 0.8):
        n_categories = rng.integers(2, 7)
        codes = _cut(X[:, j], rng.dirichlet(np.full(n_categories, 3.0)))
        is_ordered = rng.random() < 0.5
        X[:, j] = codes if is_ordered else rng.permutation(n_categories)[codes]
    return X * rng.lognormal(size=X.shape[1]) + rng.normal(size=X.shape[1])


def _cut(values: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Codes 0, 1, ... of values, each with its share of the rows, in the order of the values."""
    ends = np.round(np.cumsum(shares)[:-1] * len(values)).astype(int)
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    return np.searchsorted(ends, rank, side="right")


# ---------------------------------------------------------------------- classes


def _as_classes(rng: np.random.Generator, targets: np.ndarray) -> np.ndarray:
    """Class codes in random order."""
    n_rows, n_classes = targets.shape
    codes = np.argmax(targets + 0.3 * rng.normal(size=n_classes), axis=1)
    if rng.random() < 0.5 or not _is_balanced(codes, n_classes):
        shares = 0.5 / n_classes + 0.5 * rng.dirichlet(np.full(n_classes, 3.0))
        codes = _cut(targets[:, 0], shares)
        # Rounding of shares may leave a class short of rows in a very small table.
        if not _is_balanced(codes, n_classes):
            codes = _cut(targets[:, 0], np.full(n_classes, 1 / n_classes))
    noise = rng.choice([0.0, rng.uniform(0, 0.15)])
    noisy = np.where(rng.random(n_rows) < noise, rng.integers(n_classes, size=n_rows), codes)
    return rng.permutation(n_classes)[noisy if _is_balanced(noisy, n_classes) else codes]


def _is_balanced(codes: np.ndarray, n_classes: int) -> bool:
    counts = np.bincount(codes, minlength=n_classes)
    return bool(counts.min() >= 2 and counts.max() * n_classes <= 3 * len(codes))

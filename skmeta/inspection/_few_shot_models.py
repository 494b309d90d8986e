"""Models adapted to a few rows of each task, and the rows that they are judged on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier

from skmeta.tasks import TaskCollection, split_support_query

# A support, rows it was not drawn from, and how many rows are taken from the former.
Split = tuple[int, TaskCollection, TaskCollection]


def nested_splits(
    tasks: TaskCollection, shots: Sequence[int], *, strategy: str, random_state: int
) -> Iterator[Split]:
    """Supports of several sizes, all with the same query rows.

    Parameters
    ----------
    tasks : TaskCollection
        Those with no more rows than the largest number of shots are left out.
    shots : sequence of int
    strategy : {"random", "first"}
    random_state : int

    Yields
    ------
    n_support, supports, queries : int, TaskCollection, TaskCollection

    Raises
    ------
    ValueError
        If shots are not integers of at least 0, or no task is large enough.
    """
    sizes = np.asarray(shots)
    if sizes.ndim != 1 or not sizes.size or sizes.dtype.kind not in "iu" or sizes.min() < 0:
        raise ValueError(f"shots must hold integers of at least 0, got {shots!r}.")
    largest = int(sizes.max())
    enough = tasks.sizes > largest
    if not enough.any():
        raise ValueError(
            f"No task has more than {largest} rows, the largest number of shots; the largest task "
            f"has {int(tasks.sizes.max())}."
        )
    for n_support in sizes.tolist():
        yield (
            n_support,
            *split_support_query(
                tasks[enough],
                n_support,
                strategy=strategy,
                query_after=largest,
                random_state=random_state,
            ),
        )


def adapt(learner: Any, supports: TaskCollection) -> list[Any]:
    """Models of the tasks: of a meta-learner adapted, of an ordinary estimator fitted alone.

    A support of one class, which many ordinary classifiers refuse, predicts that class.
    """
    if hasattr(learner, "fit_adapt_many"):
        return learner.fit_adapt_many(supports)
    return [_fit_alone(learner, task.X, task.y) for task in supports]


def _fit_alone(estimator: Any, X: Any, y: np.ndarray) -> Any:
    if is_classifier(estimator) and len(np.unique(y)) == 1:
        return DummyClassifier().fit(X, y)
    return clone(estimator).fit(X, y)


def standard_error(values: np.ndarray) -> np.ndarray:
    """Of the mean over the last axis; gaps do not count."""
    n = np.maximum(np.isfinite(values).sum(axis=-1), 1)
    return np.nanstd(values, axis=-1) / np.sqrt(n)


def new_axes(display: Any, ax: Any) -> Any:
    """The axes to draw into: those given, or new ones."""
    from sklearn.utils._optional_dependencies import check_matplotlib_support

    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1] if ax is None else ax

"""Tasks to check learners on, and what several checks do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

from skmeta.datasets import make_linear_tasks
from skmeta.tasks import TaskCollection, split_support_query


def make_tasks(estimator: Any, n_tasks: int = 8, n_rows: int = 14) -> TaskCollection:
    """Tasks that suit the estimator: shared weights with noise, or shared classes that move."""
    tasks = make_linear_tasks(n_tasks, n_rows, 3, noise=0.1, random_state=0)
    if not is_classifier(estimator):
        return tasks
    rng = np.random.default_rng(0)
    codes = np.tile(np.arange(n_rows) % 3, n_tasks)
    centers = np.array([[-2.0, 0.0, 1.0], [2.0, 1.0, -1.0], [0.0, 3.0, 2.0]])
    shift = np.repeat(rng.normal(scale=0.5, size=(n_tasks, 3)), n_rows, axis=0)
    X = centers[codes] + shift + 0.5 * rng.standard_normal((len(codes), 3))
    return TaskCollection(X, np.array(["ill", "odd", "well"])[codes], tasks.offsets)


def seeded(estimator: Any) -> Any:
    """A clone with a fixed seed, where it has one."""
    estimator = clone(estimator)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    return estimator


def fitted(estimator: Any) -> tuple[Any, TaskCollection, TaskCollection]:
    """A fitted clone, and support and query of tasks that it has not seen."""
    tasks = make_tasks(estimator)
    support, query = split_support_query(tasks[5:], 6, stratify=is_classifier(estimator))
    return seeded(estimator).fit(tasks[:5]), support, query


def outputs(model: Any, X: Any) -> np.ndarray:
    """What a model says of some rows: probabilities where it has them, otherwise numbers."""
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@contextmanager
def raises(kind: type[Exception], *words: str) -> Iterator[None]:
    """Expect an error whose message has one of the words."""
    try:
        yield
    except kind as error:
        if not any(word in str(error).lower() for word in words):
            raise AssertionError(
                f"The message should mention {' or '.join(map(repr, words))}, got: {error}"
            ) from error
    else:
        raise AssertionError(f"Expected an error that mentions {' or '.join(map(repr, words))}.")

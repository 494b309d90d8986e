"""Checks of errors: bad input is named."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from skmeta.tasks import Task
from skmeta.testing._checks._tools import fitted, make_tasks, raises, seeded


def check_errors_of_fit(name, estimator):
    """Bad tasks get a clear error."""
    tasks = make_tasks(estimator)
    X, y = tasks.X, tasks.y
    with raises(ValueError, "task"):
        clone(estimator).fit(tasks[:0])
    with raises(ValueError, "y and task_id"):
        clone(estimator).fit(tasks, y)
    with raises(ValueError, "task_id"):
        clone(estimator).fit(X, y, task_id=tasks.row_task[:-1])
    with raises(ValueError, "missing"):
        clone(estimator).fit(X, y, task_id=np.where(tasks.row_task, 1.0, np.nan))
    with raises(ValueError, "inconsistent"):
        clone(estimator).fit(X, y[:-1])
    infinite = X.copy()
    infinite[3, 1] = np.inf
    with raises(ValueError, "inf"):
        clone(estimator).fit(infinite, y)
    with raises(ValueError, "preprocessor"):
        clone(estimator).set_params(preprocessor="none").fit(tasks)
    if not get_tags(estimator).task_tags.different_widths:
        uneven = [Task(X[:5], y[:5]), Task(X[5:9, :2], y[5:9])]
        with raises(ValueError, "same columns"):
            clone(estimator).fit(uneven)


def check_errors_of_gaps(name, estimator):
    """Without a preprocessor, gaps get an error that names them."""
    tasks = make_tasks(estimator)
    X = tasks.X.copy()
    X[3, 1] = np.nan
    bare = seeded(estimator).set_params(preprocessor=None)
    with raises(ValueError, "nan"):
        clone(bare).fit(tasks.with_storage(X))
    meta = bare.fit(tasks)
    with raises(ValueError, "nan"):
        meta.fit_adapt(X[:6], tasks.y[:6])
    with raises(ValueError, "nan"):
        meta.predict(X[:6])


def check_errors_of_fit_adapt(name, estimator):
    """A bad support gets a clear error."""
    with raises(NotFittedError, "not fitted"):
        clone(estimator).fit_adapt([[0.0]], [0])
    meta, support, query = fitted(estimator)
    X, y = support[0].X, support[0].y
    with raises(ValueError, "features"):
        meta.fit_adapt(X[:, :2], y)
    with raises(ValueError, "features"):
        meta.fit_adapt_many([Task(X[:, :2], y)])
    with raises(ValueError, "features"):
        meta.fit_adapt(X, y).predict(query[0].X[:, :2])
    with raises(ValueError, "inconsistent"):
        meta.fit_adapt(X, y[:-1])
    with raises(ValueError, "0 sample", "minimum of 1"):
        meta.fit_adapt(X[:0], y[:0])
    with raises(ValueError, "task"):
        meta.fit_adapt_many([])


CHECKS = [
    check_errors_of_fit,
    check_errors_of_gaps,
    check_errors_of_fit_adapt,
]

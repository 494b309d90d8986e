"""Checks of scikit-learn's habits: scores and splits, ordinary views, data frames."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.model_selection import cross_val_score

from skmeta.base import FewShotClassifier, FewShotRegressor, TaskwiseClassifier, TaskwiseRegressor
from skmeta.testing._checks._tools import fitted, make_tasks, outputs, raises, seeded


def check_scores_of_tasks(name, estimator):
    """`score` takes tasks, and so do scikit-learn's splitters."""
    scores = cross_val_score(seeded(estimator), make_tasks(estimator), cv=2)
    assert np.isfinite(scores).all()


def check_ordinary_views(name, estimator):
    """FewShot and Taskwise views are ordinary estimators."""
    meta, support, query = fitted(estimator)
    few_shot, taskwise = (
        (FewShotClassifier, TaskwiseClassifier)
        if is_classifier(estimator)
        else (FewShotRegressor, TaskwiseRegressor)
    )
    task, q = support[0], query[0]
    ordinary = clone(few_shot(meta)).fit(task.X, task.y)
    assert_array_equal(ordinary.predict(q.X), meta.fit_adapt(task.X, task.y).predict(q.X))
    tasks = make_tasks(estimator)
    table = np.column_stack([tasks.row_task, tasks.X])
    model = taskwise(seeded(estimator), task=0).fit(table, tasks.y)
    table[0, 0] = -1.0  # a task that was not there
    assert model.predict(table).shape == (len(table),)
    assert_array_equal(model.predict(table[:1]), model.meta_.predict(table[:1, 1:]))


def check_real_tables(name, estimator):
    """Data frames with strings and gaps go in; their column names are checked."""
    try:
        import pandas as pd
    except ImportError:
        return
    tasks = make_tasks(estimator)
    df = pd.DataFrame(tasks.X, columns=["dose", "age", "weight"])
    df.loc[::7, "age"] = np.nan
    df["ward"] = np.where(df["dose"] > 0, "north", "south")
    df.loc[::5, "ward"] = None
    meta = seeded(estimator).fit(df, tasks.y, task_id=tasks.row_task)
    assert_array_equal(meta.feature_names_in_, df.columns)
    model = meta.fit_adapt(df[:9], tasks.y[:9])
    assert np.isfinite(outputs(model, df.assign(ward="unseen")[9:14])).all()
    with raises(ValueError, "feature names"):
        model.predict(df.rename(columns={"age": "years"}))
    with raises(ValueError, "duplicate"):
        model.predict(df.rename(columns={"age": "dose"}))


CHECKS = [
    check_scores_of_tasks,
    check_ordinary_views,
    check_real_tables,
]

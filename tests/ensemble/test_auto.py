"""The learners that choose for themselves."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmeta import AutoMetaClassifier, AutoMetaRegressor, TaskCollection
from skmeta.datasets import make_linear_tasks
from skmeta.ensemble._candidates import classifiers, regressors

TASKS = make_linear_tasks(n_tasks=12, n_rows=10, n_features=2, noise=0.1, random_state=0)
SMALL, NEW = TASKS[:9], TASKS[10]
LARGE = make_linear_tasks(n_tasks=20, n_rows=12, n_features=2, noise=0.1, random_state=0)


def with_classes(tasks):
    tasks = tasks.compact()
    return tasks.with_storage(y=(tasks.y > 0).astype(int))


def test_candidates_by_size_and_kind():
    for candidates, kind in ((regressors, lambda tasks: tasks), (classifiers, with_classes)):
        few, many = ([name for name, _ in candidates(kind(tasks))] for tasks in (SMALL, LARGE))
        assert len(few) == 2
        assert set(few) < set(many)
        assert {"pooled linear", "pooled boosting"} <= set(many)


def test_no_mixed_model_of_more_weights_than_fit():
    wide = make_linear_tasks(n_tasks=20, n_rows=12, n_features=10_000, random_state=0)
    assert "linear mixed model" not in dict(regressors(wide))
    assert "logistic mixed model" not in dict(classifiers(with_classes(wide)))


def test_linear_tasks_get_the_linear_mixed_model():
    meta = AutoMetaRegressor().fit(SMALL)
    assert meta.report_.best == "linear mixed model"
    assert meta.report_.reference == "pooled linear"
    assert meta.fit_adapt(NEW.X[:6], NEW.y[:6]).score(NEW.X[6:], NEW.y[6:]) > 0.9


def test_logistic_tasks():
    meta = AutoMetaClassifier().fit(with_classes(SMALL))
    model = meta.fit_adapt(NEW.X[:6], (NEW.y[:6] > 0).astype(int))
    assert model.predict_proba(NEW.X).shape == (10, 2)


def test_a_spent_budget_leaves_the_cheapest():
    meta = AutoMetaRegressor(time_budget=1e-9).fit(LARGE)
    assert meta.report_.names == [regressors(LARGE)[0][0]]
    assert set(meta.report_.skipped) == {name for name, _ in regressors(LARGE)[1:]}
    assert "not tried: " in str(meta.report_)
    assert_array_equal(meta.weights_, 1)


def test_a_large_budget_changes_nothing():
    first = AutoMetaRegressor().fit(SMALL)
    second = AutoMetaRegressor(time_budget=1e9).fit(SMALL)
    assert_array_equal(first.weights_, second.weights_)


def test_useless_support_is_left_alone():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 2))
    tasks = TaskCollection(X, X[:, 0] + rng.normal(size=90), np.arange(0, 91, 3))
    meta = AutoMetaRegressor().fit(tasks)
    model = meta.fit_adapt(X[:2], X[:2, 0] + 1)
    assert np.abs(model.predict(X) - meta.estimators_[0].predict(X)).max() < 0.1


@pytest.mark.parametrize("budget", [0, -1.0, "long"])
def test_bad_budget(budget):
    with pytest.raises(ValueError, match="'time_budget' parameter"):
        AutoMetaRegressor(time_budget=budget).fit(SMALL)


def test_the_page_shows_what_its_code_prints(capsys):
    page = (Path(__file__).parents[2] / "docs" / "choosing.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL)
    exec(code, {})
    # Digits may differ from one machine to another.
    words, expected = (
        re.sub(r"[\d.e+-]+|\s+", " ", t).split() for t in (capsys.readouterr().out, shown)
    )
    assert words == expected

"""Few-shot scorers, and scikit-learn's searches over tasks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_validate

from skmeta import MetaRidgeRegressor, PrototypeClassifier, Task, TaskCollection, make_n_way_tasks
from skmeta.base import few_shot_scores
from skmeta.datasets import make_linear_tasks
from skmeta.model_selection import cross_val_few_shot, few_shot_scorer


@pytest.fixture(scope="module")
def tasks():
    return make_linear_tasks(40, random_state=0)


def test_a_score_is_that_of_a_model_adapted_by_hand(tasks):
    meta = MetaRidgeRegressor().fit(tasks[:30])
    only = tasks[[35]]
    scores = few_shot_scores(meta, only, n_support=19)
    left = [
        meta.fit_adapt(np.delete(only.X, i, axis=0), np.delete(only.y, i)).predict(only.X[[i]])[0]
        for i in range(20)
    ]
    assert np.isnan(scores).all()  # R² of a single row is undefined
    errors = few_shot_scores(meta, only, n_support=19, scoring="neg_mean_squared_error")
    assert np.isclose(-errors[0, 0], (only.y - left) ** 2).any()


def test_more_shots_are_better_and_zero_shots_are_the_prior(tasks):
    results = pd.DataFrame(
        cross_val_few_shot(
            MetaRidgeRegressor(),
            tasks,
            n_support=(0, 2, 10),
            scoring="neg_mean_squared_error",
            n_repeats=2,
            cv=4,
        )
    )
    assert len(results) == 3 * 2 * 40
    assert set(results["task"]) == set(range(40))
    curve = results.groupby("n_support")["score"].mean()
    assert curve[0] < curve[2] < curve[10]


def test_repeatable_and_parallel(tasks):
    options = {"n_support": 3, "cv": 3, "random_state": 5}
    one = cross_val_few_shot(MetaRidgeRegressor(), tasks, **options)
    two = cross_val_few_shot(MetaRidgeRegressor(), tasks, n_jobs=2, **options)
    np.testing.assert_allclose(one["score"], two["score"])
    other = cross_val_few_shot(MetaRidgeRegressor(), tasks, **options | {"random_state": 6})
    assert not np.allclose(one["score"], other["score"])


@pytest.mark.parametrize(
    ("search", "options"),
    [
        (GridSearchCV, {"n_jobs": 2}),
        (GridSearchCV, {"scoring": few_shot_scorer(5, scoring="neg_mean_absolute_error")}),
        (HalvingGridSearchCV, {"min_resources": 10, "factor": 2}),
        (HalvingGridSearchCV, {}),
    ],
)
def test_searches_over_tasks(tasks, search, options):
    grid = {"covariance": ["full", "diagonal"], "fit_intercept": [True, False]}
    fitted = search(MetaRidgeRegressor(), grid, cv=3, error_score="raise", **options).fit(tasks)
    assert fitted.best_params_["fit_intercept"]
    task = tasks[0]
    model = fitted.best_estimator_.fit_adapt(task.X[:5], task.y[:5])
    assert model.score(task.X[5:], task.y[5:]) > 0.5


def test_searches_over_classification_tasks():
    X = np.random.default_rng(0).standard_normal((120, 4))
    y = np.repeat(np.arange(6), 20)
    tasks = make_n_way_tasks(X + 2 * y[:, None], y, n_way=3, n_support=3, n_query=4, n_tasks=30)
    # By default halving counts the classes in `y` to find its smallest resource; tasks have no `y`.
    for search, options in ((GridSearchCV, {}), (HalvingGridSearchCV, {"min_resources": 9})):
        grid = {"preprocessor": [None, "auto"]}
        fitted = search(
            PrototypeClassifier(module=None), grid, cv=3, error_score="raise", **options
        )
        assert fitted.fit(tasks).best_score_ > 0.8


def test_several_scorers(tasks):
    scorers = {
        "one": few_shot_scorer(1, scoring="neg_mean_squared_error"),
        "ten": few_shot_scorer(10, scoring="neg_mean_squared_error"),
    }
    results = cross_validate(MetaRidgeRegressor(), tasks, scoring=scorers, cv=3)
    assert (results["test_one"] < results["test_ten"]).all()


def test_first_rows_as_support():
    # a trend that turns: the first rows say little of the others
    X = np.tile(np.arange(20.0)[:, None], (30, 1))
    y = np.tile(np.maximum(np.arange(20.0) - 10, 0), 30)
    tasks = TaskCollection(X, y, np.arange(0, 601, 20))
    options = {"n_support": 10, "scoring": "neg_mean_squared_error", "cv": 3}
    random = cross_val_few_shot(MetaRidgeRegressor(), tasks, **options)
    first = cross_val_few_shot(MetaRidgeRegressor(), tasks, strategy="first", **options)
    assert first["score"].mean() != random["score"].mean()


@pytest.mark.parametrize(
    "options",
    [{"n_support": -1}, {"n_query": 0}, {"n_repeats": 0}, {"strategy": "x"}, {"scoring": 3}],
)
def test_bad_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        few_shot_scorer(**options)


def test_tasks_without_rows_to_score_on(tasks):
    meta = MetaRidgeRegressor().fit(tasks)
    with pytest.raises(ValueError, match="undefined for every task"):
        few_shot_scorer(5)(meta, [Task([[1, 2, 3]], [1])])

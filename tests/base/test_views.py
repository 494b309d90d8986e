"""FewShot and Taskwise views inside scikit-learn's own tools."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_blobs
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from skmeta import (
    FewShotClassifier,
    FewShotRegressor,
    MAMLRegressor,
    MetaRidgeRegressor,
    PrototypeClassifier,
    TaskwiseClassifier,
    TaskwiseRegressor,
    make_n_way_tasks,
)
from skmeta.datasets import make_linear_tasks, make_sinusoid_tasks


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(300, n_features=3, centers=6, random_state=0)
    tasks = make_n_way_tasks(X[y < 4], y[y < 4], n_way=2, n_support=2, n_query=5, n_tasks=10)
    return PrototypeClassifier(module=None).fit(tasks), X[y > 3], y[y > 3]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda view: view,
        lambda view: make_pipeline(FunctionTransformer(), view),
        lambda view: BaggingClassifier(view, n_estimators=3, random_state=0),
        lambda view: CalibratedClassifierCV(view, cv=3),
        lambda view: StackingClassifier([("few", view), ("line", LogisticRegression())], cv=3),
    ],
)
def test_few_shot_classifier_is_an_ordinary_classifier(blobs, wrap):
    meta, X, y = blobs
    scores = cross_val_score(wrap(FewShotClassifier(meta)), X, y, cv=3, error_score="raise")
    assert scores.min() > 0.9


def test_few_shot_regressor_is_an_ordinary_regressor():
    tasks = make_linear_tasks(random_state=0)
    view = FewShotRegressor(MetaRidgeRegressor().fit(tasks[:90]))
    task = tasks[95]
    bagged = BaggingRegressor(view, n_estimators=3, random_state=0).fit(task.X[:10], task.y[:10])
    assert bagged.score(task.X[10:], task.y[10:]) > 0.8
    _, std = view.fit(task.X[:5], task.y[:5]).predict(task.X[5:], return_std=True)
    assert (std > 0).all()


def test_search_over_adaptation_leaves_the_meta_learner_alone():
    tasks = make_sinusoid_tasks(60, random_state=0)
    meta = MAMLRegressor(max_epochs=3, random_state=0).fit(tasks[:50])
    task = tasks[55]
    view = FewShotRegressor(meta)
    search = GridSearchCV(view, {"meta__n_adapt_steps": [0, 1, 20]}, cv=3, scoring="r2")
    search.fit(task.X, task.y)
    assert len(set(search.cv_results_["mean_test_score"])) == 3
    assert meta.n_adapt_steps is None
    assert view.meta is meta
    assert search.best_estimator_.meta.net_ is meta.net_


def test_clone_keeps_what_was_learned(blobs):
    meta, X, y = blobs
    copy = clone(FewShotClassifier(meta))
    with pytest.raises(NotFittedError):
        copy.predict(X)
    assert copy.fit(X, y).score(X, y) > 0.9


def test_an_unfitted_meta_learner_is_refused(blobs):
    _, X, y = blobs
    with pytest.raises(NotFittedError, match="meta-learner of FewShotClassifier is not fitted"):
        FewShotClassifier(PrototypeClassifier()).fit(X, y)
    with pytest.raises(TypeError, match="must be a meta-learner, got LogisticRegression"):
        FewShotClassifier(LogisticRegression()).fit(X, y)


def test_taskwise_regressor_uses_each_task_and_the_prior_for_new_ones():
    rng = np.random.default_rng(0)
    store = np.repeat(["x", "y", "z"], 30)
    X = pd.DataFrame({"price": rng.normal(size=90), "store": store})
    y = 2 * X["price"] + pd.Series(store).map({"x": 0.0, "y": 10.0, "z": 20.0})
    model = TaskwiseRegressor(MetaRidgeRegressor(), task="store").fit(X, y)
    assert sorted(model.models_) == ["x", "y", "z"]
    assert_array_equal(model.meta_.feature_names_in_, ["price"])
    new = pd.DataFrame({"price": [0.0] * 4, "store": ["z", "x", "new", "y"]})
    assert_array_equal(np.round(model.predict(new)), [20, 0, 10, 10])
    scores = cross_val_score(model, X, y, cv=5)
    assert scores.min() > 0.95
    new_stores = cross_val_score(model, X, y, groups=store, cv=GroupKFold(3))
    assert np.median(new_stores) < 0  # the intercept of an unseen store cannot be known


def test_taskwise_classifier_with_a_column_number():
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=90)
    X = np.column_stack([codes + 0.1 * rng.normal(size=90), np.arange(90) % 3])
    y = np.array(["no", "yes"])[codes]
    model = TaskwiseClassifier(PrototypeClassifier(module=None), task=-1).fit(X, y)
    assert sorted(model.models_) == [0.0, 1.0, 2.0]
    assert model.score(X, y) > 0.95
    assert model.predict_proba([[1.0, 7.0]]).argmax() == 1  # task 7 is new


@pytest.mark.parametrize(
    ("X", "task", "message"),
    [
        (pd.DataFrame({"a": [1, 2]}), "b", "'b' is not a column"),
        (np.zeros((2, 2)), "a", "must be the index"),
        (np.zeros((2, 2)), 2, "task=2 is not a column of X, which has 2"),
    ],
)
def test_taskwise_needs_its_column(X, task, message):
    with pytest.raises(ValueError, match=message):
        TaskwiseRegressor(MetaRidgeRegressor(), task=task).fit(X, [1, 2])


GAPS = "a row without a task is an error, and this check leaves gaps in every column"
CONTINUOUS = "this check's first column is not a task: each row would be one of its own"


@pytest.mark.parametrize(
    ("view", "not_applicable"),
    [
        (TaskwiseRegressor(MetaRidgeRegressor()), {"check_estimators_pickle": GAPS}),
        (
            TaskwiseClassifier(PrototypeClassifier(module=None)),
            {"check_estimators_pickle": GAPS, "check_classifiers_train": CONTINUOUS},
        ),
    ],
)
def test_taskwise_passes_the_checks_that_apply(view, not_applicable):
    check_estimator(view, expected_failed_checks=not_applicable, on_skip=None)

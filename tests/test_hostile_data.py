"""Tables as they come in the worst case: a learner works, or says in one clear error what is wrong.

The collections are small, and training is short: what is tested is that nothing else happens.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier

from skmeta import TaskCollection, TrainingDivergedError
from skmeta.testing import all_meta_learners

DOCUMENTED = (ValueError, TypeError, TrainingDivergedError)
N_TASKS, N_ROWS, N_COLUMNS = 12, 8, 3
LEARNERS = [pytest.param(cls, id=name) for name, cls in all_meta_learners()]


def quick(cls):
    """A learner that trains for two epochs, if it is trained by epochs."""
    learner = cls()
    return learner.set_params(max_epochs=2) if "max_epochs" in learner.get_params() else learner


def rows(cls, seed=0):
    """Ordinary rows, a target of the learner's kind, and the task of each row."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N_TASKS * N_ROWS, N_COLUMNS))
    y = X.sum(axis=1) + 0.3 * rng.normal(size=len(X))
    task = np.repeat(np.arange(N_TASKS), N_ROWS)
    return X, (y > 0).astype(int) if is_classifier(cls()) else y, task


def huge(X, y, task):
    return 1e30 * X, y, task


def tiny(X, y, task):
    return 1e-30 * X, y, task


def constant_columns(X, y, task):
    return np.ones_like(X), y, task


def duplicated_rows(X, y, task):
    first = np.arange(len(X)) // 4 * 4
    return X[first], y[first], task


def constant_target(X, y, task):
    return X, np.zeros_like(y), task


def one_row_tasks(X, y, task):
    return X, y, np.arange(len(X))


def large_integers(X, y, task):
    return (X * 2**40).astype(np.int64), y, task


def objects(X, y, task):
    return X.astype(object), y, task


def large_labels(X, y, task):
    return X, (y * 2**53).astype(np.int64), task


HOSTILE = [
    huge,
    tiny,
    constant_columns,
    duplicated_rows,
    constant_target,
    one_row_tasks,
    large_integers,
    objects,
    large_labels,
]


def check_predictions(model, X):
    """As many finite predictions as rows."""
    predicted = np.asarray(model.predict(X))
    assert len(predicted) == len(X)
    if is_classifier(model):
        assert np.isin(predicted, model.classes_).all()
        proba = model.predict_proba(X)
        assert np.isfinite(proba).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-4)
    else:
        assert np.isfinite(predicted).all()


@pytest.mark.parametrize("make", HOSTILE)
@pytest.mark.parametrize("cls", LEARNERS)
def test_hostile_tables(cls, make):
    X, y, task = make(*rows(cls))
    try:
        meta = quick(cls).fit(TaskCollection.from_arrays(X, y, task))
        model = meta.fit_adapt(X[:4], y[:4])
        predicted = model.predict(X[:6])
    except DOCUMENTED as error:
        assert len(str(error)) > 20  # noqa: PT017  (an error is one of the two right outcomes)
        return
    assert len(predicted) == 6
    check_predictions(model, X[:6])


@pytest.fixture(scope="module")
def fitted():
    """Each learner fitted once, on ordinary rows."""
    found = {}

    def get(cls):
        if cls not in found:
            X, y, task = rows(cls)
            found[cls] = quick(cls).fit(TaskCollection.from_arrays(X, y, task))
        return found[cls]

    return get


supports = st.tuples(
    st.integers(1, 6),  # rows
    st.sampled_from([0.0, 1e-300, 1e-8, 1.0, 1e8, 1e30, 1e100]),  # scale
    st.booleans(),  # all rows alike
    st.integers(0, 2**16),
)


@pytest.mark.parametrize("cls", LEARNERS)
def test_hostile_supports(cls, fitted):
    meta = fitted(cls)

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(supports)
    def check(drawn):
        n, scale, alike, seed = drawn
        rng = np.random.default_rng(seed)
        X = scale * rng.normal(size=(1 if alike else n, N_COLUMNS))
        X = np.repeat(X, n, axis=0) if alike else X
        y = rng.integers(0, 2, n) if is_classifier(meta) else min(scale, 1e100) * rng.normal(size=n)
        query = rng.normal(size=(3, N_COLUMNS))
        try:
            model = meta.fit_adapt(X, y)
            model.predict(query)
        except DOCUMENTED as error:
            assert len(str(error)) > 20  # noqa: PT017
            return
        check_predictions(model, query)

    check()


# One of each family that takes so many columns.
WIDE = [
    "DeepKernelRegressor",
    "HyperNetworkRegressor",
    "MAMLRegressor",
    "MetaForestRegressor",
    "MetaSVC",
    "NeuralProcessRegressor",
    "PooledRegressor",
    "PrototypeClassifier",
    "RidgeHeadRegressor",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", WIDE)
def test_ten_thousand_features(name):
    cls = dict(all_meta_learners())[name]
    _, y, task = rows(cls)
    X = np.random.default_rng(0).normal(size=(len(y), 10_000))
    meta = quick(cls).fit(TaskCollection.from_arrays(X, y, task))
    check_predictions(meta.fit_adapt(X[:4], y[:4]), X[:6])


# These keep a square of the number of columns, and the last a memory for each weight and step.
TOO_LARGE = [
    "MetaRidgeRegressor",
    "MetaLogisticRegression",
    "InContextClassifier",
    "LearnedOptimizerRegressor",
]


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_would_not_fit_into_memory_refuses_ten_thousand_features(name):
    cls = dict(all_meta_learners())[name]
    _, y, task = rows(cls)
    X = np.zeros((len(y), 10_000))
    with pytest.raises(ValueError, match="Make fewer columns"):
        cls().fit(TaskCollection.from_arrays(X, y, task))


@pytest.mark.parametrize("cls", LEARNERS)
def test_clone_of_a_learner_that_failed_works(cls):
    X, y, task = rows(cls)
    learner = quick(cls)
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match=r"infinity|inf"):
        learner.fit(TaskCollection.from_arrays(X, y, task))
    X[0, 0] = 0.0
    check_predictions(clone(learner).fit(TaskCollection.from_arrays(X, y, task)), X[:3])

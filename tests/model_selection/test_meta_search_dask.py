"""A search on the workers of a Dask cluster gives what it gives without, and outlives them."""

import os
import signal

import joblib
import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import FitFailedWarning
from sklearn.svm import SVC

from skmeta import MetaSearchCV, Task

dask = pytest.importorskip("dask", reason="needs the extra `dask`")
distributed = pytest.importorskip("dask.distributed", reason="needs the extra `dask`")

SPACE = {"C": loguniform(1e-3, 1e3), "gamma": loguniform(1e-5, 1)}


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process of its own, as on two machines; Dask tries nothing twice."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        yield cluster


def make_search(n_jobs):
    return MetaSearchCV(SVC(), SPACE, n_trials=6, cv=3, random_state=0, n_jobs=n_jobs)


def check_equal(found, expected):
    assert found.cv_results_["params"] == expected.cv_results_["params"]
    for key in ("split0_test_score", "mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(found.cv_results_[key], expected.cv_results_[key])
    assert found.best_params_ == expected.best_params_


@pytest.mark.slow
def test_one_dataset(cluster):
    X, y = load_iris(return_X_y=True)
    expected = make_search(n_jobs=2).fit(X, y)
    with joblib.parallel_config(backend="dask"):
        found = make_search(n_jobs=2).fit(X, y)
    check_equal(found, expected)


@pytest.mark.slow
def test_many_datasets(cluster):
    datasets = [
        Task(*load_iris(return_X_y=True), "iris"),
        Task(*load_wine(return_X_y=True), "wine"),
    ]
    expected = make_search(n_jobs=None).fit(datasets)
    with joblib.parallel_config(backend="dask"):
        found = make_search(n_jobs=None).fit(datasets)  # None: all workers of the backend
    assert found.prior_.configs_ == expected.prior_.configs_
    for name, study in expected.studies_.items():
        others = found.studies_[name].trials
        assert [(t.params, t.value) for t in others] == [(t.params, t.value) for t in study.trials]
    rows = np.random.default_rng(0).permutation(150)[:90]
    X, y = load_iris(return_X_y=True)
    check_equal(found.fit_adapt(X[rows], y[rows]), expected.fit_adapt(X[rows], y[rows]))


def kill_worker(model, X, y):
    """Ends the process like the kernel does when memory runs out, for one value of C."""
    if model.C == 1000.0:
        os.kill(os.getpid(), signal.SIGKILL)
    return model.score(X, y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*non-finite")
def test_a_fit_that_kills_its_worker_fails_its_trial_alone(cluster):
    X, y = load_iris(return_X_y=True)
    search = MetaSearchCV(
        SVC(), {"C": [1.0, 10.0, 1000.0]}, n_trials=3, cv=2, random_state=0, n_jobs=2
    )
    search.set_params(scoring=kill_worker)
    with (
        joblib.parallel_config(backend="dask"),
        pytest.warns(FitFailedWarning, match="The worker died"),
    ):
        search.fit(X, y)
    is_deadly = search.cv_results_["param_C"] == 1000.0
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), is_deadly)
    assert search.predict(X).shape == y.shape


@pytest.mark.slow
def test_a_dataset_whose_search_kills_its_worker_is_left_out(cluster):
    datasets = [
        Task(*load_iris(return_X_y=True), "iris"),
        Task(*load_wine(return_X_y=True), "wine"),
    ]
    search = MetaSearchCV(SVC(), {"C": [1.0, 10.0]}, cv=2, random_state=0, scoring=kill_on_wine)
    with (
        joblib.parallel_config(backend="dask"),
        pytest.warns(UserWarning, match="Nothing is learned from wine: The worker died"),
    ):
        search.fit(datasets)
    assert list(search.studies_) == ["iris"]


def kill_on_wine(model, X, y):
    """Ends the process on the dataset of thirteen columns."""
    if X.shape[1] == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return model.score(X, y)

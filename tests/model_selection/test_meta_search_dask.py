"""A search whose fits run on the workers of a Dask cluster gives what it gives without."""

import joblib
import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.datasets import load_iris, load_wine
from sklearn.svm import SVC

from skmeta import MetaSearchCV, Task

distributed = pytest.importorskip("dask.distributed", reason="needs the extra `dask`")

SPACE = {"C": loguniform(1e-3, 1e3), "gamma": loguniform(1e-5, 1)}


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process of its own, as on two machines."""
    with (
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

"""Studies in a storage: going on, sharing, and what can go wrong with either."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import numpy as np
import optuna
import pytest
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import KFold
from sklearn.svm import SVC

from skmeta.model_selection import MetaSearchCV
from skmeta.model_selection._meta_search import _lost

X, y = load_iris(return_X_y=True)
SPACE = {"C": loguniform(1e-3, 1e3)}


def make_search(storage, space=SPACE, **options):
    options = {"n_trials": 6, "cv": 3, "random_state": 0, "study_name": "iris"} | options
    return MetaSearchCV(SVC(), space, storage=storage, **options)


@pytest.fixture(params=["sqlite", "journal", "memory"])
def storage(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/search.db"
    if request.param == "journal":
        return JournalStorage(JournalFileBackend(str(tmp_path / "search.log")))
    return InMemoryStorage()


def test_a_search_goes_on_where_it_ended(storage):
    first = make_search(storage, n_trials=4).fit(X, y)
    second = make_search(storage).fit(X, y)
    assert len(second.cv_results_["params"]) == 6
    assert second.cv_results_["params"][:4] == first.cv_results_["params"]
    assert len({params["C"] for params in second.cv_results_["params"]}) == 6
    third = make_search(storage).fit(X, y)  # nothing left to do
    for key in ("mean_test_score", "split2_test_score", "mean_fit_time"):
        np.testing.assert_array_equal(third.cv_results_[key], second.cv_results_[key])
    assert third.best_params_ == second.best_params_


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("dataset", {"X": X[:, :3]}),
        ("dataset", {"X": X + 1}),
        ("space", {"space": {"C": loguniform(1e-3, 1e2)}}),
        ("folds", {"cv": KFold(3, shuffle=True, random_state=1)}),
        ("scoring", {"scoring": "balanced_accuracy"}),
    ],
)
def test_a_study_of_something_else_is_refused(what, change):
    storage = InMemoryStorage()
    make_search(storage, n_trials=1).fit(X, y)
    change = dict(change)
    other_X = change.pop("X", X)
    with pytest.raises(ValueError, match=f"is a search with another {what}"):
        make_search(storage, **change).fit(other_X, y)
    assert len(optuna.load_study(study_name="iris", storage=storage).trials) == 1


def test_a_study_of_someone_else_is_refused():
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="iris", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("C", 1, 2), n_trials=1)
    with pytest.raises(ValueError, match="was not made by MetaSearchCV"):
        make_search(storage).fit(X, y)


def test_a_storage_that_cannot_be_read(tmp_path):
    path = tmp_path / "broken.db"
    path.write_bytes(b"This is not a database." * 50)
    with pytest.raises(RuntimeError, match=r"cannot be opened.*nothing in it was changed"):
        make_search(f"sqlite:///{path}").fit(X, y)
    assert path.read_bytes() == b"This is not a database." * 50
    with pytest.raises(RuntimeError, match="cannot be opened"):
        make_search("no-such-database://here").fit(X, y)


def test_a_storage_of_a_newer_version(tmp_path):
    path = tmp_path / "newer.db"
    make_search(f"sqlite:///{path}", n_trials=1).fit(X, y)
    with sqlite3.connect(path) as database:
        (text,) = database.execute("SELECT value_json FROM study_user_attributes").fetchone()
        database.execute(
            "UPDATE study_user_attributes SET value_json = ?",
            (text.replace('"layout": 1', '"layout": 99'),),
        )
    database.close()
    with pytest.raises(RuntimeError, match="newer version of skmeta"):
        make_search(f"sqlite:///{path}").fit(X, y)


def test_a_storage_of_a_newer_version_of_optuna(tmp_path):
    path = tmp_path / "newer.db"
    make_search(f"sqlite:///{path}", n_trials=1).fit(X, y)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = 'v99.0.0'")
    database.close()
    with pytest.raises(RuntimeError, match=r"cannot be opened.*newer version of Optuna"):
        make_search(f"sqlite:///{path}").fit(X, y)


def damage(path, where, value):
    """Overwrite an attribute in a SQLite storage, as a failing disk or a person might."""
    table, key = where
    with sqlite3.connect(path) as database:
        changed = database.execute(
            f"UPDATE {table}_user_attributes SET value_json = ? WHERE key = ?", (value, key)
        )
        assert changed.rowcount
    database.close()


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("trial", "skmeta:folds"), "{cut off", r"cannot be opened.*may be corrupted"),
        (("study", "skmeta:search"), "[1]", r"is corrupted.*must be a dict, got \[1\]"),
    ],
)
def test_attributes_that_cannot_be_read(tmp_path, where, value, message):
    path = tmp_path / "damaged.db"
    make_search(f"sqlite:///{path}", n_trials=2).fit(X, y)
    damage(path, where, value)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=message):
        make_search(f"sqlite:///{path}").fit(X, y)
    assert path.read_bytes() == before


def test_a_file_that_was_cut_off(tmp_path):
    path = tmp_path / "cut.db"
    make_search(f"sqlite:///{path}", n_trials=2).fit(X, y)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RuntimeError, match=r"cannot be opened.*may be corrupted"):
        make_search(f"sqlite:///{path}").fit(X, y)


def test_trials_of_another_program_never_win():
    storage = InMemoryStorage()
    make_search(storage, n_trials=3).fit(X, y)
    study = optuna.load_study(study_name="iris", storage=storage)
    study.optimize(
        lambda trial: 1e9 + 0 * trial.suggest_float("C", 1e-3, 1e3, log=True), n_trials=1
    )
    with pytest.warns(UserWarning, match=r"Trials \[3\] of the study have a score but no scores"):
        search = make_search(storage, n_trials=5).fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False] * 3 + [True, False]
    assert search.best_score_ <= 1


def test_nan_scores_and_failures_survive_in_a_storage(storage):
    def nan_for_small(model, X, y):
        return np.nan if model.C < 1 else model.score(X, y)

    options = {"scoring": nan_for_small, "space": {"C": [0.1, -1.0, 10.0]}, "n_trials": 3}
    for attempt in range(2):  # the second reads what the first has written
        with (
            pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 9"),
            pytest.warns(UserWarning, match="non-finite"),
        ):
            search = make_search(storage, **options).fit(X, y)
        assert search.best_params_ == {"C": 10.0}, attempt
        assert np.isnan(search.cv_results_["mean_test_score"]).sum() == 2
    states = [trial.state for trial in search.study_.trials]
    assert sorted(states) == [TrialState.COMPLETE, TrialState.FAIL, TrialState.FAIL]


def test_a_storage_that_fails_in_the_middle(monkeypatch):
    storage = InMemoryStorage()
    make_search(storage, n_trials=3).fit(X, y)
    with monkeypatch.context() as patch:

        def fail(*args, **kwargs):
            patch.undo()
            raise optuna.exceptions.StorageInternalError("the connection was lost")

        search = make_search(storage, scoring=None)
        patch.setattr(optuna.Study, "tell", fail)
        with pytest.raises(optuna.exceptions.StorageInternalError, match="connection was lost"):
            search.fit(X, y)
    search = make_search(storage).fit(X, y)
    (dropped,) = check_all_accounted_for(search.study_, n_trials=6)
    assert dropped.number == 3
    again = [t.number for t in search.study_.trials if t.user_attrs.get(_lost.RETRY_OF) == 3]
    assert again == [4]


WORKER = """
    import sys, time
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from scipy.stats import loguniform
    from sklearn.datasets import load_iris
    from sklearn.svm import SVC
    from skmeta.model_selection import MetaSearchCV

    class Slow(SVC):
        def fit(self, X, y, sample_weight=None):
            time.sleep({pause})
            return super().fit(X, y)

    path = sys.argv[1]
    storage = path if "://" in path else JournalStorage(JournalFileBackend(path))
    search = MetaSearchCV(
        Slow(), {{"C": loguniform(1e-3, 1e3)}}, n_trials=12, cv=3, storage=storage,
        study_name="iris",
    ).fit(*load_iris(return_X_y=True))
    print(len(search.cv_results_["params"]))
"""


def start_worker(path, pause):
    code = textwrap.dedent(WORKER.format(pause=pause))
    return subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def load(path):
    storage = path if "://" in path else JournalStorage(JournalFileBackend(path))
    return optuna.load_study(study_name="iris", storage=storage)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def has_trials(path, n_complete):
    try:
        trials = load(path).trials
    except KeyError:
        return False
    running = [t for t in trials if t.state == TrialState.RUNNING and t.params]
    return len(trials) > n_complete and bool(running)


def check_all_accounted_for(study, n_trials=12):
    """Every trial has a score, or was run again with the same parameters."""
    dropped = [t for t in study.trials if _lost.DROPPED in t.user_attrs]
    counted = [t for t in study.trials if t not in dropped]
    assert len(counted) == n_trials
    assert {t.state for t in counted} == {TrialState.COMPLETE}
    for trial in dropped:
        reason = trial.user_attrs[_lost.DROPPED]
        if reason.startswith("retried") and trial.params:
            assert any(other.params == trial.params for other in counted)
    return dropped


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sqlite:///{}/search.db", "{}/search.log"])
def test_a_killed_search_loses_nothing(name, tmp_path):
    path = name.format(tmp_path)
    if "://" in path:  # two processes must not make the tables at once
        optuna.storages.get_storage(path)
    worker = start_worker(path, pause=0.1)
    wait_for(lambda: has_trials(path, n_complete=3))
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    left = [t for t in load(path).trials if t.state == TrialState.RUNNING]
    assert len(left) == 1

    out, error = start_worker(path, pause=0).communicate()
    assert out.strip() == b"12", error.decode()
    dropped = check_all_accounted_for(load(path))
    assert [t.number for t in dropped] == [left[0].number]


@pytest.mark.slow
def test_four_processes_share_a_study_and_one_is_killed(tmp_path):
    path = f"{tmp_path}/search.log"
    workers = [start_worker(path, pause=0.2) for _ in range(4)]
    wait_for(lambda: has_trials(path, n_complete=4))
    os.kill(workers[0].pid, signal.SIGKILL)
    for worker in workers:
        _, error = worker.communicate()
        assert worker.returncode == (-signal.SIGKILL if worker is workers[0] else 0), error.decode()
    out, error = start_worker(path, pause=0).communicate()
    assert out.strip() == b"12", error.decode()
    check_all_accounted_for(load(path))


@pytest.mark.parametrize("scoring", [None, ["accuracy", "balanced_accuracy"]])
def test_a_trial_that_kills_every_worker_is_given_up(scoring):
    storage = InMemoryStorage()
    refit = "accuracy" if scoring else True
    search = make_search(storage, space={"C": [1.0, 2.0]}, n_trials=3, scoring=scoring, refit=refit)
    search.set_params(n_trials=1).fit(X, y)
    study = search.study_
    (tried,) = search.cv_results_["params"]
    deadly = {"C": 3.0 - tried["C"]}
    for attempt in range(3):  # as if a process had died on it, each time
        if attempt == 0:
            study.enqueue_trial(deadly)
        trial = study.ask()
        assert trial.suggest_categorical("C", [1.0, 2.0]) == deadly["C"]
        storage.set_trial_user_attr(
            trial._trial_id, _lost.WORKER, {"host": "gone", "pid": 1, "beat": 0.0}
        )
        _lost.recover_lost_trials(study)
    assert [t.state for t in study.trials].count(TrialState.WAITING) == 0
    with (
        pytest.warns(FitFailedWarning, match="more than once"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.set_params(n_trials=3).fit(X, y)
    assert search.best_params_ == tried
    assert len(search.cv_results_["params"]) == 2
    key = "mean_test_accuracy" if scoring else "mean_test_score"
    assert np.isnan(search.cv_results_[key]).sum() == 1


def test_an_interrupted_trial_is_run_again(storage):
    calls = []

    def interrupt(model, X, y):
        calls.append(model.C)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return model.score(X, y)

    with pytest.warns(UserWarning, match="The search was interrupted"):
        make_search(storage, scoring=interrupt).fit(X, y)
    search = make_search(storage, scoring=interrupt).fit(X, y)
    assert len(search.cv_results_["params"]) == 6
    assert calls[7] in search.cv_results_["param_C"]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_live_process_is_left_alone(storage):
    make_search(storage, n_trials=1).fit(X, y)
    study = optuna.load_study(study_name="iris", storage=storage)
    other = study.ask()
    other.suggest_float("C", 1e-3, 1e3, log=True)
    _lost.sign(other)
    search = make_search(storage, n_trials=3).fit(X, y)
    assert study.trials[other.number].state == TrialState.RUNNING
    assert len(search.cv_results_["params"]) == 2  # the third is the other's


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_storage_with_a_heartbeat_of_its_own(tmp_path):
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{tmp_path}/search.db", heartbeat_interval=60, grace_period=120
    )
    assert make_search(storage).fit(X, y).best_score_ > 0.8


def test_clones_share_the_storage():
    storage = InMemoryStorage()
    make_search(storage, n_trials=2).fit(X, y)
    search = make_search(storage).set_params(n_trials=3)
    assert len(clone(search).fit(X, y).study_.trials) == 3
    assert len(optuna.load_study(study_name="iris", storage=storage).trials) == 3

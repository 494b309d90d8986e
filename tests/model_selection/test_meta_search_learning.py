"""Learning from past searches: datasets, studies, tables, and using what was learned."""

import pickle

import numpy as np
import optuna
import pandas as pd
import polars as pl
import pytest
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification, make_moons
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from skmeta import Task, TaskCollection
from skmeta.datasets import make_linear_tasks
from skmeta.model_selection import HyperparameterPrior, MetaSearchCV, metafeatures
from skmeta.model_selection._meta_search._past import align
from skmeta.model_selection._meta_search._space import SearchSpace

SPACE = {"C": loguniform(1e-3, 1e4), "gamma": loguniform(1e-6, 1e2)}


def moons(seed, n_features=2):
    X, y = make_moons(90, noise=0.2, random_state=seed)
    extra = np.random.default_rng(seed).normal(size=(90, n_features - 2)) * 1e-3
    return Task(np.hstack([X, extra]), y, name=f"moons {seed}")


def make_search(**options):
    options = {"n_trials": 12, "cv": 3, "random_state": 0} | options
    return MetaSearchCV(SVC(), SPACE, **options)


@pytest.fixture(scope="module")
def learned():
    return make_search(n_trials=25).fit([moons(seed, 2 + seed) for seed in range(4)])


def test_datasets_of_different_widths_are_searched_each(learned):
    assert list(learned.studies_) == [f"moons {seed}" for seed in range(4)]
    assert all(len(study.trials) == 25 for study in learned.studies_.values())
    assert not hasattr(learned, "cv_results_")
    assert not hasattr(learned, "best_estimator_")


def test_the_prior_is_ahead_from_the_first_trial_on(learned):
    new = moons(17)
    best = clone(learned).set_params(n_trials=3, prior=learned.prior_).fit(new.X, new.y)
    cold = [make_search(n_trials=3, random_state=i).fit(new.X, new.y) for i in range(5)]
    assert best.cv_results_["mean_test_score"][0] > 0.9
    assert best.best_score_ >= np.mean([search.best_score_ for search in cold])


def test_adapting_leaves_the_learner_as_it_is(learned):
    before = pickle.dumps(sorted(vars(learned)))
    new = moons(5)
    adapted = learned.fit_adapt(new.X, new.y)
    assert pickle.dumps(sorted(vars(learned))) == before
    assert adapted is not learned
    assert adapted.score(new.X, new.y) > 0.9
    assert adapted.prior_ is learned.prior_
    again = learned.fit_adapt(new.X, new.y)
    np.testing.assert_array_equal(
        adapted.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"]
    )


def test_an_adapted_search_is_an_estimator_with_a_prior(learned):
    new = moons(6)
    search = clone(learned).set_params(prior=learned.prior_, n_trials=2)
    assert cross_val_score(search, new.X, new.y, cv=2).mean() > 0.9
    loaded = pickle.loads(pickle.dumps(search.fit(new.X, new.y)))
    np.testing.assert_array_equal(loaded.predict(new.X), search.predict(new.X))


def test_what_was_learned_is_a_prior_of_its_own(learned):
    assert isinstance(learned.prior_, HyperparameterPrior)
    assert learned.prior_.n_datasets_ == 4
    best = learned.prior_.configs_[learned.prior_.default_]
    assert set(best) == {"C", "gamma"}


def test_meta_features_tell_which_past_datasets_to_follow(learned):
    def n_columns(X, y):
        return [X.shape[1]]

    search = make_search(n_trials=5, meta_features=n_columns)
    search.fit([moons(seed, 2 + seed) for seed in range(4)])
    rows = [study.meta_features.tolist() for study in search.prior_.studies_]
    assert rows == [[2.0], [3.0], [4.0], [5.0]]
    new = moons(8)
    assert search.fit_adapt(new.X, new.y).best_score_ > 0.8
    search.add_studies({"iris": learned.studies_["moons 3"]})  # of which nothing is known
    assert {study.meta_features is None for study in search.prior_.studies_} == {True}
    assert search.fit_adapt(new.X, new.y).best_score_ > 0.8
    full = make_search(n_trials=3, meta_features=metafeatures).fit([moons(0), moons(1)])
    assert len(full.prior_.studies_[0].meta_features) > 10


def test_searching_in_parallel_gives_the_same():
    tasks = [moons(0), moons(1)]
    one, two = (make_search(n_trials=4, n_jobs=n).fit(tasks) for n in (1, 2))
    for name, study in one.studies_.items():
        values = [trial.value for trial in two.studies_[name].trials]
        assert values == [trial.value for trial in study.trials]


def test_a_collection_of_regression_tasks():
    tasks = make_linear_tasks(n_tasks=4, n_features=3, random_state=0)
    assert isinstance(tasks, TaskCollection)
    search = MetaSearchCV(Ridge(), {"alpha": loguniform(1e-4, 1e4)}, n_trials=8, cv=2)
    search.fit(tasks[:3])
    assert len(search.studies_) == 3
    assert search.fit_adapt(tasks[3].X, tasks[3].y).best_estimator_.alpha > 0


def test_adding_and_forgetting_datasets(learned):
    search = make_search(n_trials=4).fit([moons(0)])
    search.add_datasets([moons(1)])
    search.add_studies({"iris": learned.studies_["moons 3"]})
    assert list(search.studies_) == ["moons 0", "moons 1", "iris"]
    kept = search.studies_["moons 0"]
    search.forget("moons 1", "iris")
    assert list(search.studies_) == ["moons 0"]
    assert search.prior_.n_datasets_ == 1
    assert search.studies_["moons 0"] is kept
    with pytest.raises(ValueError, match="No past dataset is called"):
        search.forget("iris")
    search.forget("moons 0")
    assert search.prior_ is None
    new = moons(9)
    assert search.fit_adapt(new.X, new.y).prior_ is None


def test_one_dataset_after_several_and_the_other_way_round():
    search = make_search(n_trials=2).fit([moons(0)])
    search.fit(moons(1).X, moons(1).y)
    assert not hasattr(search, "studies_")
    assert search.prior_ is None
    search.fit([moons(0)])
    assert not hasattr(search, "best_estimator_")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_a_dataset_that_cannot_be_searched_does_not_stop_the_others():
    bad = Task(np.full((90, 2), np.inf), moons(0).y, name="bad")
    with pytest.warns(UserWarning, match="Nothing is learned from bad"):
        search = make_search(n_trials=3).fit([bad, moons(0)])
    assert list(search.studies_) == ["moons 0"]
    with pytest.raises(ValueError, match="The search failed on bad"):
        make_search(n_trials=2).fit([bad])


def test_datasets_have_distinct_names_and_no_metadata():
    with pytest.raises(ValueError, match="Several datasets are called moons 0"):
        make_search().fit([moons(0), moons(0)])
    with pytest.raises(ValueError, match="y and metadata must be None"):
        make_search().fit([moons(0)], moons(0).y)


def test_adapting_is_to_one_dataset(learned):
    with pytest.raises(ValueError, match="searches one dataset"):
        learned.fit_adapt([moons(0)])


# ---------------------------------------------------------------------- studies and tables


def past_study(best, n_trials=20, seed=0, direction="maximize"):
    sign = 1 if direction == "maximize" else -1
    study = optuna.create_study(
        direction=direction, sampler=optuna.samplers.RandomSampler(seed), study_name=f"best {best}"
    )
    study.optimize(
        lambda trial: -sign * (np.log10(trial.suggest_float("C", 1e-3, 1e4, log=True)) - best) ** 2,
        n_trials=n_trials,
    )
    return study


@pytest.fixture(autouse=True)
def quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def first_C(search):
    X, y = load_iris(return_X_y=True)
    return search.set_params(n_trials=1).fit_adapt(X, y).cv_results_["param_C"][0]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_past_studies(direction):
    search = MetaSearchCV(SVC(), {"C": loguniform(1e-3, 1e4)}, cv=3, random_state=0)
    studies = [past_study(b, seed=i, direction=direction) for i, b in enumerate([1.9, 2.0, 2.1])]
    search.fit_studies(studies)
    assert list(search.studies_) == ["best 1.9", "best 2.0", "best 2.1"]
    assert 10 < first_C(search) < 1000


@pytest.mark.parametrize("make_frame", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("prefix", ["", "param_"])
def test_a_table_of_evaluations(make_frame, prefix):
    rng = np.random.default_rng(0)
    log_C = rng.uniform(-3, 4, size=60)
    data = np.repeat(["a", "b", "c"], 20)
    table = {"data": data, prefix + "C": 10.0**log_C, "auc": -((log_C - 2) ** 2)}
    if prefix:
        table["mean_fit_time"] = rng.random(60)
    table["auc"][3] = np.nan
    search = MetaSearchCV(SVC(), {"C": loguniform(1e-3, 1e4)}, cv=3, random_state=0)
    search.fit_studies(make_frame(table), dataset="data", score="auc")
    assert [len(study.trials) for study in search.studies_.values()] == [19, 20, 20]
    assert list(search.studies_["a"].trials[0].params) == ["C"]
    assert 10 < first_C(search) < 1000


def test_cv_results_of_past_searches_as_a_table():
    tables = []
    for seed in range(2):
        result = make_search(n_trials=5).fit(moons(seed).X, moons(seed).y).cv_results_
        tables.append(pd.DataFrame(result).assign(dataset=seed))
    search = make_search().fit_studies(pd.concat(tables), score="mean_test_score")
    assert {len(study.trials) for study in search.studies_.values()} == {5}


@pytest.mark.parametrize(
    ("error", "message", "studies"),
    [
        (ValueError, "no column 'score'", pd.DataFrame({"dataset": [1], "C": [1.0]})),
        (TypeError, "must be a list of optuna.Study", 3),
        (TypeError, "must be a list of optuna.Study", ["study"]),
        (TypeError, "must be a list of optuna.Study", {"a": 3}),
        (ValueError, "nothing to learn from", []),
    ],
)
def test_bad_studies(error, message, studies):
    with pytest.raises(error, match=message):
        make_search().fit_studies(studies)


def test_studies_that_cannot_be_told_apart_or_have_two_objectives():
    with pytest.raises(ValueError, match="Several studies are called best 1"):
        make_search().fit_studies([past_study(1), past_study(1)])
    with pytest.raises(ValueError, match="several objectives"):
        make_search().fit_studies([optuna.create_study(directions=["maximize"] * 2)])


def test_a_space_that_has_changed_still_uses_old_studies():
    old = past_study(2.0)
    space = SearchSpace(
        {
            "C": loguniform(1e-2, 1e5),  # another range
            "kernel": ["rbf", "linear"],  # a new hyperparameter with a default
            "gamma": uniform(0, 1),  # a new one whose default is not in the space
        }
    )
    study = align({"old": old}, space, SVC().get_params())["old"]
    for before, after in zip(old.trials, study.trials, strict=True):
        assert after.params == {"C": before.params["C"], "kernel": "rbf"}
        assert after.value == before.value
        assert (after.distributions["C"].low, after.distributions["C"].high) == (1e-3, 1e5)
    shrunk = align({"old": study}, SearchSpace({"kernel": ["rbf", "poly"]}), {})["old"]
    assert shrunk.trials[0].params == {"kernel": "rbf"}
    assert set(shrunk.trials[0].distributions["kernel"].choices) == {"rbf", "linear", "poly"}

    search = MetaSearchCV(
        SVC(), {"C": loguniform(1e-2, 1e5), "kernel": ["rbf", "linear"]}, n_trials=6, cv=3,
        random_state=0,
    )  # fmt: skip
    search.fit_studies({i: past_study(2.0 + i / 10, seed=i) for i in range(3)})
    X, y = load_iris(return_X_y=True)
    best = search.fit_adapt(X, y)
    assert 10 < best.cv_results_["param_C"][0] < 1000
    assert best.cv_results_["param_kernel"][0] == "rbf"
    assert set(best.cv_results_["param_kernel"]) <= {"rbf", "linear"}


def test_learning_for_a_choice_among_estimators_and_a_conditional_space():
    def conditional(trial):
        kernel = trial.suggest_categorical("kernel", ["linear", "rbf"])
        params = {"kernel": kernel, "C": trial.suggest_float("C", 1e-2, 1e2, log=True)}
        if kernel == "rbf":
            params["gamma"] = trial.suggest_float("gamma", 1e-3, 10, log=True)
        return params

    parts = [
        {"kernel": ["linear"], "C": loguniform(1e-2, 1e2)},
        {"kernel": ["rbf"], "C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-3, 10)},
    ]
    new = moons(3)
    for space in (conditional, parts):
        search = MetaSearchCV(SVC(), space, n_trials=15, cv=3, random_state=0)
        search.fit([moons(0), moons(1)])
        best = search.fit_adapt(new.X, new.y)
        assert best.best_params_["kernel"] == "rbf"
        for params in best.cv_results_["params"]:
            assert ("gamma" in params) == (params["kernel"] == "rbf")


def test_datasets_in_a_storage(tmp_path):
    storage = f"sqlite:///{tmp_path}/search.db"
    options = {"storage": storage, "study_name": "svc", "n_trials": 3}
    search = make_search(**options).fit([moons(0), moons(1)])
    names = optuna.get_all_study_names(storage)
    assert sorted(names) == ["svc-moons 0", "svc-moons 1"]
    again = make_search(**options).fit([moons(0), moons(1)])  # everything is there already
    for name in search.studies_:
        values = [trial.value for trial in again.studies_[name].trials]
        assert values == [trial.value for trial in search.studies_[name].trials]
    X, y = make_classification(60, random_state=0)
    search.fit_adapt(X, y)
    search.fit_adapt(X[:50], y[:50])
    assert len(optuna.get_all_study_names(storage)) == 4

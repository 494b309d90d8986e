"""Fitted searches, their studies and what they learned: saved, loaded, and used as before."""

import numpy as np
import optuna
import pytest
from numpy.testing import assert_array_equal
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from scipy.stats import loguniform
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import skmeta
from skmeta import MetaSearchCV, Task
from skmeta.model_selection import HyperparameterPrior, metafeatures, one_standard_error

SPACE = {"svc__C": loguniform(1e-3, 1e3), "svc__kernel": ["rbf", "linear"]}
PIPE = make_pipeline(StandardScaler(), SVC())


def _dataset(seed):
    return make_classification(60, 5, random_state=seed)


PAST = [Task(*_dataset(seed), name=f"data {seed}") for seed in (1, 2, 3)]
X, Y = _dataset(0)


def _search(**options):
    options = {"n_trials": 5, "cv": 3, "random_state": 0} | options
    return MetaSearchCV(PIPE, SPACE, **options)


def _again(search, folder, **options):
    skmeta.save(search, folder / "search")
    return skmeta.load(folder / "search", **options)


def _assert_same_results(first, second):
    assert first.cv_results_.keys() == second.cv_results_.keys()
    for name, column in first.cv_results_.items():
        assert_array_equal(column, second.cv_results_[name])
        assert type(column) is type(second.cv_results_[name])
    assert first.best_params_ == second.best_params_
    assert getattr(first, "best_score_", None) == getattr(second, "best_score_", None)


def _trials(study):
    """The trials of a study, but for what a storage numbers as it likes."""
    kept = ("state", "values", "params", "distributions", "user_attrs", "intermediate_values")
    kept += ("datetime_start", "datetime_complete", "number")
    return [[getattr(trial, name) for name in kept] for trial in study.trials]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scoring": ["accuracy", "roc_auc"], "refit": "roc_auc"},
        {"refit": one_standard_error("param_svc__C")},
        {"rungs": [0.3, 1], "return_train_score": True},
        {"pruner": optuna.pruners.MedianPruner(n_startup_trials=1)},
    ],
    ids=["plain", "two metrics", "one standard error", "rungs", "pruner"],
)
def test_a_search_of_one_dataset(options, tmp_path):
    search = _search(**options).fit(X, Y)
    loaded = _again(search, tmp_path)
    assert vars(loaded).keys() == vars(search).keys() - {"_callback_fit_ctx"}
    _assert_same_results(loaded, search)
    assert_array_equal(loaded.predict(X), search.predict(X))
    assert_array_equal(loaded.decision_function(X), search.decision_function(X))
    assert loaded.score(X, Y) == search.score(X, Y)
    assert _trials(loaded.study_) == _trials(search.study_)
    assert loaded.fit(X, Y).best_params_ == search.fit(X, Y).best_params_


@pytest.mark.parametrize("meta_features", [None, metafeatures])
def test_a_search_that_has_learned_from_datasets(meta_features, tmp_path):
    search = _search(meta_features=meta_features).fit(PAST)
    loaded = _again(search, tmp_path)
    assert list(loaded.studies_) == ["data 1", "data 2", "data 3"]
    first, second = search.fit_adapt(X, Y), loaded.fit_adapt(X, Y)
    assert_array_equal(first.cv_results_["mean_test_score"], second.cv_results_["mean_test_score"])
    assert first.best_params_ == second.best_params_
    # The adapted search has the prior with it.
    third = _again(second, tmp_path)
    _assert_same_results(third, second)
    assert third.fit_adapt(*_dataset(9)).best_params_ == second.fit_adapt(*_dataset(9)).best_params_


def test_learning_goes_on(tmp_path):
    search = _search().fit(PAST[:2])
    loaded = _again(search, tmp_path)
    for each in (search, loaded):
        each.add_datasets(PAST[2:]).forget("data 1")
    assert list(loaded.studies_) == ["data 2", "data 3"]
    assert loaded.fit_adapt(X, Y).best_params_ == search.fit_adapt(X, Y).best_params_


def test_an_unfitted_search(tmp_path):
    search = _search()
    assert _again(search, tmp_path).fit(X, Y).best_params_ == search.fit(X, Y).best_params_


def test_a_prior_of_hyperparameters(tmp_path):
    configs = [{"C": 2.0**i, "kernel": ["rbf", "linear"][i % 2]} for i in range(8)]
    scores = [[-abs(i - best) for i in range(8)] for best in (2, 3, 6)]
    prior = HyperparameterPrior(random_state=0).fit(scores, configs)
    assert _again(prior, tmp_path).propose() == prior.propose()


def test_the_prior_of_a_search(tmp_path):
    prior = _search().fit(PAST).prior_
    loaded = _again(prior, tmp_path)
    assert_array_equal(loaded.portfolio_, prior.portfolio_)
    results = [_search(prior=each).fit(X, Y) for each in (prior, loaded)]
    assert results[0].best_params_ == results[1].best_params_


# ---------------------------------------------------------------------- studies


def test_a_study_in_a_storage_comes_back_in_memory(tmp_path):
    url = f"sqlite:///{tmp_path}/trials.db"
    search = _search(storage=url, study_name="svc").fit(X, Y)
    loaded = _again(search, tmp_path)
    assert _trials(loaded.study_) == _trials(search.study_)
    assert loaded.study_.study_name == "svc"
    assert loaded.study_.user_attrs == search.study_.user_attrs
    (tmp_path / "trials.db").rename(tmp_path / "moved.db")
    again = _again(loaded, tmp_path)  # nothing looks for the storage
    _assert_same_results(again, search)
    (tmp_path / "moved.db").rename(tmp_path / "trials.db")
    assert len(again.set_params(n_trials=7).fit(X, Y).study_.trials) == 7  # the study goes on


def test_a_study_of_every_state(tmp_path):
    study = optuna.create_study(directions=["minimize", "maximize"], study_name="mine")
    distributions = {"x": FloatDistribution(0, 1)}
    kept = {"params": {"x": 0.5}, "distributions": distributions}
    study.add_trial(create_trial(**kept, values=[np.inf, -1.0], user_attrs={"a": [1, {"b": None}]}))
    study.add_trial(create_trial(**kept, state=TrialState.FAIL, system_attrs={"s": float("inf")}))
    study.add_trial(
        create_trial(**kept, state=TrialState.PRUNED, intermediate_values={3: 0.25, 1: -np.inf})
    )
    study.enqueue_trial({"x": 0.25})
    study.ask()
    study.enqueue_trial({"x": 0.75})
    study.set_user_attr("about", {"rows": 3})
    loaded = _again(_search(prior=[study]), tmp_path).prior[0]
    assert _trials(loaded) == _trials(study)
    assert loaded.directions == study.directions
    assert loaded.user_attrs == study.user_attrs
    assert [t.system_attrs for t in loaded.trials] == [t.system_attrs for t in study.trials]


@pytest.mark.parametrize(
    ("attributes", "choices", "words"),
    [
        ({"a": object()}, ("b",), "is not JSON"),
        ({}, (("b", 1),), "texts, numbers, True, False and None"),
    ],
)
@pytest.mark.filterwarnings("ignore:Choices for a categorical")
def test_what_no_storage_would_take(attributes, choices, words, tmp_path):
    study = optuna.create_study()
    study.ask({"x": optuna.distributions.CategoricalDistribution(choices)})
    for name, value in attributes.items():
        study.set_user_attr(name, value)
    with pytest.raises(skmeta.PersistenceError, match=words):
        skmeta.save(_search(prior=[study]), tmp_path / "search")


def test_a_storage_object_is_not_saved(tmp_path):
    search = _search(storage=optuna.storages.InMemoryStorage(), study_name="a").fit(X, Y)
    with pytest.raises(skmeta.PersistenceError, match="cannot be saved"):
        skmeta.save(search, tmp_path / "search")
    assert_array_equal(_again(search.best_estimator_, tmp_path).predict(X), search.predict(X))


def test_a_space_of_the_callers_own_has_to_be_allowed(tmp_path):
    search = MetaSearchCV(LogisticRegression(), space_of_mine, n_trials=2, random_state=0)
    skmeta.save(search.fit(X, Y), tmp_path / "search")
    with pytest.raises(skmeta.PersistenceError, match=r"space_of_mine.*trusted="):
        skmeta.load(tmp_path / "search")
    loaded = skmeta.load(tmp_path / "search", trusted=[space_of_mine])
    _assert_same_results(loaded, search)


def space_of_mine(trial):
    return {"C": trial.suggest_float("C", 0.1, 10, log=True)}

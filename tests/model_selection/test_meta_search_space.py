"""Search spaces: what users write, what a study holds, and what the estimator gets."""

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BruteForceSampler, RandomSampler, TPESampler
from optuna.trial import FixedTrial
from scipy.stats import loguniform, norm, poisson, randint, uniform
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skmeta.model_selection import MetaSearchCV
from skmeta.model_selection._meta_search._enumerate import list_configurations
from skmeta.model_selection._meta_search._space import SearchSpace

X, y = load_iris(return_X_y=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (loguniform(1e-3, 10), FloatDistribution(1e-3, 10, log=True)),
        (uniform(2, 3), FloatDistribution(2, 5)),
        (randint(1, 10), IntDistribution(1, 9)),
        (randint(1, 10, loc=5), IntDistribution(6, 14)),
        (range(10, 1, -3), IntDistribution(4, 10, step=3)),
        (IntDistribution(1, 100, log=True), IntDistribution(1, 100, log=True)),
        ([1, "a", None, True, 0.5], None),
        (np.array([1, 2]), CategoricalDistribution((1, 2))),
        (np.array(["a", "b"]), CategoricalDistribution(("a", "b"))),
        (("rbf", "rbf", "poly"), CategoricalDistribution(("rbf", "poly"))),
    ],
)
def test_distributions_are_taken_over_exactly(values, expected):
    distribution = SearchSpace({"a": values}).distributions["a"]
    if expected is None:  # True equals 1, so that both are stored by name
        assert distribution.choices == ("a", None, 0.5, "1", "True")
        decoded = [SearchSpace({"a": values}).decode({"a": c})["a"] for c in distribution.choices]
        assert list(map(repr, decoded)) == ["'a'", "None", "0.5", "1", "True"]
    else:
        assert distribution == expected


@pytest.mark.parametrize("frozen", [norm(3, 2), poisson(4), loguniform(1, 10, loc=3)])
def test_other_distributions_are_drawn_by_their_quantiles(frozen):
    space = SearchSpace({"a": frozen})
    positions = np.linspace(0.01, 0.99, 21)
    values = [space.decode({"a": position})["a"] for position in positions]
    np.testing.assert_allclose(values, frozen.ppf(positions))
    assert {type(value) for value in values} == {int if hasattr(frozen, "pmf") else float}


def test_estimators_are_stored_by_name():
    space = SearchSpace({"clf": [SVC(), LogisticRegression(), "passthrough", PCA(1), PCA(2)]})
    names = ("passthrough", "SVC", "LogisticRegression", "PCA(n_components=1)",
             "PCA(n_components=2)")  # fmt: skip
    assert space.distributions["clf"].choices == names
    assert isinstance(space.decode({"clf": "SVC"})["clf"], SVC)
    named = SearchSpace({"clf": {"linear": SVC(kernel="linear"), "rbf": SVC()}})
    assert named.decode({"clf": "linear"})["clf"].kernel == "linear"
    big = SearchSpace({"a": [np.zeros(5000), np.ones(5000), np.zeros(5000)]})
    assert len(set(big.distributions["a"].choices)) == 3


def test_a_choice_among_estimators_with_parameters_of_their_own():
    pipe = Pipeline([("scale", StandardScaler()), ("clf", SVC())])
    space = [
        {"clf": [SVC()], "clf__C": loguniform(0.1, 10)},
        {"clf": [RandomForestClassifier(n_estimators=5)], "clf__max_depth": [1, None]},
        {"clf": [LogisticRegression()], "clf__C": loguniform(1e-3, 1), "scale": ["passthrough"]},
    ]
    search = MetaSearchCV(pipe, space, n_trials=25, cv=2, random_state=0).fit(X, y)
    kinds = {type(clf).__name__ for clf in search.cv_results_["param_clf"]}
    assert kinds == {"SVC", "RandomForestClassifier", "LogisticRegression"}
    for params in search.cv_results_["params"]:
        assert ("clf__C" in params) != ("clf__max_depth" in params)
    stored = {name for trial in search.study_.trials for name in trial.params}
    assert {"space#", "clf__C#0", "clf__C#2", "clf__max_depth", "scale"} <= stored
    assert type(search.best_estimator_["clf"]) is type(search.best_params_["clf"])
    assert search.best_estimator_["clf"] is not search.best_params_["clf"]


def conditional(trial):
    kernel = trial.suggest_categorical("kernel", ["linear", "poly"])
    params = {"kernel": kernel, "C": trial.suggest_int("C", 1, 2)}
    if kernel == "poly":
        params["degree"] = trial.suggest_int("degree", 2, 4)
    return params


def test_a_conditional_space_is_exhausted_and_never_repeated():
    search = MetaSearchCV(SVC(), conditional, n_trials=50, cv=2, random_state=0).fit(X, y)
    assert len(search.cv_results_["params"]) == 2 * (1 + 3)
    assert len({repr(params) for params in search.cv_results_["params"]}) == 8
    assert search.cv_results_["param_degree"].mask.sum() == 2


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("make_sampler", [RandomSampler, TPESampler, BruteForceSampler])
def test_a_grid_is_exhausted_whatever_the_sampler(make_sampler):
    sampler = make_sampler(seed=0)
    grid = {"C": [0.1, 1.0, 10.0], "kernel": ["linear", "rbf"]}
    search = MetaSearchCV(SVC(), grid, n_trials=50, cv=2, sampler=sampler).fit(X, y)
    tried = search.cv_results_["params"]
    assert len(tried) == 6
    assert all(config in tried for config in ParameterGrid(grid))
    assert search.set_params(n_trials=4).fit(X, y).cv_results_["params"] == tried[:4]


choices = st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), choices), min_size=1, max_size=3))
def test_listing_a_finite_space_finds_each_configuration_once(dicts):
    space = SearchSpace(dicts)
    listed = list_configurations(space)
    decoded = [space.decode(config) for config in listed]
    expected = [config for part in dicts for config in ParameterGrid(part)]
    assert sorted(map(repr, map(sorted, (d.items() for d in decoded)))) == sorted(
        repr(sorted(config.items())) for config in expected
    )
    assert len({repr(config) for config in listed}) == len(listed)


@pytest.mark.parametrize(
    "space", [{"a": uniform()}, {"a": range(10**6)}, {"a": [1], "b": loguniform(1, 2)}]
)
def test_an_endless_space_is_not_listed(space):
    assert list_configurations(SearchSpace(space)) is None


def test_no_parameter_at_all():
    search = MetaSearchCV(SVC(), {}, n_trials=5).fit(X, y)
    assert search.cv_results_["params"] == [{}]


@pytest.mark.parametrize(
    ("error", "message", "space"),
    [
        (TypeError, "'C' must have an Optuna distribution", {"C": 1}),
        (TypeError, "'kernel' must have an Optuna distribution", {"kernel": "rbf"}),
        (ValueError, "'C' has no values", {"C": []}),
        (ValueError, "one-dimensional", {"C": np.ones((2, 2))}),
        (ValueError, "empty list", []),
        (TypeError, "must be a dict, a list of dicts or a callable", ["C"]),
        (TypeError, "must return a dict", lambda trial: trial.suggest_int("C", 1, 2)),
    ],
)
def test_bad_spaces(error, message, space):
    with pytest.raises(error, match=message):
        MetaSearchCV(SVC(), space, n_trials=1).fit(X, y)


def test_the_estimators_own_parameters_in_terms_of_a_space():
    space = SearchSpace(
        {
            "C": loguniform(1e-3, 1e3),
            "kernel": ["rbf", "linear"],
            "degree": range(1, 3),
            "gamma": uniform(0, 1),
            "class_weight": [None, "balanced"],
            "alpha": [1],
        }
    )
    assert space.encode_defaults(SVC().get_params()) == {
        "C": 1.0,
        "kernel": "rbf",
        "class_weight": None,
    }


def test_what_is_stored_gives_back_what_was_suggested():
    space = SearchSpace([{"a": [PCA(1), None], "b": norm()}, {"a": range(3), "c": [(1,), (2, 3)]}])
    study = optuna.create_study(sampler=RandomSampler(0))
    for _ in range(20):
        trial = study.ask()
        suggested = space.suggest(trial)
        assert space.decode(trial.params) == suggested
        assert space.suggest(FixedTrial(trial.params)) == suggested
        study.tell(trial, 0.0)

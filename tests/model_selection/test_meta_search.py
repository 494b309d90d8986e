"""`MetaSearchCV` as a search of scikit-learn: what GridSearchCV promises, it promises too."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmeta.model_selection import MetaSearchCV, one_standard_error

X, y = make_classification(n_samples=120, n_features=6, n_informative=4, random_state=0)
DEPTHS = {"max_depth": [1, 2, 3]}


def search_depth(**options):
    options = {"n_trials": 5, "cv": 3, "random_state": 0} | options
    return MetaSearchCV(DecisionTreeClassifier(random_state=0), DEPTHS, **options)


@parametrize_with_checks(
    [
        MetaSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_trials=2, cv=2, random_state=0),
        MetaSearchCV(SVR(), {"C": [0.1, 1.0]}, n_trials=2, cv=2, random_state=0),
    ]
)
@pytest.mark.filterwarnings("ignore")  # of fits that are meant to fail
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# ---------------------------------------------------------------------- equality with a grid


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_train_score": True},
        {"scoring": ["accuracy", "roc_auc"], "refit": "roc_auc"},
        {"scoring": {"a": "accuracy", "b": make_scorer(accuracy_score)}, "refit": "b"},
        {"scoring": lambda model, X, y: {"a": model.score(X, y), "depth": 1.0}, "refit": "a"},
        {"scoring": "neg_log_loss", "cv": KFold(4, shuffle=True, random_state=0)},
        {"cv": [(np.arange(60), np.arange(60, 120))]},
        {"n_jobs": 2},
    ],
)
def test_a_finite_space_gives_what_a_grid_search_gives(options):
    options = {"cv": 3} | options
    grid = {"max_depth": [1, 3, None], "criterion": ["gini", "entropy"]}
    tree = DecisionTreeClassifier(random_state=0)
    expected = GridSearchCV(tree, grid, **options).fit(X, y)
    search = MetaSearchCV(tree, grid, n_trials=50, random_state=0, **options).fit(X, y)

    assert set(search.cv_results_) == set(expected.cv_results_)
    assert len(search.cv_results_["params"]) == 6
    where = [search.cv_results_["params"].index(p) for p in expected.cv_results_["params"]]
    for key, values in expected.cv_results_.items():
        if "time" not in key and key != "params":
            np.testing.assert_array_equal(np.ma.getdata(search.cv_results_[key])[where], values)
    assert search.best_score_ == expected.best_score_
    assert search.multimetric_ == expected.multimetric_
    assert search.n_splits_ == expected.n_splits_
    assert search.n_features_in_ == 6
    np.testing.assert_array_equal(search.classes_, expected.classes_)
    if search.best_params_ == expected.best_params_:  # ties are broken by order
        assert search.score(X, y) == expected.score(X, y)


def test_params_of_some_candidates_only_are_masked():
    space = [{"kernel": ["linear"]}, {"kernel": ["rbf"], "gamma": [0.1, 1.0]}]
    results = MetaSearchCV(SVC(), space, n_trials=9, cv=2, random_state=0).fit(X, y).cv_results_
    kernel, gamma = results["param_kernel"], results["param_gamma"]
    assert len(kernel) == 3
    assert gamma.dtype == float
    np.testing.assert_array_equal(gamma.mask, kernel == "linear")


def test_it_repeats_itself_and_differs_by_seed():
    space = {"C": loguniform(1e-3, 1e3)}

    def tried(seed):
        search = MetaSearchCV(SVC(), space, n_trials=4, cv=2, random_state=seed).fit(X, y)
        return search.cv_results_["param_C"].tolist()

    assert tried(0) == tried(0) != tried(1)


# ---------------------------------------------------------------------- refit


def test_without_refit_there_is_nothing_to_predict_with():
    search = search_depth(refit=False).fit(X, y)
    assert {"best_index_", "best_params_", "best_score_"} <= set(vars(search))
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "predict")
    with pytest.raises(AttributeError, match="refit=False"):
        search.score(X, y)


def test_refit_by_a_callable():
    search = search_depth(refit=lambda results: int(np.argmax(results["param_max_depth"])))
    search.fit(X, y)
    assert search.best_params_ == {"max_depth": 3}
    assert not hasattr(search, "best_score_")
    with pytest.raises(IndexError, match="out of range"):
        search_depth(refit=lambda results: 99).fit(X, y)
    with pytest.raises(TypeError, match="not an integer"):
        search_depth(refit=lambda results: "best").fit(X, y)


def test_several_metrics_need_to_know_which_to_refit_by():
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        search_depth(scoring=["accuracy", "roc_auc"]).fit(X, y)
    search = search_depth(scoring=["accuracy", "roc_auc"], refit=False).fit(X, y)
    assert search.multimetric_
    assert not hasattr(search, "best_index_")
    values = [trial.value for trial in search.study_.trials if trial.value is not None]
    assert sorted(values) == sorted(search.cv_results_["mean_test_accuracy"])
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        search_depth(scoring=lambda model, X, y: {"a": 1.0}).fit(X, y)


def test_one_standard_error_takes_the_simplest_of_the_good_ones():
    results = {
        "mean_test_score": np.array([0.70, 0.78, 0.80, np.nan]),
        "split0_test_score": np.array([0.68, 0.75, 0.76, np.nan]),
        "split1_test_score": np.array([0.72, 0.81, 0.84, np.nan]),
        "param_depth": np.ma.array([1, 2, 9, 0], mask=[False] * 4),
        "mean_fit_time": np.array([1.0, 3.0, 2.0, 0.1]),
        "param_penalty": np.ma.array([9.0, 5.0, 1.0, 10.0], mask=[0, 1, 0, 0]),
        "params": [{}] * 4,
    }
    assert one_standard_error("param_depth")(results) == 1  # 0.80 - 0.04 <= 0.78
    assert one_standard_error()(results) == 2
    assert one_standard_error("param_penalty", largest=True)(results) == 2
    with pytest.raises(ValueError, match="needs a key of cv_results_"):
        one_standard_error("param_alpha")(results)
    with pytest.raises(ValueError, match="needs numbers"):
        one_standard_error("params")(results)
    search = search_depth(refit=one_standard_error("param_max_depth")).fit(X, y)
    assert hasattr(search, "best_estimator_")
    assert clone(search).refit == search.refit


# ---------------------------------------------------------------------- failures


class Picky(ClassifierMixin, BaseEstimator):
    """Fails in a known way."""

    def __init__(self, how="well"):
        self.how = how

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if self.how == "raises" or (self.how == "raises at times" and X[0, 0] > 0):
            raise ValueError("Failing as asked")
        return self

    def predict(self, X):
        if self.how == "cannot predict":
            raise ValueError("Failing as asked")
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return np.nan if self.how == "scores NaN" else super().score(X, y)


@pytest.mark.parametrize("error_score", [np.nan, 0.0, -1.0])
@pytest.mark.parametrize("how", ["raises", "cannot predict", "raises at times"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:.*non-finite", "ignore:Scoring failed")
def test_a_failing_configuration_is_scored_as_grid_search_scores_it(how, error_score):
    options = {"cv": 3, "error_score": error_score}
    grid = {"how": ["well", how]}
    expected = GridSearchCV(Picky(), grid, **options).fit(X, y)
    search = MetaSearchCV(Picky(), grid, n_trials=2, random_state=0, **options).fit(X, y)
    where = [search.cv_results_["params"].index(p) for p in expected.cv_results_["params"]]
    for key in ("mean_test_score", "split0_test_score", "rank_test_score"):
        np.testing.assert_array_equal(search.cv_results_[key][where], expected.cv_results_[key])
    states = [trial.state.name for trial in search.study_.trials]
    has_failed = np.isnan(search.cv_results_["mean_test_score"]).any()
    assert sorted(states) == ["COMPLETE", "FAIL" if has_failed else "COMPLETE"]


def test_failures_are_reported():
    search = MetaSearchCV(Picky(), {"how": ["well", "raises"]}, n_trials=2, cv=3, random_state=0)
    with (
        pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 6"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, y)
    assert search.best_params_ == {"how": "well"}


def test_all_fits_fail():
    search = MetaSearchCV(Picky(), {"how": ["raises"]}, n_trials=2, cv=3)
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        search.fit(X, y)


def test_a_failure_is_raised_on_request():
    search = MetaSearchCV(Picky(), {"how": ["raises"]}, n_trials=2, cv=3, error_score="raise")
    with pytest.raises(ValueError, match="Failing as asked"):
        search.fit(X, y)


@pytest.mark.filterwarnings("ignore:.*non-finite")
def test_scores_that_are_nan_never_win():
    search = MetaSearchCV(Picky(), {"how": ["scores NaN", "well"]}, n_trials=2, random_state=0)
    assert search.fit(X, y).best_params_ == {"how": "well"}


def test_a_parameter_that_does_not_exist():
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        MetaSearchCV(DecisionTreeClassifier(), {"depth": [1]}, n_trials=1).fit(X, y)


def kill_worker(model, X, y):
    """Ends the process like the kernel does when memory runs out, for one of the depths."""
    import os
    import signal

    if model.max_depth == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return model.score(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:.*non-finite", "ignore:A worker")
def test_a_dead_worker_fails_its_trial_alone():
    search = search_depth(scoring=kill_worker, n_jobs=2, cv=2).fit(X, y)
    is_deadly = search.cv_results_["param_max_depth"] == 2
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), is_deadly)
    assert "worker died" in str([trial.user_attrs for trial in search.study_.trials])


# ---------------------------------------------------------------------- metadata


def test_sample_weight_reaches_fit_and_score():
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 3, size=len(y))
    options = {"cv": [(np.arange(60), np.arange(60, 120))]}
    weighted = search_depth(**options).fit(X, y, sample_weight=weight)
    repeated = np.repeat(np.arange(len(y)), weight)
    n_train = weight[:60].sum()
    options = {"cv": [(np.arange(n_train), np.arange(n_train, weight.sum()))]}
    expected = search_depth(**options).fit(X[repeated], y[repeated])
    for key in ("mean_test_score", "rank_test_score", "param_max_depth"):
        np.testing.assert_array_equal(weighted.cv_results_[key], expected.cv_results_[key])


def test_groups_reach_the_splitter():
    groups = np.arange(len(y)) % 4
    search = search_depth(cv=GroupKFold(4)).fit(X, y, groups=groups)
    assert search.n_splits_ == 4
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        search_depth(cv=GroupKFold(4)).fit(X, y)


def test_metadata_routing_to_all_three_and_through_a_pipeline():
    weight, groups = np.ones(len(y)), np.arange(len(y)) % 4
    with config_context(enable_metadata_routing=True):
        tree = DecisionTreeClassifier(random_state=0).set_fit_request(sample_weight=True)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        search = MetaSearchCV(tree, DEPTHS, n_trials=2, cv=GroupKFold(4), scoring=scorer)
        search.fit(X, y, sample_weight=weight, groups=groups)
        assert search.n_splits_ == 4
        search.score(X, y, sample_weight=weight)
        # and a search inside a cross-validation
        scores = cross_validate(
            search, X, y, cv=KFold(2), params={"sample_weight": weight, "groups": groups}
        )
        assert len(scores["test_score"]) == 2
        with pytest.raises(TypeError, match="unexpected argument"):
            search.fit(X, y, groups=groups, nonsense=weight)


def test_score_takes_no_metadata_without_routing():
    with pytest.raises(ValueError, match="is only supported if enable_metadata_routing=True"):
        search_depth().fit(X, y).score(X, y, sample_weight=np.ones(len(y)))


# ---------------------------------------------------------------------- as an estimator


def test_it_is_found_fitted_only_after_a_search_of_one_dataset():
    search = search_depth()
    with pytest.raises(NotFittedError):
        search.predict(X)
    with pytest.raises(NotFittedError):
        search.fit_adapt(X, y)
    assert not hasattr(search, "n_features_in_")


def test_nested_in_a_cross_validation():
    scores = cross_val_score(search_depth(), X, y, cv=3)
    by_hand = [
        search_depth().fit(X[train], y[train]).score(X[test], y[test])
        for train, test in StratifiedKFold(3).split(X, y)
    ]
    np.testing.assert_array_equal(scores, by_hand)


def test_around_and_inside_of_pipelines():
    pipe = Pipeline([("scale", StandardScaler()), ("dim", PCA()), ("clf", SVC())])
    space = {"dim__n_components": range(2, 5), "clf__C": loguniform(0.1, 10)}
    outside = MetaSearchCV(pipe, space, n_trials=5, cv=3, random_state=0).fit(X, y)
    assert outside.best_estimator_["dim"].n_components == outside.best_params_["dim__n_components"]
    inside = make_pipeline(StandardScaler(), search_depth()).fit(X, y)
    assert inside[-1].best_params_ == search_depth().fit(X, y).best_params_
    assert inside.score(X, y) > 0.7


def test_stacking_and_voting_around_it():
    members = [("tree", search_depth()), ("dummy", DummyClassifier())]
    for ensemble in (StackingClassifier(members, cv=2), VotingClassifier(members, voting="soft")):
        assert ensemble.fit(X, y).score(X, y) > 0.7


def test_clone_and_pickle():
    search = search_depth().fit(X, y)
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    assert len(loaded.study_.trials) == len(search.study_.trials)
    assert not hasattr(clone(search), "cv_results_")
    assert clone(search).get_params()["n_trials"] == 5


def test_feature_names():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    search = search_depth().fit(frame, y)
    assert list(search.feature_names_in_) == list("abcdef")


def test_html_and_text_representations():
    search = search_depth()
    assert "estimator: DecisionTreeClassifier" in search._repr_html_()
    assert "best_estimator_: DecisionTreeClassifier" in search.fit(X, y)._repr_html_()
    assert repr(search).startswith("MetaSearchCV(")


def test_methods_are_those_of_the_estimator():
    search = MetaSearchCV(KMeans(n_init=1, random_state=0), {"n_clusters": [2, 3]}, n_trials=2)
    assert search.fit(X).transform(X).shape == (120, search.best_params_["n_clusters"])
    assert not hasattr(search, "predict_proba")
    density = MetaSearchCV(KernelDensity(), {"bandwidth": [0.5, 1.0]}, n_trials=2).fit(X)
    assert density.score_samples(X).shape == (120,)
    reduce = MetaSearchCV(PCA(), {"n_components": [1, 2]}, n_trials=2).fit(X)
    assert reduce.inverse_transform(reduce.transform(X)).shape == X.shape
    assert hasattr(search_depth(), "predict_proba")


def test_regression_and_several_targets():
    X, y = load_diabetes(return_X_y=True)
    search = MetaSearchCV(Ridge(), {"alpha": loguniform(1e-3, 10)}, n_trials=5, random_state=0)
    search.fit(X, np.column_stack([y, -y]))
    assert search.predict(X).shape == (len(y), 2)
    assert not hasattr(search, "classes_")


def test_the_splits_of_a_search_are_drawn_once():
    search = search_depth(cv=ShuffleSplit(2, random_state=np.random.RandomState(0)))
    search = search.set_params(estimator=DummyClassifier(), space={"strategy": ["prior"] * 1})
    search.set_params(space={"random_state": [0, 1, 2]}).fit(X, y)
    assert np.ptp(search.cv_results_["split0_test_score"]) == 0


def test_an_empty_splitter():
    with pytest.raises(ValueError, match="No fits were performed"):
        search_depth(cv=[]).fit(X, y)


# ---------------------------------------------------------------------- stopping and showing


def test_it_stops_after_the_time_is_up():
    search = MetaSearchCV(
        RandomForestClassifier(n_estimators=20), {"max_features": loguniform(0.1, 1)},
        n_trials=10_000, timeout=0.5, cv=2,
    ).fit(X, y)  # fmt: skip
    assert 1 <= len(search.cv_results_["params"]) < 1000


def test_callbacks_see_every_fold_and_the_refit():
    class Recorder:
        def __init__(self):
            self.begun, self.ended, self.torn_down = [], [], 0

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.begun.append(context.task_name)

        def on_fit_task_end(self, estimator, context):
            self.ended.append(context.task_name)

        def teardown(self, estimator, context):
            self.torn_down += 1

    recorder = Recorder()
    search_depth().set_callbacks(recorder).fit(X, y)
    assert recorder.begun.count("candidate-split-evaluation") == 9
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert {"fit", "search", "refit-with-best-params"} <= set(recorder.begun)
    assert recorder.torn_down == 1


def test_callbacks_of_scikit_learn(capsys):
    monitor = ScoringMonitor(scoring="accuracy")
    pipe = Pipeline([("clf", LogisticRegression())])
    search = MetaSearchCV(pipe, {"clf__C": [0.1, 1.0]}, n_trials=2, cv=2)
    search.set_callbacks(ProgressBar()).fit(X, y)
    assert "MetaSearchCV" in capsys.readouterr().out
    search_depth().set_callbacks(monitor).fit(X, y)


def test_verbose(capsys):
    search_depth(verbose=1).fit(X, y)
    out = capsys.readouterr().out
    assert out.count("[MetaSearchCV] trial") == 3
    assert "(3/5)" in out
    search_depth(verbose=3).fit(X, y)
    assert capsys.readouterr().out.count("max_depth=1;, score=") == 3


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("n_trials", {"n_trials": 0}),
        ("sampler", {"sampler": "best"}),
        ("pruner", {"pruner": "median"}),
        ("timeout", {"timeout": -1}),
        ("space", {"space": 3}),
        ("needs a study_name", {"storage": "sqlite://"}),
    ],
)
def test_bad_parameters(message, options):
    with pytest.raises(ValueError, match=message):
        search_depth().set_params(**options).fit(X, y)


def test_iris_with_names_as_classes():
    X, y = load_iris(return_X_y=True)
    search = search_depth().fit(X, np.array(["a", "b", "c"])[y])
    assert set(search.predict(X)) == set("abc")

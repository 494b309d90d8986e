"""Estimators, their spaces, and the searches that `search_real.py` compares on them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from scipy.stats import loguniform, randint, uniform
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.impute import SimpleImputer
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from skmeta import MetaSearchCV
from skmeta.model_selection import metafeatures
from skmeta.model_selection._meta_search._space import SearchSpace

SCORING = "balanced_accuracy"

# ---------------------------------------------------------------------- what is tuned


class Network(nn.Sequential):
    """Two hidden layers with dropout."""

    def __init__(
        self, n_inputs: int = 1, n_classes: int = 2, n_hidden: int = 64, dropout: float = 0.0
    ):
        super().__init__(
            nn.Linear(n_inputs, n_hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(n_hidden, n_hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(n_hidden, n_classes),
        )  # fmt: skip


class SetSizes(Callback):
    """Layers as wide as the dataset needs."""

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Tell the module the numbers of columns and classes."""
        net.set_params(module__n_inputs=X.shape[1], module__n_classes=len(np.unique(y)))


def to_float32(X: Any) -> np.ndarray:
    """Rows as torch's weights expect them."""
    return np.asarray(X, dtype=np.float32)


def scaled(*steps: tuple[str, Any]) -> Pipeline:
    """A pipeline that fills gaps and scales columns first."""
    return Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler()), *steps])


NETWORK = NeuralNetClassifier(
    Network, criterion=nn.CrossEntropyLoss, optimizer__momentum=0.9, max_epochs=15,
    callbacks=[SetSizes], train_split=None, verbose=0,
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """An estimator and the space of its hyperparameters, those that matter most first."""

    estimator: BaseEstimator
    space: Mapping[str, Any]


PROBLEMS = {
    "svc": Problem(
        scaled(("clf", SVC())),
        {
            "clf__C": loguniform(1e-3, 1e4),
            "clf__gamma": loguniform(1e-6, 1e1),
            "clf__class_weight": [None, "balanced"],
        },
    ),
    "forest": Problem(
        make_pipeline(SimpleImputer(), RandomForestClassifier(50, random_state=0)),
        {
            "randomforestclassifier__max_features": uniform(0.05, 0.95),
            "randomforestclassifier__min_samples_leaf": [1, 2, 3, 5, 8, 12, 20],
            "randomforestclassifier__class_weight": [None, "balanced"],
            "randomforestclassifier__criterion": ["gini", "entropy"],
            "randomforestclassifier__bootstrap": [True, False],
        },
    ),
    "boosting": Problem(
        HistGradientBoostingClassifier(max_iter=40, early_stopping=False, random_state=0),
        {
            "learning_rate": loguniform(0.01, 1.0),
            "min_samples_leaf": [1, 2, 5, 10, 20, 40],
            "l2_regularization": loguniform(1e-4, 1e2),
            "max_leaf_nodes": randint(2, 32),
            "class_weight": [None, "balanced"],
            "max_features": uniform(0.1, 0.9),
        },
    ),
    "network": Problem(
        scaled(("cast", FunctionTransformer(to_float32)), ("net", NETWORK)),
        {
            "net__lr": loguniform(1e-4, 1.0),
            "net__batch_size": [8, 16, 32, 64, 128],
            "net__optimizer__weight_decay": loguniform(1e-6, 1e-1),
            "net__module__dropout": uniform(0.0, 0.6),
            "net__module__n_hidden": [16, 32, 64, 128],
        },
    ),
}

# ---------------------------------------------------------------------- what is compared


@dataclass(frozen=True)
class Trial:
    """A scored configuration.

    Parameters
    ----------
    params : dict
    score : float
        Cross-validated; NaN if the fit failed.
    cost : float
        Rows that it was trained on, as a share of all: 1 unless it was cut short.
    seconds : float
        Fitting and scoring all folds.
    """

    params: Mapping[str, Any]
    score: float
    cost: float
    seconds: float


@dataclass(frozen=True)
class Setting:
    """What all searches on one dataset have in common.

    `seed` is of folds and test rows. Searches have another one on each dataset, since the luck of
    the first few configurations would count on all of them otherwise.
    """

    problem: Problem
    n_trials: int
    n_folds: int
    seed: int
    prior: Any = None
    search_seed: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """Parameters that all searches take."""
        cv = StratifiedKFold(self.n_folds, shuffle=True, random_state=self.seed)
        return {"cv": cv, "scoring": SCORING, "refit": False}


def make_grid(space: Mapping[str, Any], n_most: int) -> dict[str, list]:
    """A grid of at most so many configurations: more levels in turn, important parameters first.

    Levels of a distribution are quantiles in the middle of equal parts; a parameter with a single
    level has its middle, or its first choice.
    """
    sizes = dict.fromkeys(space, 1)
    is_growing = True
    while is_growing:
        is_growing = False
        for name, values in space.items():
            grown = {**sizes, name: sizes[name] + 1}
            limit = len(values) if isinstance(values, list) else n_most
            if grown[name] <= limit and np.prod(list(grown.values())) <= n_most:
                sizes, is_growing = grown, True
    return {name: levels(values, sizes[name]) for name, values in space.items()}


def levels(values: Any, size: int) -> list:
    """Some of the values, spread evenly."""
    if isinstance(values, list):
        if size == 1:
            return values[:1]
        return [values[i] for i in np.linspace(0, len(values) - 1, size).round().astype(int)]
    quantiles = values.ppf((np.arange(size) + 0.5) / size)
    # Those of integers come as floats, and some of them twice.
    return np.unique(quantiles.astype(int) if hasattr(values, "pmf") else quantiles).tolist()


def search_default(setting: Setting, X: Any, y: Any) -> list[Trial]:
    """No search: what the estimator does by itself."""
    return [Trial({}, 0.0, 1.0, 0.0)]


def search_grid(setting: Setting, X: Any, y: Any) -> list[Trial]:
    """`GridSearchCV`; candidates in random order, since those of a grid begin in a corner."""
    grid = make_grid(setting.problem.space, setting.n_trials)
    search = GridSearchCV(setting.problem.estimator, grid, **setting.options).fit(X, y)
    trials = read_results(search)
    order = np.random.default_rng(setting.search_seed).permutation(len(trials))
    return [trials[i] for i in order]


def search_random(setting: Setting, X: Any, y: Any) -> list[Trial]:
    """`RandomizedSearchCV`."""
    search = RandomizedSearchCV(
        setting.problem.estimator, dict(setting.problem.space), n_iter=setting.n_trials,
        random_state=setting.search_seed, **setting.options,
    )  # fmt: skip
    return read_results(search.fit(X, y))


def search_halving(setting: Setting, X: Any, y: Any) -> list[Trial]:
    """`HalvingRandomSearchCV` that trains on as many rows in total as the others.

    With a factor of 3 and rungs of 1/9, 1/3 and 1 of the rows, 3 n candidates cost n.
    """
    # Fewer rows than this leave folds without some class.
    smallest = max(len(y) // 9, 2 * setting.n_folds * len(np.unique(y)))
    n_rungs = 1 + int(np.log(len(y) / smallest) / np.log(3) + 1e-9)
    n_candidates = 3 ** (n_rungs - 1) * setting.n_trials // n_rungs
    search = HalvingRandomSearchCV(
        setting.problem.estimator, dict(setting.problem.space),
        n_candidates=n_candidates, factor=3, min_resources=len(y) // 3 ** (n_rungs - 1),
        random_state=setting.search_seed, **setting.options,
    )  # fmt: skip
    trials = read_results(search.fit(X, y))
    shares = search.cv_results_["n_resources"] / len(y)
    return [replace(trial, cost=share) for trial, share in zip(trials, shares, strict=True)]


def search_optuna(setting: Setting, X: Any, y: Any) -> list[Trial]:
    """`OptunaSearchCV` of optuna-integration, in the same space."""
    from optuna_integration import OptunaSearchCV

    space = SearchSpace(dict(setting.problem.space)).distributions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        search = OptunaSearchCV(
            setting.problem.estimator, space, n_trials=setting.n_trials,
            random_state=setting.search_seed, **setting.options,
        )  # fmt: skip
    search.fit(X, y)
    found = []
    for trial in search.trials_:
        kept = trial.user_attrs
        seconds = setting.n_folds * (kept.get("mean_fit_time", 0) + kept.get("mean_score_time", 0))
        score = np.nan if trial.value is None else trial.value
        found.append(Trial(trial.params, score, 1.0, seconds))
    return found


def make_meta_search(setting: Setting, **options: Any) -> MetaSearchCV:
    """`MetaSearchCV` with what all searches have in common."""
    return MetaSearchCV(
        setting.problem.estimator, dict(setting.problem.space), n_trials=setting.n_trials,
        random_state=setting.search_seed, meta_features=metafeatures, **(setting.options | options),
    )  # fmt: skip


def search_meta(setting: Setting, X: Any, y: Any) -> list[Trial]:
    """`MetaSearchCV` with a prior."""
    return read_results(make_meta_search(setting, prior=setting.prior).fit(X, y))


def read_results(search: Any) -> list[Trial]:
    """Trials of a search that has `cv_results_`."""
    results = search.cv_results_
    seconds = (results["mean_fit_time"] + results["mean_score_time"]) * search.n_splits_
    return [
        Trial(params, score, 1.0, spent)
        for params, score, spent in zip(
            results["params"], results["mean_test_score"], seconds, strict=True
        )
    ]


METHODS: dict[str, Callable[[Setting, Any, Any], list[Trial]]] = {
    "default": search_default,
    "grid": search_grid,
    "random": search_random,
    "halving": search_halving,
    "optuna": search_optuna,
    "meta": search_meta,
}


def run_search(name: str, setting: Setting, X: Any, y: Any) -> list[Trial]:
    """Trials of a search; its processor time is divided in proportion to the time of their fits."""
    start = time.process_time()
    trials = METHODS[name](setting, X, y)
    spent = time.process_time() - start
    fitting = sum(trial.seconds for trial in trials) or 1.0
    return [replace(trial, seconds=spent * trial.seconds / fitting) for trial in trials]


def score_on_test(setting: Setting, params: Mapping[str, Any], train: Any, test: Any) -> float:
    """Score on test rows of a configuration that is fitted to all training rows."""
    model = clone(setting.problem.estimator).set_params(**params).fit(*train)
    return float(get_scorer(SCORING)(model, *test))

"""`MetaSearchCV`: a scikit-learn search that learns from every search before it."""

from __future__ import annotations

import warnings
from copy import copy
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from optuna.study import Study
from sklearn.base import _clone_parametrized, _fit_context, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_method_params, check_is_fitted, indexable

from skmeta.base._progress import is_part_of_a_fit
from skmeta.base._reading import holds_tasks
from skmeta.model_selection._meta_search._learning import PastLearner
from skmeta.model_selection._meta_search._one_dataset import SearchInterrupted, search_dataset
from skmeta.model_selection._meta_search._progress import SearchContext
from skmeta.model_selection._meta_search._results import collect_results
from skmeta.model_selection._meta_search._select import refit_best, select_best
from skmeta.model_selection._meta_search._study import fingerprint


class MetaSearchCV(PastLearner):
    """Hyperparameter search with cross-validation that learns from past searches.

    Trials are proposed one after the other (or a few at a time, with `n_jobs`) by an Optuna
    sampler. With a `prior`, the first trials are what was good on other datasets, and later ones
    follow the past datasets that this one turns out to resemble. Apart from that it is a search
    like :class:`~sklearn.model_selection.GridSearchCV`, with all its attributes.

    Parameters
    ----------
    estimator : estimator object
        What to find hyperparameters of.
    space : dict, list of dict, or callable
        What to search over.

        - A dict has parameter names as keys (nested ones too, as in `pipe__svc__C`). Values are
          Optuna distributions; frozen scipy distributions (`uniform`, `loguniform` and `randint`
          are taken over exactly, any other one by its quantiles); ranges; sequences of choices; or
          dicts of named choices. Choices may be estimators: a study keeps their names.
        - With a list of dicts, each trial takes one of them, as in `GridSearchCV`.
        - A callable takes an Optuna trial and returns a dict of parameters, so that what is asked
          for may depend on what was drawn before.
    n_trials : int, default=50
        Number of trials. With a `storage` it counts all trials of the study: those of other
        processes and of earlier runs too. The search ends before if a finite space is exhausted.
    prior : past studies, HyperparameterPrior or None, default=None
        What is known from other datasets: the `prior_` of another search, a fitted prior, a list of
        Optuna studies or a dict of them by dataset.
    meta_features : callable, default=None
        Describes a dataset: takes `X, y` and returns a vector, as
        :func:`~skmeta.model_selection.metafeatures` does. Past datasets that resemble the new one
        then weigh more, if all past ones were searched by `fit` or `add_datasets`.
    sampler : "auto" or optuna.samplers.BaseSampler, default="auto"
        "auto" stands for :class:`TransferSampler` with a prior, and for Optuna's `TPESampler`
        without. A sampler of your own is copied for each search, and knows nothing of the prior.
    pruner : optuna.pruners.BasePruner, default=None
        Gives up poor trials after some folds. Folds then run one after the other, and the pruner
        is told the mean score after each (`WilcoxonPruner`: the score of each). A trial given up
        has NaN for the folds that were not run, and never wins.
    rungs : list of number, default=None
        Evaluate each configuration with a part of the `resource` first, then with more: fractions
        of the training rows that end with 1, or integers for a parameter of the estimator. Poor
        trials are given up on the way, by successive halving unless `pruner` says otherwise.
    resource : str, default="n_samples"
        What `rungs` are of: "n_samples" or a parameter of the estimator such as "n_estimators".
    storage : str or optuna.storages.BaseStorage, default=None
        Where the study is kept: an URL such as "sqlite:///search.db" or any storage of Optuna's. By
        default in memory. Several processes with the same storage and `study_name` share a study.
        Trials of a process that was killed are run again.
    study_name : str, default=None
        Name of the study in the storage; needed with a `storage`. A search with the same name goes
        on where the last one ended.
    scoring : str, callable, list, tuple or dict, default=None
        As in `GridSearchCV`. With several metrics, trials are proposed for the one that `refit`
        names, or else for the first.
    cv : int, cross-validation generator or iterable, default=None
        As in `GridSearchCV`. All trials share the same folds.
    refit : bool, str, or callable, default=True
        As in `GridSearchCV`; see also :func:`one_standard_error`.
    n_jobs : int, default=None
        Number of jobs. On one dataset they share the folds of one trial or more; there are as few
        trials at once as keep all jobs busy. With several datasets, each has a job of its own.
    pre_dispatch : int or str, default="2*n_jobs"
        As in `GridSearchCV`.
    timeout : float, default=None
        Seconds after which no further trial begins, for each dataset.
    random_state : int, RandomState instance or None, default=None
        Seeds the "auto" sampler and the prior. Give processes that share a study different
        ones, or None.
    verbose : int, default=0
        From 1 on each trial is reported, from 2 on each fold too, as in `GridSearchCV`.
    error_score : "raise" or number, default=nan
        As in `GridSearchCV`. With NaN a failing configuration is a failed trial of the study, and
        the search goes on.
    return_train_score : bool, default=False
        As in `GridSearchCV`.

    Attributes
    ----------
    study_ : optuna.Study
        The study, after a search of one dataset.
    prior_ : HyperparameterPrior or None
        What was learned from several datasets or past studies; after a search of one dataset, the
        `prior` that it used, whatever that was.
    studies_ : dict of name to optuna.Study
        Past studies that `prior_` was learned from.
    cv_results_ : dict of ndarrays
        As in `GridSearchCV`, one row for each trial. With a `pruner` or `rungs` there is a column
        `pruned` too.
    best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, refit_time_, \
multimetric_, classes_, n_features_in_, feature_names_in_
        As in `GridSearchCV`.

    See Also
    --------
    TransferSampler : The same for plain Optuna studies.
    one_standard_error : A rule for `refit`.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_breast_cancer, load_iris, load_wine
    >>> from sklearn.svm import SVC
    >>> from skmeta import MetaSearchCV, Task
    >>> space = {"C": loguniform(1e-3, 1e3), "gamma": loguniform(1e-5, 1)}
    >>> search = MetaSearchCV(SVC(), space, n_trials=15, cv=3, random_state=0)
    >>> past = [load_iris(return_X_y=True), load_breast_cancer(return_X_y=True)]
    >>> search = search.fit([Task(*data, name=i) for i, data in enumerate(past)])
    >>> best = search.set_params(n_trials=4).fit_adapt(*load_wine(return_X_y=True))
    >>> len(best.cv_results_["params"])
    4
    """

    _parameter_constraints: dict = {
        **BaseSearchCV._parameter_constraints,
        "space": [dict, list, callable],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "prior": "no_validation",
        "meta_features": [callable, None],
        "sampler": [StrOptions({"auto"}), HasMethods(["sample_relative"])],
        "pruner": [HasMethods(["prune"]), None],
        "rungs": ["array-like", None],
        "resource": [str],
        "storage": "no_validation",
        "study_name": [str, None],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        space: Any,
        *,
        n_trials: int = 50,
        prior: Any = None,
        meta_features: Any = None,
        sampler: Any = "auto",
        pruner: Any = None,
        rungs: Any = None,
        resource: str = "n_samples",
        storage: Any = None,
        study_name: str | None = None,
        scoring: Any = None,
        cv: Any = None,
        refit: Any = True,
        n_jobs: int | None = None,
        pre_dispatch: Any = "2*n_jobs",
        timeout: float | None = None,
        random_state: Any = None,
        verbose: int = 0,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ):
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space = space
        self.n_trials = n_trials
        self.prior = prior
        self.meta_features = meta_features
        self.sampler = sampler
        self.pruner = pruner
        self.rungs = rungs
        self.resource = resource
        self.storage = storage
        self.study_name = study_name
        self.timeout = timeout
        self.random_state = random_state

    # ------------------------------------------------------------------ one dataset

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search one dataset; or several, and learn a prior from them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), TaskCollection or list of Task
            Rows of one dataset, or datasets. They may differ in width, and share nothing but the
            estimator and the space.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target of one dataset; None for unsupervised learning. Datasets have their own.
        **params : dict of str to object
            For one dataset: metadata for the estimator, the scorer and the splitter, as in
            `GridSearchCV`.

        Returns
        -------
        self : MetaSearchCV
        """
        self._unfit()
        if holds_tasks(X):
            if y is not None or params:
                raise ValueError(
                    "X holds datasets, which have their targets: y and metadata must be None."
                )
            return self._fit_datasets(X)
        return self._fit_one(X, y, params)

    def _fit_one(self, X: Any, y: Any, params: dict[str, Any]) -> Self:
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        weight = params.get("sample_weight")
        told = {"X": X, "y": y, "metadata": weight if weight is None else {"sample_weight": weight}}
        context = self._init_callback_context(max_subtasks=1 + (self.refit is not False))
        context.call_on_fit_task_begin(estimator=self, **told)
        routed = self._get_routed_params_for_fit(params)
        try:
            self.study_ = self._search(X, y, routed, context)
        except SearchInterrupted as interruption:
            if is_part_of_a_fit(self):  # Ctrl-C is meant for the whole of it
                raise
            warnings.warn(
                "The search was interrupted. The best of the trials that were done is taken.",
                stacklevel=3,
            )
            self.study_ = interruption.study
        self.prior_ = self.prior
        collect_results(self, self.study_)
        select_best(self)
        if self.refit:
            refit_context = context.subcontext(task_name="refit-with-best-params")
            refit_best(self, X, y, routed.estimator.fit, refit_context, told)
        context.call_on_fit_task_end(estimator=self, **told)
        return self

    def _search(self, X: Any, y: Any, routed: Any, context: Any) -> Study:
        """Run the trials, and set what is known of the splits and the scorer."""
        scorer, _ = self._get_scorers()
        self.scorer_ = getattr(scorer, "_scorers", scorer)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        split_params = routed.splitter.split
        self.n_splits_ = splitter.get_n_splits(X, y, **split_params)
        splits = list(splitter.split(X, y, **split_params))
        if len(splits) != self.n_splits_:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. Expected "
                f"{self.n_splits_} splits, got {len(splits)}"
            )
        if not splits:
            raise ValueError("No fits were performed. Was the CV iterator empty?")
        options = {
            "scorer": scorer,
            "fit_params": routed.estimator.fit,
            "score_params": routed.scorer.score,
            "return_train_score": self.return_train_score,
            "return_times": True,
            "error_score": self.error_score,
            "verbose": self.verbose,
            "caller": self,
        }
        n_stages = 1 if self.rungs is None else len(self.rungs)
        shown = SearchContext(self, context, self.n_trials * len(splits) * n_stages)
        rng = check_random_state(self.random_state)
        study = search_dataset(self, X, y, splits, options, shown.of_fold, rng)
        shown.end()
        return study

    def _leading_score(self, scores: Any) -> float:
        """The score to search for among those of one fold."""
        if not isinstance(scores, dict):
            return scores
        # Which metrics a callable computes is known only now.
        self._check_refit_for_multimetric(scores)
        return scores[self.refit if isinstance(self.refit, str) else next(iter(scores))]

    # ------------------------------------------------------------------ a new dataset

    def fit_adapt(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search a new dataset, with what was learned from past ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        **params : dict of str to object
            Metadata, as in `fit`.

        Returns
        -------
        search : MetaSearchCV
            A new, fitted search, whose parameter `prior` is what was learned. `self` is unchanged.
            With a `storage`, its study has a name of its own, made of `study_name` and a hash of
            the dataset.
        """
        check_is_fitted(self, "prior_")
        if holds_tasks(X):
            raise ValueError("fit_adapt searches one dataset, X and y; got several.")
        search = clone(self).set_params(prior=self.prior_)
        if self.study_name is not None:
            name = f"{self.study_name}-{fingerprint(X, y).split()[-1][:12]}"
            search.set_params(study_name=name)
        return search.fit(X, y, **params)

    # ------------------------------------------------------------------ scikit-learn

    def __sklearn_is_fitted__(self) -> bool:
        # A search that has learned from datasets has a prior, but nothing to predict with.
        return hasattr(self, "cv_results_")

    def __sklearn_clone__(self) -> Self:
        # What was learned is a parameter, not a fit; and a copy of a storage would be another one.
        shell = copy(self)
        shell.prior = shell.storage = None
        made = _clone_parametrized(shell)
        made.prior, made.storage = self.prior, self.storage
        return made

    def _run_search(self, evaluate_candidates: Any) -> None:
        raise NotImplementedError("The trials of MetaSearchCV come from a study.")

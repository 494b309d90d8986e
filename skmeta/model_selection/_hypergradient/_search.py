"""`HypergradientSearchCV`: learning rate and weight decay of a network, learned by gradients."""

from __future__ import annotations

import time
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skmeta.base._progress import Progress
from skmeta.base._reading import as_collection, holds_tasks
from skmeta.model_selection._hypergradient._descent import Path, descend, mean_relative_loss
from skmeta.model_selection._hypergradient._folds import Rows, draw_seeds, run_fold, split_folds
from skmeta.model_selection._hypergradient._space import Space, read_space
from skmeta.model_selection._hypergradient._unroll import OPTIONS, Outcome


class HypergradientSearchCV(BaseSearchCV):
    """Learn a network's learning rate and weight decay by gradients through its training.

    The net is trained on the training rows of a fold, and the derivatives of its weights by the
    logarithms of learning rate and weight decay are carried along from step to step. At the end
    they tell how the loss on the validation rows depends on both. With several datasets, the mean
    of these derivatives leads to the setting that is best on all: a prior, from which a new dataset
    needs no step or a few. What has no derivative, as batch size and dropout, is chosen among a few
    values, each with a learning rate of its own.

    Parameters
    ----------
    estimator : skorch.NeuralNet or Pipeline that ends in one
        Its optimiser is torch's `SGD`, `Adam` or `AdamW`, and its loss is a mean over rows.
    space : dict
        Keys are names of parameters. For the learning rate (`lr`) and weight decay
        (`optimizer__weight_decay`), or one of them, values are ranges on a logarithmic scale, as
        :class:`MetaSearchCV` takes them: `scipy.stats.loguniform` or an Optuna `FloatDistribution`.
        For all others they are lists of choices, of which every combination is tried.
    n_steps : int, default=20
        Number of hypergradient steps, for each combination of choices.
    n_adapt_steps : int, default=3
        Number of steps on a new dataset, from the prior. With 0 the prior is taken as it is.
    step_size : float, default=0.5
        How far the first step goes, in natural logarithms. The others go less far, and the last
        hardly at all.
    prior : dict, default=None
        Where to begin: the `prior_` of another search. By default, at the estimator's own values,
        or in the middle of a range that does not hold them.
    scoring : str, callable or None, default=None
        What `score` returns. The search goes by the net's own loss.
    cv : int, cross-validation generator or iterable, default=3
        Folds. With several datasets, each step takes one fold of each dataset; on one dataset it
        takes all folds.
    refit : bool, default=True
        Whether to fit `best_estimator_` to all rows.
    n_jobs : int, default=None
        Number of trainings at once.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, order of rows and dropout in the search, and torch before the refit.
    verbose : int, default=0
        From 1 on, each step is reported.

    Attributes
    ----------
    prior_ : dict or None
        What was learned from several datasets: a value for each parameter of the space. After a
        search of one dataset, the `prior` that it used.
    path_ : dict of ndarray
        After several datasets: the combination of choices, the values and the mean relative loss at
        each step. The loss is relative to that of the net before training.
    choice_losses_ : ndarray of shape (n_combinations,)
        After several datasets: mean relative loss of each combination of choices over all folds, at
        the values that were learned for it.
    cv_results_ : dict of ndarray
        After one dataset: as in `GridSearchCV`, one row for each step. Scores are negative
        validation losses.
    best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, refit_time_, \
multimetric_, classes_
        After one dataset: as in `GridSearchCV`.

    See Also
    --------
    MetaSearchCV : For any estimator and any hyperparameter, by trials.

    Notes
    -----
    Derivatives cost two to four times as much as the training itself, whatever its length, and no
    more memory as it gets longer. They are exact for the training that was run (initial weights,
    order of rows, dropout) apart from running statistics of batch normalisation, which are taken as
    constant. Callbacks that change training (schedules, early stopping, clipping of gradients) are
    refused.

    References
    ----------
    .. [1] Franceschi et al., "Forward and reverse gradient-based hyperparameter optimization",
       ICML 2017.
    .. [2] Baydin et al., "Online learning rate adaptation with hypergradient descent", ICLR 2018.

    Examples
    --------
    >>> import torch
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import make_classification
    >>> from skorch import NeuralNetClassifier
    >>> from skmeta import HypergradientSearchCV, Task
    >>> def dataset(seed):
    ...     X, y = make_classification(60, 4, random_state=seed)
    ...     return X.astype("float32"), y
    >>> class Net(torch.nn.Sequential):
    ...     def __init__(self):
    ...         super().__init__(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    >>> net = NeuralNetClassifier(
    ...     Net, criterion=torch.nn.CrossEntropyLoss, max_epochs=3, train_split=None, verbose=0
    ... )
    >>> space = {"lr": loguniform(1e-3, 10), "batch_size": [8, 32]}
    >>> search = HypergradientSearchCV(net, space, n_steps=4, random_state=0)
    >>> search = search.fit([Task(*dataset(seed)) for seed in range(3)])
    >>> sorted(search.prior_)
    ['batch_size', 'lr']
    >>> best = search.fit_adapt(*dataset(3))
    >>> best.predict(dataset(3)[0]).shape
    (60,)
    """

    _parameter_constraints: dict = {
        "estimator": BaseSearchCV._parameter_constraints["estimator"],
        "space": [dict],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "n_adapt_steps": [Interval(Integral, 0, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither")],
        "prior": [dict, None],
        "scoring": BaseSearchCV._parameter_constraints["scoring"],
        "cv": ["cv_object"],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any,
        space: Any,
        *,
        n_steps: int = 20,
        n_adapt_steps: int = 3,
        step_size: float = 0.5,
        prior: Any = None,
        scoring: Any = None,
        cv: Any = 3,
        refit: bool = True,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            return_train_score=False,
        )
        self.space = space
        self.n_steps = n_steps
        self.n_adapt_steps = n_adapt_steps
        self.step_size = step_size
        self.prior = prior
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn a prior from several datasets; or search one, and fit the net to it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), TaskCollection or list of Task
            Rows of one dataset, or datasets. They may differ in width if the net adapts to that.
        y : array-like of shape (n_samples,), default=None
            Target of one dataset. Datasets have their own.

        Returns
        -------
        self : HypergradientSearchCV
        """
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        if not holds_tasks(X):
            return self._fit_one(X, y)
        if y is not None:
            raise ValueError("X holds datasets, which have their targets: y must be None.")
        return self._fit_datasets([(task.X, task.y) for task in as_collection(X)])

    def fit_adapt(self, X: Any, y: Any = None) -> Self:
        """Search a new dataset in a few steps from the prior, and fit the net to it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None

        Returns
        -------
        search : HypergradientSearchCV
            A new, fitted search, whose parameter `prior` is what was learned. `self` is unchanged.
        """
        check_is_fitted(self, "prior_")
        if holds_tasks(X):
            raise ValueError("fit_adapt searches one dataset, X and y; got several.")
        return clone(self).set_params(prior=self.prior_).fit(X, y)

    # ------------------------------------------------------------------ several datasets

    def _fit_datasets(self, datasets: Sequence[tuple[Any, Any]]) -> Self:
        rng = check_random_state(self.random_state)
        space = read_space(self.space, self.estimator)
        context = self._init_callback_context(max_subtasks=len(space.choices) * (self.n_steps + 1))
        context.call_on_fit_task_begin(estimator=self)
        path: dict[str, list[Any]] = {n: [] for n in ("choice", *space.ranges, "mean_loss")}
        losses, ends = [], []
        for number, choice in enumerate(space.choices):
            estimator = clone(self.estimator).set_params(**clone(choice, safe=False))
            folds = [split_folds(estimator, X, y, self.cv) for X, y in datasets]
            point, found = self._descend(estimator, space, folds, self.n_steps, rng)
            for values, outcomes in zip(found.points, found.outcomes, strict=True):
                row = {"choice": number, **space.values(values)}
                for name, value in (row | {"mean_loss": mean_relative_loss(outcomes)}).items():
                    path[name].append(value)
            every = [fold for part in folds for fold in part]
            seeds = draw_seeds(rng, len(every))
            outcomes = self._run(estimator, every, space.of_net(point), seeds, with_gradient=False)
            losses.append(mean_relative_loss(outcomes))
            ends.append({**choice, **space.values(point)})
        self.path_ = {name: np.array(column) for name, column in path.items()}
        self.choice_losses_ = np.array(losses)
        self.prior_ = ends[int(self.choice_losses_.argmin())]
        context.call_on_fit_task_end(estimator=self)
        return self

    def _descend(
        self,
        estimator: Any,
        space: Space,
        folds: Sequence[Sequence[Rows]],
        n_steps: int,
        rng: np.random.RandomState,
    ) -> tuple[np.ndarray, Path]:
        """Steps that each take one fold of every dataset, and new initial weights."""
        seeds = draw_seeds(rng, n_steps, len(folds))

        def run(point: np.ndarray, step: int) -> list[Outcome]:
            some = [part[step % len(part)] for part in folds]
            return self._run(estimator, some, space.of_net(point), seeds[step])

        return self._follow(run, space, space.start(self.estimator), n_steps)

    # ------------------------------------------------------------------ one dataset

    def _fit_one(self, X: Any, y: Any) -> Self:
        rng = check_random_state(self.random_state)
        space = read_space(self.space, self.estimator)
        n_steps, choices = self.n_steps, space.choices
        if self.prior is not None:
            missing = sorted(set(self.space) - set(self.prior))
            if missing:
                raise ValueError(f"prior has no value for {missing}.")
            n_steps = self.n_adapt_steps
            choices = [{n: self.prior[n] for n in self.space if n not in space.ranges}]
        context = self._init_callback_context(max_subtasks=len(choices) * (n_steps + 1))
        context.call_on_fit_task_begin(estimator=self)
        params: list[dict[str, Any]] = []
        results: list[dict[str, Any]] = []
        for choice in choices:
            estimator = clone(self.estimator).set_params(**clone(choice, safe=False))
            folds = split_folds(estimator, X, y, self.cv)
            for point, outcomes in self._points_of(estimator, space, folds, n_steps, rng):
                params.append({**choice, **space.values(point)})
                results += [_as_result(outcome) for outcome in outcomes]
        self.n_splits_ = len(folds)
        self.scorer_ = self._get_scorers()[0]
        self.multimetric_ = False
        self.prior_ = self.prior
        self.cv_results_ = self._format_results(params, self.n_splits_, results)
        self.best_index_ = int(self.cv_results_["rank_test_score"].argmin())
        self.best_score_ = self.cv_results_["mean_test_score"][self.best_index_]
        self.best_params_ = params[self.best_index_]
        if self.refit:
            self._refit(X, y, rng)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _points_of(
        self,
        estimator: Any,
        space: Space,
        folds: Sequence[Rows],
        n_steps: int,
        rng: np.random.RandomState,
    ) -> list[tuple[np.ndarray, list[Outcome]]]:
        """All points of a descent, the last one included, and the outcome of each fold there."""
        # The same initial weights at all points, so that these can be compared.
        seeds = draw_seeds(rng, len(folds))
        start = space.start(self.estimator)
        if self.prior is not None:
            start = np.clip(np.log([self.prior[name] for name in space.ranges]), *space.bounds.T)

        def run(point: np.ndarray, step: int) -> list[Outcome]:
            return self._run(estimator, folds, space.of_net(point), seeds)

        last, path = self._follow(run, space, start, n_steps)
        end = self._run(estimator, folds, space.of_net(last), seeds, with_gradient=False)
        return [*zip(path.points, path.outcomes, strict=True), (last, end)]

    def _refit(self, X: Any, y: Any, rng: np.random.RandomState) -> None:
        import torch

        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        with torch.random.fork_rng():
            torch.manual_seed(int(draw_seeds(rng)))
            start = time.time()
            self.best_estimator_ = best.fit(X, y)
            self.refit_time_ = time.time() - start

    # ------------------------------------------------------------------ both

    def _follow(
        self, run: Any, space: Space, start: np.ndarray, n_steps: int
    ) -> tuple[np.ndarray, Path]:
        names = [name.removeprefix(space.prefix) for name in space.ranges]
        is_rate = np.array([OPTIONS[name] == "lr" for name in names])
        return descend(run, start, space.bounds, n_steps, self.step_size, is_rate)

    def _run(
        self,
        estimator: Any,
        folds: Sequence[Rows],
        values: dict[str, float],
        seeds: np.ndarray,
        with_gradient: bool = True,
    ) -> list[Outcome]:
        with Progress(self, vars(self).get("_callback_fit_ctx")).part("step"):
            outcomes = Parallel(n_jobs=self.n_jobs)(
                delayed(run_fold)(estimator, fold, values, int(seed), with_gradient)
                for fold, seed in zip(folds, seeds, strict=True)
            )
        if self.verbose > 0:
            shown = ", ".join(f"{name}={value:.3g}" for name, value in values.items())
            print(f"{shown}: relative loss {mean_relative_loss(outcomes):.4f}")
        return list(outcomes)


def _as_result(outcome: Outcome) -> dict[str, Any]:
    """What scikit-learn makes `cv_results_` of."""
    return {"test_scores": -outcome.loss, "fit_time": outcome.seconds, "score_time": 0.0}

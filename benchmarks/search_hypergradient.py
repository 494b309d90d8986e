"""A network's learning rate, weight decay and batch size: learned by gradients, or by trials.

    python benchmarks/search_hypergradient.py --data ../shared/data/tabular

The network of `search_real.py` (two hidden layers, SGD with momentum, 15 epochs), on real
classification datasets. `HypergradientSearchCV` learns a prior on some of them, and then
`MetaSearchCV` on the same ones with as many trials as fit into the same processor time. On the
other datasets five ways to set the hyperparameters are compared: skorch's defaults, both priors as
they are, and searches that have the processor time of `HypergradientSearchCV`'s steps: with trials
from `MetaSearchCV`'s prior, and random ones. Folds are the same for all, and all go by log-loss.

Scores are those on test rows (30 % of each new dataset) after a fit to all others.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from optuna.samplers import RandomSampler
from scipy.stats import loguniform
from search_real import load, quiet, split_names
from search_real_methods import PROBLEMS
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split

from skmeta import HypergradientSearchCV, MetaSearchCV, Task

MODEL = PROBLEMS["network"].estimator
SPACE = {
    "net__lr": loguniform(1e-4, 1.0),
    "net__optimizer__weight_decay": loguniform(1e-6, 1e-1),
    "net__batch_size": [16, 64],
}


def timed(run: Any) -> tuple[Any, float]:
    """What a function returns, and its processor time."""
    start = time.process_time()
    return run(), time.process_time() - start


def seconds_of_trials(search: MetaSearchCV) -> np.ndarray:
    """Seconds that each trial of a search took."""
    results = search.cv_results_
    return (results["mean_fit_time"] + results["mean_score_time"]) * search.n_splits_


def learn(past: list[Task], folds: Any, n_steps: int, seed: int) -> tuple[Any, Any]:
    """Both priors; that of `MetaSearchCV` takes the time that the other one took."""
    by_gradients = HypergradientSearchCV(MODEL, SPACE, n_steps=n_steps, cv=folds, random_state=seed)
    _, spent = timed(lambda: by_gradients.fit(past))
    print(f"hypergradients: {by_gradients.prior_} in {spent:.0f} s", flush=True)
    options = {"cv": folds, "scoring": "neg_log_loss", "random_state": seed, "refit": False}
    _, for_one = timed(lambda: MetaSearchCV(MODEL, SPACE, n_trials=3, **options).fit(past[::5]))
    n_trials = max(2, round(spent / (for_one / (3 * len(past[::5]))) / len(past)))
    by_trials = MetaSearchCV(MODEL, SPACE, n_trials=n_trials, **options)
    _, spent = timed(lambda: by_trials.fit(past))
    best = by_trials.prior_.configs_[by_trials.prior_.default_]
    print(f"trials: {n_trials} for each dataset, {best} in {spent:.0f} s", flush=True)
    return by_gradients, by_trials


def within(search: MetaSearchCV, limit: float) -> dict[str, Any]:
    """The best configuration that a search had found within a time; its first one at the least."""
    spent = np.cumsum(seconds_of_trials(search))
    n_done = max(1, int(np.searchsorted(spent, limit, side="right")))
    scores = search.cv_results_["mean_test_score"][:n_done]
    return search.cv_results_["params"][int(np.nanargmax(scores))]


def settings(
    by_gradients: Any, by_trials: Any, X: Any, y: Any, n_trials: int, seed: int
) -> dict[str, tuple[dict, float]]:
    """What each method sets, and the processor time that it took to find it."""
    best, spent = timed(lambda: by_gradients.set_params(random_state=seed).fit_adapt(X, y))
    found = {
        "skorch's defaults": ({}, 0.0),
        "hypergradients, prior": (by_gradients.prior_, 0.0),
        f"hypergradients, {by_gradients.n_adapt_steps} steps": (best.best_params_, spent),
    }
    searches = {"MetaSearchCV": "auto", "random search": RandomSampler(seed)}
    for name, sampler in searches.items():
        search = clone(by_trials).set_params(
            n_trials=n_trials, prior=by_trials.prior_, sampler=sampler, random_state=seed
        )
        search.fit(X, y)
        if sampler == "auto":
            found["MetaSearchCV, prior"] = (search.cv_results_["params"][0], 0.0)
        found[f"{name}, same time"] = (within(search, spent), spent)
    return found


def compare(by_gradients: Any, by_trials: Any, task: Task, n_trials: int, seed: int) -> list[dict]:
    """Scores of all methods on test rows of a dataset."""
    X, X_test, y, y_test = train_test_split(
        task.X, task.y, test_size=0.3, stratify=task.y, random_state=seed
    )
    rows = []
    for method, (params, spent) in settings(by_gradients, by_trials, X, y, n_trials, seed).items():
        torch.manual_seed(seed)
        model = clone(MODEL).set_params(**params).fit(X, y)
        chances = np.clip(model.predict_proba(X_test).astype(float), 1e-7, 1)
        chances /= chances.sum(axis=1, keepdims=True)
        rows.append(
            {"method": method, "dataset": task.name, "log-loss": log_loss(y_test, chances),
             "accuracy": balanced_accuracy_score(y_test, model.predict(X_test)), "seconds": spent}
        )  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv")
    parser.add_argument("--past", type=int, default=15, help="datasets that the priors are of")
    parser.add_argument("--new", type=int, default=15, help="datasets to test on")
    parser.add_argument("--rows", type=int, default=600, help="at most so many rows of each")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--trials", type=int, default=12, help="of a search, at the most")
    parser.add_argument("--seeds", type=int, default=2, help="splits of each new dataset")
    options = parser.parse_args()
    print(f"Setting: {vars(options)}", flush=True)
    quiet()
    warnings.simplefilter("ignore")
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    # The same split into past and new datasets as in search_real.py.
    past, new = split_names(options.data, 30, 15, 0)
    tasks = {name: load(options.data, name, options.rows, 0) for name in [*past, *new]}
    # Of the rows that are kept, some have one class only.
    past, new = ([name for name in part if np.ptp(tasks[name].y) > 0] for part in (past, new))
    chosen = [tasks[name] for name in past[:: max(1, len(past) // options.past)]]
    by_gradients, by_trials = learn(chosen[: options.past], folds, options.steps, 0)
    rows = []
    for name in new[: options.new]:
        for seed in range(options.seeds):
            rows += compare(by_gradients, by_trials, tasks[name], options.trials, seed)
        print(".", end="", flush=True)
    print_table(pd.DataFrame(rows))


def print_table(rows: pd.DataFrame) -> None:
    """Means, and differences to the steps by gradients with their standard error over datasets."""
    means = rows.groupby(["method", "dataset"], sort=False).mean()
    reference = next(m for m in rows["method"].unique() if m.endswith("steps"))
    print(f"\n{'':28} log-loss  accuracy  seconds  log-loss less that of steps (se)  better on")
    for method, part in means.groupby("method", sort=False):
        more = part.loc[method, "log-loss"] - means.loc[reference, "log-loss"]
        error = more.std() / np.sqrt(len(more))
        print(
            f"{method:28} {part['log-loss'].mean():8.3f}  {part['accuracy'].mean():8.3f}"
            f"  {part['seconds'].mean():7.1f}  {more.mean():+.3f} ({error:.3f})"
            f"                   {(more < -1e-9).sum()} of {len(more)}"
        )


if __name__ == "__main__":
    main()

"""`MetaSearchCV` with a prior from other datasets beside searches that start from nothing.

Tunes a support vector machine, a random forest, boosted trees and a skorch network on real
classification datasets. Thirty of 45 datasets are the past, from which the prior is learned; all
searches are then run on the other fifteen, with equal budgets. Which datasets are which is drawn
with `--split-seed` before anything is run.

    pip install optuna-integration
    python benchmarks/search_real.py --data ../shared/data/tabular --out search_real.csv

The score is balanced accuracy on test rows (30 % of each new dataset) that no search has seen: the
best configuration so far, by cross-validation on the other rows, is fitted to all of those. A trial
is one configuration on all training rows; `HalvingRandomSearchCV` has more configurations on
fewer rows, so that it trains on as many rows in total.

Seconds are those of the processor: on an idle core, with OMP_NUM_THREADS=1, they are those of the
clock, and other programs do not disturb them. Learning the prior is reported apart.

The whole takes hours. `--out` gets a row for each trial as soon as a search has ended, and priors
are kept beside it. The same command goes on where it was interrupted, and with all searches done it
prints the tables again.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import optuna
import pandas as pd
import torch
from joblib import Parallel, delayed
from search_real_methods import (
    METHODS,
    PROBLEMS,
    Setting,
    Trial,
    make_meta_search,
    run_search,
    score_on_test,
)
from sklearn.model_selection import train_test_split
from sklearn.utils import resample

from skmeta import Task

# ---------------------------------------------------------------------- datasets


def load(folder: Path, name: str, n_most: int, seed: int) -> Task:
    """A dataset, or a random part of its rows; the last column is the target."""
    table = pd.read_csv(folder / f"{name}.csv.gz")
    X, y = table.iloc[:, :-1].to_numpy(np.float64), table.iloc[:, -1].to_numpy()
    y = np.unique(y, return_inverse=True)[1]
    if len(y) > n_most:
        X, y = resample(X, y, replace=False, n_samples=n_most, stratify=y, random_state=seed)
    # A class must be in the training and the test part, and there in every fold.
    is_kept = np.bincount(y)[y] >= 8
    return Task(X[is_kept], np.unique(y[is_kept], return_inverse=True)[1], name=name)


def split_names(folder: Path, n_past: int, n_new: int, seed: int) -> tuple[list[str], list[str]]:
    """Datasets to learn from, and datasets to test on."""
    names = sorted(pd.read_csv(folder / "index.csv")["name"])
    if n_past + n_new > len(names):
        raise SystemExit(f"There are {len(names)} datasets; {n_past} + {n_new} were asked for.")
    shuffled = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    return sorted(shuffled[:n_past]), sorted(shuffled[n_past : n_past + n_new])


# ---------------------------------------------------------------------- one dataset


def run_method(kind: str, method: str, setting: Setting, dataset: Task) -> list[dict]:
    """One row for each trial: what it cost, and the test score of the best configuration so far."""
    quiet()
    torch.manual_seed(setting.search_seed)
    X, X_test, y, y_test = train_test_split(
        dataset.X, dataset.y, test_size=0.3, stratify=dataset.y, random_state=setting.seed
    )
    trials = run_search(method, setting, X, y)
    rows, scores, best = [], {}, None
    cost = seconds = 0.0
    for number, trial in enumerate(trials):
        cost, seconds = cost + trial.cost, seconds + trial.seconds
        best = better(best, trial)
        if id(best) not in scores:
            params = {} if np.isnan(best.score) else best.params  # none has worked so far
            scores[id(best)] = score_on_test(setting, params, (X, y), (X_test, y_test))
        rows.append(
            {"estimator": kind, "dataset": dataset.name, "method": method, "number": number,
             "cost": cost, "seconds": seconds, "cv_score": trial.score,
             "test_score": scores[id(best)]}
        )  # fmt: skip
    return rows


def better(best: Trial | None, trial: Trial) -> Trial:
    """The best so far: of the trials with the most rows, the one with the best score."""
    rank = [(0 if t is None or np.isnan(t.score) else t.cost, -np.inf if t is None else t.score)
            for t in (best, trial)]  # fmt: skip
    return trial if best is None or rank[1] > rank[0] else best


def quiet() -> None:
    """No progress and no warnings of single fits; failed ones are in the table as NaN."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")


def past_prior(kind: str, past: list[Task], options: Any) -> Any:
    """The prior from the past datasets; learned once, and kept beside the table."""
    kept = options.out.with_suffix(f".{kind}.prior")
    if kept.exists():
        return joblib.load(kept)
    setting = Setting(PROBLEMS[kind], options.past_trials, options.folds, options.seed)
    torch.manual_seed(options.seed)
    start, spent = time.monotonic(), time.process_time()
    learned = make_meta_search(setting, n_jobs=options.jobs).fit(past)
    clock, spent = time.monotonic() - start, time.process_time() - spent
    processor = f", {spent:.0f} s of the processor" if options.jobs == 1 else ""
    print(f"{kind}: prior from {len(past)} datasets in {clock:.0f} s{processor}", flush=True)
    joblib.dump(learned.prior_, kept)
    return learned.prior_


def run_estimator(kind: str, past: list[Task], new: list[Task], options: Any) -> None:
    """Run the searches of one estimator that are not in the table yet."""
    done = set()
    if options.out.exists():
        keys = ["estimator", "dataset", "method"]
        done = set(pd.read_csv(options.out)[keys].itertuples(index=False, name=None))
    missing = [
        (number, dataset, method)
        for number, dataset in enumerate(new)
        for method in options.methods
        if (kind, dataset.name, method) not in done
    ]
    if not missing:
        return
    prior = past_prior(kind, past, options)
    setting = Setting(PROBLEMS[kind], options.trials, options.folds, options.seed, prior)
    searches = Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
        delayed(run_method)(kind, method, replace(setting, search_seed=number), dataset)
        for number, dataset, method in missing
    )
    for rows in searches:
        is_new = not options.out.exists()
        pd.DataFrame(rows).to_csv(options.out, mode="a", header=is_new, index=False)


# ---------------------------------------------------------------------- tables


def at_budget(table: pd.DataFrame, column: str, limits: pd.Series | float) -> pd.DataFrame:
    """Test score of each method (columns) on each problem (rows) within a budget.

    Parameters
    ----------
    table : DataFrame
    column : str
        "cost" or "seconds".
    limits : float, or Series by (estimator, dataset)
    """
    keys = ["estimator", "dataset"]
    if isinstance(limits, pd.Series):
        limit = limits.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy()
    else:
        limit = np.full(len(table), limits)
    # A search that has finished no trial yet has its first one.
    within = table[(table[column] <= limit + 1e-9) | (table["number"] == 0)]
    last = within.groupby([*keys, "method"], sort=False)["test_score"].last()
    return last.unstack("method")


def print_comparison(scores: pd.DataFrame, title: str) -> None:
    """Means, ranks, and how `meta` compares with each of the others.

    The standard error is that of the mean over datasets: estimators on one dataset are no
    independent cases, and are averaged before.
    """
    ranks = scores.rank(axis=1, ascending=False).mean()
    print(f"\n{title}")
    print(f"  {'method':9} {'score':>6} {'rank':>5}   meta is better by (se)   wins-ties-losses")
    for method in scores.columns:
        line = f"  {method:9} {scores[method].mean():6.3f} {ranks[method]:5.2f}"
        if method != "meta" and "meta" in scores:
            gain = scores["meta"] - scores[method]
            by_dataset = gain.groupby("dataset").mean()
            error = by_dataset.std() / np.sqrt(len(by_dataset))
            counts = f"{(gain > 1e-9).sum()}-{(gain.abs() <= 1e-9).sum()}-{(gain < -1e-9).sum()}"
            line += f"   {by_dataset.mean():+.4f} ({error:.4f})         {counts}"
        print(line)


def print_gaps(table: pd.DataFrame, steps: list[int]) -> None:
    """How far the best cross-validated score is from the best that any search has found.

    This is what the searches maximise; test scores have the noise of few test rows as well. Scores
    of `HalvingRandomSearchCV` are those of fewer rows, and the default has none.
    """
    table = table[~table["method"].isin(["default", "halving"])]
    keys = ["estimator", "dataset"]
    top = table.groupby(keys)["cv_score"].max()
    best = table.groupby([*keys, "method"])["cv_score"].cummax()
    table = table.assign(best=best)
    means = {}
    for step in steps:
        found = table[table["number"] < step].groupby([*keys, "method"], sort=False)["best"].last()
        means[f"@{step}"] = found.unstack("method").rsub(top, axis=0).groupby("estimator").mean()
    print("\nCross-validated score: distance to the best known after so many trials")
    print(pd.concat(means, axis=1).stack(future_stack=True).round(4).to_string())


def print_tables(table: pd.DataFrame, n_trials: int) -> None:
    """Score against trials and against time, for each estimator and over all."""
    steps = sorted({t for t in (1, 3, 5, 10) if t < n_trials} | {n_trials})
    order = [method for method in METHODS if method in set(table["method"])]
    for kind in [*table["estimator"].unique(), "all"]:
        part = table if kind == "all" else table[table["estimator"] == kind]
        for step in steps:
            scores = at_budget(part, "cost", step)[order]
            print_comparison(scores, f"{kind}, after {step} trials ({len(scores)} problems)")
    print_gaps(table, steps)
    if "random" not in order:
        return
    random = table[table["method"] == "random"]
    for step in steps:
        spent = random[random["number"] == min(step, n_trials) - 1]
        limits = spent.set_index(["estimator", "dataset"])["seconds"]
        scores = at_budget(table, "seconds", limits)[order]
        title = f"all, in the seconds that random search takes for {step} trials"
        print_comparison(scores, f"{title} (mean {limits.mean():.1f} s)")


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv")
    parser.add_argument("--past", type=int, default=30, help="datasets that the prior is of")
    parser.add_argument("--new", type=int, default=15, help="datasets to test on")
    parser.add_argument("--split-seed", type=int, default=0, help="which datasets are which")
    parser.add_argument("--rows", type=int, default=1000, help="at most so many rows of each")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--past-trials", type=int, default=20, help="on each past dataset")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="of the past, folds and test rows")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--estimators", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument(
        "--out", type=Path, required=True, help="csv file with a row for each trial"
    )
    options = parser.parse_args(arguments)
    past, new = split_names(options.data, options.past, options.new, options.split_seed)
    print(f"Setting: {vars(options)}\nPast: {', '.join(past)}\nNew: {', '.join(new)}")
    quiet()
    datasets = {n: load(options.data, n, options.rows, options.seed) for n in [*past, *new]}
    for kind in options.estimators:
        run_estimator(kind, [datasets[n] for n in past], [datasets[n] for n in new], options)
    print_tables(pd.read_csv(options.out), options.trials)
    return 0


if __name__ == "__main__":
    sys.exit(main())

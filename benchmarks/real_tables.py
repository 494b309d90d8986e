"""Learners on real collections of small tables, beside the pooled models of the protocol.

For each collection and seed, 30 % of the tasks are held out; k rows of a held-out task are given
and its others are predicted. The protocol (loading, splits, comparison) and the results of its
baselines come with the data; give the folder that holds both:

    python benchmarks/real_tables.py --shared ../shared --learners AutoMetaRegressor --seeds 3

Learners are named; each has the defaults of its constructor in every collection, or what `--set`
gives. Prints the error relative to the best pooled model (geometric mean over collections), in how
many (collection, k) it is worse than that by over 2 %, seconds to fit and milliseconds to adapt (of
processor time, which other programs do not disturb: set OMP_NUM_THREADS=1);
for regressors the coverage of predictive intervals, for classifiers AUC, accuracy and the expected
calibration error. `--out` keeps one row for each held-out task and k.
`--peers` adds mixed models of other packages, see `real_tables_peers.py`.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tempfile
import time
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from real_tables_peers import run_peers
from scipy.stats import norm
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import roc_auc_score

from skmeta import TaskCollection
from skmeta.testing import all_meta_learners

N_BINS = 15  # of the expected calibration error
N_KNOWN_SEEDS = 3  # that the files of baselines hold, with random supports


# ---------------------------------------------------------------------- one episode


def score_regression(model: Any, episode: Any) -> dict:
    """Squared error, and whether intervals cover, of one held-out task."""
    X, y = episode.query.X, episode.query.y
    if "return_std" not in signature(model.predict).parameters:
        return {"mse": float(np.mean((model.predict(X) - y) ** 2))}
    mean, std = model.predict(X, return_std=True)
    covered = {
        f"cover{level}": float(np.mean(np.abs(y - mean) <= norm.ppf(0.5 + level / 200) * std))
        for level in (80, 95)
    }
    return {"mse": float(np.mean((mean - y) ** 2)), **covered}


def score_classification(proba: np.ndarray, y: np.ndarray) -> dict:
    """Log-loss, accuracy, AUC and the sums that the calibration error is made of."""
    confidence, hit = proba.max(axis=1), proba.argmax(axis=1) == y
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    two_classes = proba.shape[1] == 2 and 0 < y.mean() < 1
    return {
        "logloss": float(-np.log(np.clip(proba[np.arange(len(y)), y], 1e-6, 1)).mean()),
        "acc": float(hit.mean()),
        "auc": float(roc_auc_score(y, proba[:, 1])) if two_classes else np.nan,
        "gaps": np.bincount(bins, hit - confidence, minlength=N_BINS),
        "n_query": len(y),
    }


def all_classes(proba: np.ndarray, classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities with a column for each class of the collection, as the protocol clips them."""
    full = np.full((len(proba), n_classes), 1e-6)
    full[:, classes.astype(int)] = np.clip(proba, 1e-6, 1)
    return full / full.sum(axis=1, keepdims=True)


# ---------------------------------------------------------------------- learners


def run_learner(protocol: Any, collection: Any, seed: int, support: str, meta: Any) -> list[dict]:
    """One row per held-out task and k."""
    rows, fit_seconds, n_classes = [], None, int(collection.y.max()) + 1
    for episode in protocol.episodes(collection, seed, support=support):
        if fit_seconds is None:
            train, start = episode.train, time.process_time()
            meta.fit(TaskCollection.from_arrays(train.X, train.y, train.task))
            fit_seconds = time.process_time() - start
        start = time.process_time()
        model = meta.fit_adapt(episode.support.X, episode.support.y)
        adapt_ms = 1000 * (time.process_time() - start)
        if collection.kind == "regression":
            scores = score_regression(model, episode)
        else:
            proba = all_classes(model.predict_proba(episode.query.X), model.classes_, n_classes)
            scores = score_classification(proba, episode.query.y)
        found = {"task": episode.task, "k": episode.k, "method": type(meta).__name__}
        rows.append({**found, **scores, "fit_s": fit_seconds, "adapt_ms": adapt_ms})
    return rows


def run_pooled(protocol: Any, baselines: Any, collection: Any, seed: int, support: str) -> list:
    """The protocol's two pooled models, for splits that its files do not hold."""
    is_regression = collection.kind == "regression"
    n_classes = None if is_regression else int(collection.y.max()) + 1
    rows, models = [], None
    for episode in protocol.episodes(collection, seed, support=support):
        if models is None:
            train = episode.train
            prep = baselines.Prep(train.X, collection.categorical)
            linear = (
                RidgeCV(np.logspace(-2, 4, 13))
                if is_regression
                else LogisticRegression(C=0.3, max_iter=300)
            )
            models = {
                "pool_linear": (prep.dense, linear.fit(prep.dense(train.X), train.y)),
                "pool_hgb": (
                    prep.tree,
                    baselines.pooled_hgb(
                        prep.tree(train.X),
                        train.y,
                        train.task,
                        collection.kind,
                        prep.tree_cat(),
                        n_classes,
                    )[0],
                ),
            }
        for method, (view, model) in models.items():
            said = baselines.predict(model, view(episode.query.X), n_classes)
            y = episode.query.y
            scores = (
                {"mse": float(np.mean((said - y) ** 2))}
                if is_regression
                else score_classification(said, y)
            )
            rows.append({"task": episode.task, "k": episode.k, "method": method, **scores})
    return rows


# ---------------------------------------------------------------------- tables


def compare(protocol: Any, rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The protocol's table, of the splits that were run."""
    splits = rows[["set", "seed"]].drop_duplicates()
    known = known.merge(splits, on=["set", "seed"])
    metric = "mse" if "mse" in rows else "logloss"
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        columns = ["set", "seed", "task", "k", "method", metric]
        pooled = rows["method"].isin(protocol.POOLED)
        pd.concat([known, rows[pooled]])[columns].to_csv(file.name, index=False)
        return protocol.compare(rows.loc[~pooled, columns], Path(file.name))


def per_set(rows: pd.DataFrame, known: pd.DataFrame, pooled: tuple[str, ...]) -> pd.DataFrame:
    """Error relative to the best pooled model, for each collection and k."""
    metric = "mse" if "mse" in rows else "logloss"
    splits = rows[["set", "seed"]].drop_duplicates()
    both = pd.concat([known[known["method"].isin(pooled)].merge(splits), rows])
    error = both.groupby(["method", "set", "k", "seed"])[metric].mean()
    error = (error**0.5 if metric == "mse" else error).groupby(["method", "set", "k"]).mean()
    error = error.unstack("method")
    return error.div(error[list(pooled)].min(axis=1), axis=0).drop(columns=list(pooled))


def side_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Time, and what else is to be known of a method, for each collection."""
    by = rows.groupby(["method", "set"])
    columns = ["cover80", "cover95", "acc", "auc", "fit_s", "adapt_ms"]
    table = by[[c for c in columns if c in rows]].mean()
    table["fit_s max"] = by["fit_s"].max()
    if "gaps" in rows:
        table["ece"] = [np.abs(g["gaps"].sum()).sum() / g["n_query"].sum() for _, g in by]
    return table


def report(protocol: Any, rows: pd.DataFrame, known: pd.DataFrame) -> None:
    """Print all tables of one kind of collection."""
    n_splits = len(rows[["set", "seed"]].drop_duplicates())
    print(f"\n{n_splits} splits, {len(rows)} rows")
    print(compare(protocol, rows, known).round(3).to_string())
    print(per_set(rows, known, protocol.POOLED).unstack("k").round(3).to_string())
    print(side_table(rows[rows["fit_s"].notna()]).round(3).to_string())
    means = side_table(rows).groupby("method").mean(numeric_only=True)
    print("Mean over collections\n" + means.round(3).to_string())


def save(found: dict[str, list], path: Path) -> None:
    """Keep the rows of each kind of collection in a file of its own."""
    for kind, rows in found.items():
        if rows:
            table = pd.DataFrame(rows).drop(columns="gaps", errors="ignore")
            table.to_csv(path.with_stem(f"{path.stem}_{kind}"), index=False)


# ---------------------------------------------------------------------- program


def make(name: str, options: dict) -> Any:
    """An estimator by the name of its class."""
    learners = dict(all_meta_learners())
    if name not in learners:
        raise SystemExit(f"No learner is called {name}; there are {', '.join(learners)}.")
    return learners[name](**options)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--learners", nargs="+", default=["AutoMetaRegressor"])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters")
    parser.add_argument("--sets", nargs="*", help="collections; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0, help="100 and up: for development")
    parser.add_argument("--support", choices=["random", "first"], default="random")
    parser.add_argument("--peers", action="store_true", help="mixed models of other packages too")
    parser.add_argument("--out", type=Path, help="file for the rows")
    return parser.parse_args()


def main() -> None:
    """Run the protocol and print the tables."""
    args = parse()
    sys.path.insert(0, str(args.shared / "bench"))
    import real_tables as protocol
    import real_tables_baselines as baselines

    options = {k: ast.literal_eval(v) for k, v in (pair.split("=", 1) for pair in args.set)}
    learners = [make(name, options) for name in args.learners]
    found: dict[str, list] = {"regression": [], "classification": []}
    for name in args.sets or protocol.names():
        collection = protocol.load(name)
        suitable = [m for m in learners if is_classifier(m) == (collection.kind != "regression")]
        for seed in range(args.first_seed, args.first_seed + args.seeds) if suitable else []:
            rows = []
            if args.support == "first" or seed >= N_KNOWN_SEEDS:
                rows += run_pooled(protocol, baselines, collection, seed, args.support)
            for meta in suitable:
                rows += run_learner(protocol, collection, seed, args.support, clone(meta))
            if args.peers and collection.kind == "regression":
                rows += run_peers(protocol, baselines, collection, seed, args.support)
            found[collection.kind] += [{"set": name, "seed": seed, **row} for row in rows]
        if args.out:
            save(found, args.out)  # a long run may be cut off
        print(f"{name}: done", file=sys.stderr, flush=True)
    for kind, rows in found.items():
        if rows:
            table = pd.DataFrame(rows)
            known = pd.read_csv(args.shared / "bench" / f"baselines_{kind}.csv")
            report(protocol, table, known if args.support == "random" else known[:0])


if __name__ == "__main__":
    main()

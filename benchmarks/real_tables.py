"""MetaRidge on real collections of small tables, beside the baselines of the protocol.

For each collection and seed, 30 % of the tasks are held out; k rows of a held-out task are given
and its others are predicted. The protocol (loading, splits, comparison) and the results of the
baselines come with the data; give the folder that holds both:

    python benchmarks/real_tables.py --shared ../shared --sets sleepstudy cheese_stores

Prints, per collection and k, the root of the mean squared error (mean over seeds), and its ratio to
the baseline's on the same rows.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pandas as pd

from skmeta import MetaRidgeRegressor, TaskCollection


def run(protocol, name: str, seed: int) -> list[dict]:
    """One row per held-out task and k."""
    rows, meta = [], None
    collection = protocol.load(name)
    for episode in protocol.episodes(collection, seed):
        if meta is None:
            train = episode.train
            tasks = TaskCollection.from_arrays(train.X, train.y, train.task)
            meta = MetaRidgeRegressor().fit(tasks)
        model = meta.fit_adapt(episode.support.X, episode.support.y)
        error = model.predict(episode.query.X) - episode.query.y
        rows.append(
            {
                "set": name,
                "seed": seed,
                "task": episode.task,
                "k": episode.k,
                "method": "meta_ridge",
                "mse": float((error**2).mean()),
            }
        )
    return rows


def rmse(rows: pd.DataFrame) -> pd.Series:
    """Root of the mean squared error over tasks, then the mean over seeds."""
    return rows.groupby(["set", "k", "seed"])["mse"].mean().pow(0.5).groupby(["set", "k"]).mean()


def main() -> None:
    """Run the protocol and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--sets", nargs="*", help="collections; all for regression by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--baseline", default="eb_linear")
    args = parser.parse_args()
    sys.path.insert(0, str(args.shared / "bench"))
    import real_tables as protocol

    baselines = pd.read_csv(args.shared / "bench" / "baselines_regression.csv")
    start = time.perf_counter()
    rows = [
        row
        for name in args.sets or baselines["set"].unique()
        for seed in range(args.seeds)
        for row in run(protocol, name, seed)
    ]
    mine = rmse(pd.DataFrame(rows))
    theirs = rmse(baselines[baselines["method"] == args.baseline]).loc[mine.index]
    table = pd.DataFrame({"MetaRidge": mine, args.baseline: theirs, "ratio": mine / theirs})
    print(f"{args.seeds} seeds, {len(rows)} episodes, {time.perf_counter() - start:.0f} s")
    print(table.round(5).to_string())


if __name__ == "__main__":
    main()

"""The in-context classifier on tables that it has never seen, beside ordinary classifiers.

Training: synthetic tables (`skmeta.datasets.make_prior_tables`) with 3 to 20 features and 2 to 6
classes, new in each meta-batch, with supports of 4 to 60 rows, for `--minutes` of one core.

    OMP_NUM_THREADS=1 python benchmarks/in_context.py --minutes 20 --save in_context.pkl
    OMP_NUM_THREADS=1 python benchmarks/in_context.py --load in_context.pkl --tables ../shared/data

Test: other tables of the same kind, and with `--tables` real ones (a folder of `.csv.gz` files with
a column `target`), of which nothing was ever trained or tuned on. All methods get the same 10, 20
and 50 labelled rows, drawn by class, and predict up to 100 others. Prints the mean log-loss over
tables, the mean rank, and on how many tables a method is the best.

The others are scikit-learn's, once with their defaults and once with the setting that was best on
`--n-tuning` further synthetic tables for the same number of rows. All get rows from the default
preprocessor. Their probabilities, and ours, are mixed with 1 % of equal ones, as log-loss would
otherwise count nothing but zeros, which forests and neighbours have many of.
"""

from __future__ import annotations

import argparse
import pickle
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, GradientNormClipping

from skmeta import InContextClassifier, Task, TaskCollection, split_support_query
from skmeta.base import TablePreprocessor
from skmeta.datasets import make_prior_tables

SIZES, N_QUERY = (10, 20, 50), 100
SHARE_OF_EQUAL = 0.01
OPPONENTS = {
    "logistic": (LogisticRegression(max_iter=1000), "C", [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]),
    "neighbours": (KNeighborsClassifier(), "n_neighbors", [3, 5, 8, 10]),
    "forest": (RandomForestClassifier(random_state=0), "min_samples_leaf", [1, 2, 3, 5]),
}


class Deadline(Callback):
    """Trains for a time of the processor, at a rate that warms up and then falls to zero."""

    def __init__(self, seconds: float, lr: float):
        self.seconds, self.lr = seconds, lr

    def on_train_begin(self, net, **kwargs):
        self.start_, self.n_batches_ = time.process_time(), 0

    def on_batch_begin(self, net, training=False, **kwargs):
        elapsed = (time.process_time() - self.start_) / self.seconds
        if elapsed > 1:
            raise KeyboardInterrupt  # how skorch is told to stop
        self.n_batches_ += 1
        lr = self.lr * min(1.0, self.n_batches_ / 50) * 0.5 * (1 + np.cos(np.pi * elapsed))
        for group in net.optimizer_.param_groups:
            group["lr"] = lr

    def on_epoch_end(self, net, **kwargs):
        print(f"  epoch {len(net.history)}, loss {net.history[-1, 'train_loss']:.4f}", flush=True)


def train(minutes: float, seed: int) -> InContextClassifier:
    """Train on synthetic tables alone."""
    lr = 2e-3
    meta = InContextClassifier(
        prior="tables",
        n_tables=200,
        n_support=60,
        n_query=20,
        lr=lr,
        batch_size=8,
        max_epochs=10**6,
        train_split=None,
        callbacks=[Deadline(60 * minutes, lr), GradientNormClipping(1.0)],
        random_state=seed,
    )
    # What is given says that tasks have columns and classes of their own; it is not trained on.
    return meta.fit([make_prior_tables(1, width, random_state=seed)[0] for width in (3, 4)])


# ---------------------------------------------------------------------- tables


def synthetic(n_tables: int, seed: int) -> TaskCollection:
    """Tables of the prior, with seeds that training does not use."""
    return make_prior_tables(n_tables, n_rows=max(SIZES) + N_QUERY, random_state=seed)


def real(folder: Path) -> TaskCollection:
    """Real tables: numbers with gaps."""
    tasks = []
    for path in sorted(folder.glob("*.csv.gz")):
        table = pd.read_csv(path)
        y = table.pop("target").to_numpy()
        if len(y) > max(SIZES) and np.unique(y).size <= min(SIZES):
            tasks.append(Task(table.to_numpy(dtype=float), y, path.name.removesuffix(".csv.gz")))
    return TaskCollection.from_tasks(tasks, shared_target=False)


def episodes(tasks: TaskCollection, size: int, seed: int = 0) -> Iterator[tuple[Task, Task]]:
    """Support and query of each table."""
    support, query = split_support_query(tasks, size, N_QUERY, stratify=True, random_state=seed)
    yield from zip(support, query, strict=True)


# ---------------------------------------------------------------------- scores


def log_loss(model: Any, query: Task) -> float:
    """Mean over query rows; a class that the support does not have gets its share of the 1 %."""
    classes = np.union1d(model.classes_, query.y)
    proba = np.zeros((query.n_rows, len(classes)))
    proba[:, np.searchsorted(classes, model.classes_)] = model.predict_proba(query.X)
    proba = (1 - SHARE_OF_EQUAL) * proba + SHARE_OF_EQUAL / len(classes)
    return float(-np.log(proba[np.arange(len(proba)), np.searchsorted(classes, query.y)]).mean())


def losses(opponent: Any, tasks: TaskCollection, size: int, seed: int = 0) -> np.ndarray:
    """Log-loss of an ordinary classifier on each table."""
    model = make_pipeline(TablePreprocessor(), opponent)
    return np.array(
        [log_loss(clone(model).fit(s.X, s.y), q) for s, q in episodes(tasks, size, seed)]
    )


def with_setting(name: str, value: Any) -> Any:
    """One opponent."""
    opponent, parameter, _ = OPPONENTS[name]
    return clone(opponent).set_params(**{parameter: value})


def tune(n_tables: int, seed: int) -> dict[tuple[str, int], Any]:
    """The best setting of each opponent for each number of rows, on further synthetic tables."""
    tasks, best = synthetic(n_tables, seed), {}
    for name, (_, parameter, values) in OPPONENTS.items():
        for size in SIZES:
            means = [losses(with_setting(name, v), tasks, size).mean() for v in values]
            best[name, size] = values[int(np.argmin(means))]
            print(f"  {name}, {size} rows: {parameter}={best[name, size]}", flush=True)
    return best


def compare(meta: InContextClassifier, tuned: dict, tasks: TaskCollection, n_repeats: int) -> None:
    """Print the table of one kind of tables."""
    for size in SIZES:
        start = time.perf_counter()
        found: dict[str, list] = {"in context": []}
        for seed in range(n_repeats):
            pairs = list(episodes(tasks, size, seed))
            found["in context"].append([log_loss(meta.fit_adapt(s.X, s.y), q) for s, q in pairs])
        seconds = (time.perf_counter() - start) / (len(tasks) * n_repeats)
        for name, (opponent, _, _) in OPPONENTS.items():
            for label, model in (
                (name, opponent),
                (f"{name}, tuned", with_setting(name, tuned[name, size])),
            ):
                found[label] = [losses(model, tasks, size, seed) for seed in range(n_repeats)]
        table = np.array([np.mean(values, axis=0) for values in found.values()])
        ranks, best = rankdata(table, axis=0).mean(axis=1), np.argmin(table, axis=0)
        print(f"{size} rows, {len(tasks)} tables ({1000 * seconds:.0f} ms each, in context):")
        for i, name in enumerate(found):
            half = 1.96 * table[i].std(ddof=1) / np.sqrt(len(tasks))
            line = (
                f"  {name:20} log-loss {table[i].mean():.3f} +- {half:.3f}, mean rank "
                f"{ranks[i]:.2f}, best on {np.sum(best == i):3d}"
            )
            if i:
                line += f", in context better on {np.mean(table[0] < table[i]):.0%}"
            print(line, flush=True)


def main() -> None:
    """Train or load, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--save", type=Path, help="where to keep the trained learner")
    parser.add_argument("--load", type=Path, help="a learner that --save kept, instead of training")
    parser.add_argument("--n-tables", type=int, default=200, help="synthetic tables of the test")
    parser.add_argument("--n-tuning", type=int, default=60, help="synthetic tables to tune others")
    parser.add_argument("--tables", type=Path, help="a folder of real tables")
    parser.add_argument("--repeats", type=int, default=3, help="supports of each real table")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, 1 thread, {args}", flush=True)
    if args.load:
        meta = pickle.loads(args.load.read_bytes())
    else:
        start = time.process_time()
        meta = train(args.minutes, args.seed)
        print(f"trained for {args.minutes} min ({time.process_time() - start:.0f} s of one core)")
    if args.save:
        args.save.write_bytes(pickle.dumps(meta))
    if not args.n_tables:
        return
    warnings.simplefilter("ignore")  # of scikit-learn: classes with a single row
    tuned = tune(args.n_tuning, seed=20_000)
    print("Synthetic tables, unseen:")
    compare(meta, tuned, synthetic(args.n_tables, seed=10_000), n_repeats=1)
    if args.tables:
        print("Real tables:")
        compare(meta, tuned, real(args.tables), args.repeats)


if __name__ == "__main__":
    main()

"""A million tasks: how long they take to build, and what they cost beside their bytes.

    python benchmarks/task_collection.py [--tasks 1000000] [--rows 10] [--features 8] [--steps ...]

Each step runs in a process of its own, so that its peak memory is its own. Memory is the growth of
the resident set (peak) over what the arrays themselves take.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import pickle
import resource
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.model_selection import KFold

from skmeta import TaskCollection, split_support_query
from skmeta.tasks import SupportQueryDraw


def make_rows(n_tasks: int, n_rows: int, n_features: int, shuffled: bool):
    """Rows of all tasks in one table, and the task of each."""
    rng = np.random.default_rng(0)
    task_id = np.repeat(np.arange(n_tasks), n_rows)
    if shuffled:
        rng.shuffle(task_id)
    X = rng.standard_normal((n_tasks * n_rows, n_features))
    return X, X.sum(axis=1), task_id


def measure(name: str, step, *args) -> None:
    """Run a step in a new process and print its time and memory."""
    context = mp.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measured, args=(queue, step, args))
    process.start()
    seconds, memory, payload, note = queue.get()
    process.join()
    print(
        f"{name:<44} {seconds:7.2f} s   peak {memory / 2**20:6.0f} MiB over "
        f"{payload / 2**20:5.0f} MiB of arrays   {note}"
    )


def _measured(queue, step, args) -> None:
    prepared, run = step(*args)
    payload = sum(part.nbytes for part in prepared if isinstance(part, np.ndarray))
    before = _peak()
    start = time.perf_counter()
    note = run(*prepared)
    queue.put((time.perf_counter() - start, _peak() - before, payload, note or ""))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def build(*sizes, shuffled=False):
    """Group rows into tasks."""

    def run(X, y, task_id):
        tasks = TaskCollection.from_arrays(X, y, task_id)
        overhead = tasks.sizes.nbytes + tasks.names.nbytes + tasks._starts.nbytes
        return f"index {overhead / len(tasks):.0f} bytes per task; rows copied: {shuffled}"

    return make_rows(*sizes, shuffled=shuffled), run


def build_shuffled(*sizes):
    """Group rows into tasks whose rows are scattered over the table."""
    return build(*sizes, shuffled=True)


def five_folds(*sizes):
    """Slice ten collections, as a 5-fold cross-validation does."""

    def run(X, y, task_id):
        tasks = TaskCollection.from_arrays(X, y, task_id)
        for train, test in KFold(5).split(tasks):
            _ = tasks[train], tasks[test]

    return make_rows(*sizes, shuffled=False), run


def split(*sizes):
    """Split every task into support and query."""

    def run(X, y, task_id):
        split_support_query(TaskCollection.from_arrays(X, y, task_id), 5)

    return make_rows(*sizes, shuffled=False), run


def meta_batches(*sizes):
    """Draw a thousand meta-batches of 32 tasks."""

    def run(X, y, task_id):
        draw = SupportQueryDraw(TaskCollection.from_arrays(X, y, task_id), 5, 5)
        rng = np.random.default_rng(0)
        start = time.perf_counter()
        for epoch in range(1000):
            draw(rng.integers(sizes[0], size=32), epoch)
        return f"{(time.perf_counter() - start) * 1000:.0f} us per meta-batch"

    return make_rows(*sizes, shuffled=False), run


def pickled_slice(*sizes):
    """Pickle a hundred tasks out of all."""

    def run(X, y, task_id):
        part = pickle.dumps(TaskCollection.from_arrays(X, y, task_id)[::10_000])
        return f"{len(part) / 2**10:.0f} KiB"

    return make_rows(*sizes, shuffled=False), run


def _store(path, sizes) -> None:
    joblib.dump(TaskCollection.from_arrays(*make_rows(*sizes, shuffled=False)), path)


def _stored(sizes) -> Path:
    """A file with the collection."""
    path = Path(tempfile.mkdtemp()) / "tasks.joblib"
    # In another process: the peak of building the file would hide that of reading it.
    writer = mp.get_context("spawn").Process(target=_store, args=(path, sizes))
    writer.start()
    writer.join()
    return path


def mapped(*sizes):
    """Open a stored collection memory-mapped and read a thousand tasks."""
    path = _stored(sizes)

    def run():
        tasks = joblib.load(path, mmap_mode="r")
        total = sum(task.y[0] for task in tasks[:: max(1, len(tasks) // 1000)])
        path.unlink()
        path.parent.rmdir()
        return f"checksum {total:.2f}"

    return (), run


def meta_trained(*sizes):
    """Meta-train for an epoch on a memory-mapped collection."""
    path = _stored(sizes)

    def run():
        import torch

        from skmeta import MAMLRegressor

        torch.set_num_threads(1)
        started = _peak()
        tasks = joblib.load(path, mmap_mode="r")
        meta = MAMLRegressor(
            n_steps=1, max_epochs=1, batch_size=256, train_split=None, preprocessor=None
        ).fit(tasks)
        path.unlink()
        path.parent.rmdir()
        loss = meta.net_.history_[-1, "train_loss"]
        return (
            f"{started / 2**20:.0f} MiB with torch before it began, "
            f"{_peak() / 2**20:.0f} MiB at most; loss {loss:.3f}"
        )

    return (), run


STEPS = (
    build,
    build_shuffled,
    five_folds,
    pickled_slice,
    mapped,
    split,
    meta_batches,
    meta_trained,
)


def main() -> None:
    """Measure all steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--steps", nargs="+", choices=[step.__name__ for step in STEPS])
    args = parser.parse_args()
    sizes = (args.tasks, args.rows, args.features)
    print(f"{args.tasks:,} tasks of {args.rows} rows and {args.features} features")
    for step in STEPS:
        if args.steps and step.__name__ not in args.steps:
            continue
        measure(step.__doc__.rstrip("."), step, *sizes)


if __name__ == "__main__":
    main()

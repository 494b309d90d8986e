"""Kill a process that saves, at random moments: what is at the path is the old file or the new one.

    python benchmarks/kill_save.py --kills 50

A process saves two models to one path, in turn and without a pause. It is killed with SIGKILL after
a random time, and another process takes over. After each kill the file is loaded, and has to
predict what one of the two models does; whether it was the one that was being replaced cannot be
seen from outside. Drafts that were killed lie beside it, and are counted.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import skmeta
from skmeta.datasets import make_linear_tasks

ROWS = np.linspace(-1, 1, 12).reshape(4, 3)


def models(folder: Path) -> list:
    """Two adapted models of some megabytes, so that writing one takes a while."""
    tasks = make_linear_tasks(300, 200, 3, noise=0.1, random_state=0)
    meta = skmeta.MetaForestRegressor(n_estimators=20, max_depth=12, random_state=0).fit(tasks)
    return [meta.fit_adapt(task.X, task.y) for task in tasks[:2]]


def save_for_ever(path: Path) -> None:
    """Save the two models in turn."""
    both = [skmeta.load(path.with_suffix(f".{i}")) for i in range(2)]
    print("ready", flush=True)
    while True:
        for model in both:
            skmeta.save(model, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--save", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.save:
        save_for_ever(options.save)
        return
    rng, results = random.Random(0), Counter()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model"
        begin = time.perf_counter()
        both = models(path)
        print(f"made models in {time.perf_counter() - begin:.0f} s")
        for i, model in enumerate(both):
            skmeta.save(model, path.with_suffix(f".{i}"))
        begin = time.perf_counter()
        skmeta.save(both[0], path)
        took, size = time.perf_counter() - begin, path.stat().st_size
        print(f"one save takes {took:.3f} s and gives {size / 1e6:.1f} MB")
        said = [model.predict(ROWS) for model in both]
        for _ in range(options.kills):
            results[kill_once(path, rng.uniform(0, 3 * took), said)] += 1
        results["drafts left"] = len([p for p in path.parent.iterdir() if p.suffix == ".tmp"])
    for result, count in sorted(results.items()):
        print(f"{result:24}{count:5}")


def kill_once(path: Path, seconds: float, said: list[np.ndarray]) -> str:
    """Start the process, kill it after a while, and say what it left."""
    command = [sys.executable, __file__, "--save", os.fspath(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    try:
        predicted = skmeta.load(path).predict(ROWS)
    except skmeta.PersistenceError as error:
        return f"BROKEN: {error}"
    for name, expected in zip(("first model", "second model"), said, strict=True):
        if np.array_equal(predicted, expected):
            return f"complete, {name}"
    return "BROKEN: another model"


if __name__ == "__main__":
    main()

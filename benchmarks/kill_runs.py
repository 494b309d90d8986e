"""Kill meta-training and searches at random moments: what resumes ends as if nothing had happened.

    python benchmarks/kill_runs.py --kills 50

Training writes a checkpoint after each epoch. It is killed with SIGKILL after a random time and
started again, until it ends; then the next one begins. Each has to end with the weights, to the
bit, of one that was never killed. A search keeps its trials in SQLite. It is killed and started
again in the same way; when it ends, each of its trials has a score or was run again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

N_TRIALS = 30


def train(checkpoint: str) -> str:
    """Meta-train with a checkpoint, and return a digest of the weights."""
    import torch

    from skmeta import MAMLRegressor
    from skmeta.datasets import make_sinusoid_tasks

    torch.set_num_threads(1)
    tasks = make_sinusoid_tasks(40, random_state=0)
    meta = MAMLRegressor(max_epochs=400, random_state=0, checkpoint=checkpoint).fit(tasks)
    parts = [p.detach().numpy().tobytes() for p in meta.net_.module_.parameters()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def search(path: str) -> str:
    """Search with a storage, and return how its trials ended."""
    import optuna
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    from skmeta import MetaSearchCV

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = MetaSearchCV(
        LogisticRegression(max_iter=500),
        {"C": optuna.distributions.FloatDistribution(1e-3, 1e3, log=True)},
        n_trials=N_TRIALS,
        storage=f"sqlite:///{path}",
        study_name="iris",
        random_state=0,
    ).fit(*load_iris(return_X_y=True))
    return f"{len(found.cv_results_['params'])} trials"


RUNS = {"train": train, "search": search}


def start(kind: str, path: Path) -> subprocess.Popen:
    command = [sys.executable, __file__, "--run", kind, os.fspath(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed_runs(kind: str, n_kills: int, folder: Path, rng: random.Random) -> Counter:
    """Kill runs of one kind so many times, and compare how they end."""
    begin = time.perf_counter()
    expected = start(kind, folder / f"{kind}_whole").communicate()[0].strip()
    seconds = time.perf_counter() - begin
    results: Counter = Counter()
    number = 0
    while results["kills"] < n_kills:
        process = start(kind, folder / f"{kind}_{number}")
        try:
            out, _ = process.communicate(timeout=rng.uniform(0.3, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            results["kills"] += 1
            continue
        same = process.returncode == 0 and out.strip() == expected
        results["ended as if never killed" if same else f"DIFFERENT: {out.strip()[:60]}"] += 1
        number += 1
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(RUNS[options.run[0]](options.run[1]))
        return
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        for kind in RUNS:
            for result, count in sorted(
                killed_runs(kind, options.kills, Path(folder), rng).items()
            ):
                print(f"{kind:8}{result:60}{count:5}", flush=True)


if __name__ == "__main__":
    main()

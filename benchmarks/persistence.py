"""Size and speed of `skmeta.save` and `skmeta.load` beside joblib, for a learner of each sort.

    python benchmarks/persistence.py

Times are medians over repeats in one process, in milliseconds; libraries are loaded before. Saving
includes making sure that the file is on the disk, which joblib does not do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

import skmeta
from skmeta.datasets import make_linear_tasks


def learners() -> dict[str, Any]:
    """Small ones and large ones."""
    return {
        "MetaRidgeRegressor": skmeta.MetaRidgeRegressor(),
        "MetaSVR": skmeta.MetaSVR(),
        "MetaBoostingRegressor": skmeta.MetaBoostingRegressor(random_state=0),
        "MetaForestRegressor": skmeta.MetaForestRegressor(random_state=0),
        "PooledRegressor(HistGradientBoosting)": skmeta.PooledRegressor(
            HistGradientBoostingRegressor(random_state=0)
        ),
        "MAMLRegressor": skmeta.MAMLRegressor(max_epochs=2, random_state=0),
        "HyperNetworkRegressor": skmeta.HyperNetworkRegressor(max_epochs=2, random_state=0),
    }


def milliseconds(job: Callable[[], Any], repeats: int) -> float:
    """Median time of a job, after one for warming up."""
    job()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        job()
        times.append(time.perf_counter() - begin)
    return 1e3 * float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    tasks = make_linear_tasks(100, 30, 5, noise=0.1, random_state=0)
    heads = ("kB", "joblib", "save ms", "joblib", "load ms", "joblib")
    print(f"{'adapted model':40}" + "".join(f"{head:>9}" for head in heads))
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = Path(name) / "ours", Path(name) / "theirs"
        for learner_name, learner in learners().items():
            model = learner.fit(tasks[:90]).fit_adapt(tasks[95].X[:10], tasks[95].y[:10])
            saving = (
                milliseconds(lambda model=model: skmeta.save(model, ours), repeats),
                milliseconds(lambda model=model: joblib.dump(model, theirs), repeats),
            )
            loading = (
                milliseconds(lambda: skmeta.load(ours), repeats),
                milliseconds(lambda: joblib.load(theirs), repeats),
            )
            X = tasks[95].X
            assert np.array_equal(skmeta.load(ours).predict(X), model.predict(X))
            sizes = [path.stat().st_size / 1e3 for path in (ours, theirs)]
            numbers = [f"{n:9.1f}" for n in (*sizes, *saving, *loading)]
            print(f"{learner_name:40}" + "".join(numbers), flush=True)


if __name__ == "__main__":
    main()

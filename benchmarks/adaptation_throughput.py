"""How many tasks of ten rows each learner adapts to in a second, all at once.

    OMP_NUM_THREADS=1 python benchmarks/adaptation_throughput.py

Every meta-learner of the package (`all_meta_learners()`, with its defaults, trained for one epoch
where it is trained by epochs) adapts to 10,000 tasks of 10 rows and 3 features by
`fit_adapt_many`. Neither training nor prediction is timed; the time of predicting ten rows of 100
adapted models is printed beside it, as learners may put their work off. For comparison,
scikit-learn's `Ridge` and `LogisticRegression` are fitted to the same tasks in a loop. A learner
that takes longer than `--seconds` on a hundredth of the tasks is not given the rest.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression, Ridge

from skmeta import TaskCollection
from skmeta.datasets import make_linear_tasks
from skmeta.testing import all_meta_learners

N_ROWS, N_FEATURES, N_TRAIN = 10, 3, 50


def make_tasks(n_tasks: int, classes: bool, seed: int) -> TaskCollection:
    """Linear tasks; the classes of a task are the signs of its target around the median."""
    tasks = make_linear_tasks(n_tasks, N_ROWS, N_FEATURES, noise=0.1, random_state=seed)
    if not classes:
        return tasks
    y = tasks.y.reshape(n_tasks, N_ROWS)
    return tasks.with_storage(y=(y > np.median(y, axis=1, keepdims=True)).ravel().astype(int))


def seconds(function: Callable[[], Any]) -> float:
    """Time of one core that a call takes, whatever else runs on the machine."""
    start = time.process_time()
    function()
    return time.process_time() - start


def predicting(models: list, X: np.ndarray) -> float:
    """Milliseconds to predict ten rows with one model."""
    return 1000 * seconds(lambda: [model.predict(X) for model in models]) / len(models)


def measure(name: str, cls: type, tasks: TaskCollection, limit: float) -> str:
    """One line of the table."""
    meta = cls()
    if "max_epochs" in meta.get_params():
        meta.set_params(max_epochs=1)
    meta.fit(make_tasks(N_TRAIN, is_classifier(meta), seed=1))
    few = tasks[: max(len(tasks) // 100, 1)]
    meta.fit_adapt_many(few)  # what is done once is not timed
    duration, n_done = seconds(lambda: meta.fit_adapt_many(few)), len(few)
    if duration <= limit:
        duration, n_done = seconds(lambda: meta.fit_adapt_many(tasks)), len(tasks)
    predict = predicting(meta.fit_adapt_many(few[:100]), tasks.X[:N_ROWS])
    return f"{name:32} {n_done / duration:10.0f} tasks/s {predict:8.2f} ms  ({n_done} tasks)"


def measure_loop(model: Any, tasks: TaskCollection) -> str:
    """The same for scikit-learn's models, fitted one after the other."""
    fitted = [type(model)() for _ in range(len(tasks))]
    loop = zip(fitted, tasks, strict=True)
    duration = seconds(lambda: [model.fit(task.X, task.y) for model, task in loop])
    predict = predicting(fitted[:100], tasks.X[:N_ROWS])
    name = f"{type(model).__name__} in a loop"
    return (
        f"{name:32} {len(tasks) / duration:10.0f} tasks/s {predict:8.2f} ms  ({len(tasks)} tasks)"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", nargs="*", default=None, help="names; all by default")
    parser.add_argument("--n-tasks", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10, help="for a hundredth of the tasks")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of learners that one epoch has not trained well
    tasks = {kind: make_tasks(args.n_tasks, kind, seed=0) for kind in (False, True)}
    print(f"torch {torch.__version__}, 1 thread, {args.n_tasks} tasks of {N_ROWS} rows")
    print(measure_loop(Ridge(), tasks[False]), flush=True)
    print(measure_loop(LogisticRegression(), tasks[True]), flush=True)
    for name, cls in all_meta_learners():
        if args.learners is None or name in args.learners:
            print(measure(name, cls, tasks[is_classifier(cls())], args.seconds), flush=True)


if __name__ == "__main__":
    main()

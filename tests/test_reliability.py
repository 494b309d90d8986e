"""Processes and leaks: what happens to a fitted learner that is used a lot, and in many places.

Threads are a check of the conformance suite, and run for every learner there.
"""

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from joblib import Parallel, delayed

import skmeta
from skmeta import (
    DeepKernelRegressor,
    MAMLRegressor,
    MetaBoostingRegressor,
    MetaForestRegressor,
    MetaRidgeRegressor,
    MetaSVR,
    NeuralProcessRegressor,
    RidgeHeadRegressor,
)
from skmeta.datasets import make_linear_tasks

TASKS = make_linear_tasks(12, 8, 2, noise=0.1, random_state=0)
ROWS = TASKS.X[:5]

LEARNERS = {
    "gradient steps": MAMLRegressor(max_epochs=1, n_steps=1, random_state=0),
    "a closed form": RidgeHeadRegressor(max_epochs=1, random_state=0),
    "a Gaussian process": DeepKernelRegressor(max_epochs=1, random_state=0),
    "an encoder": NeuralProcessRegressor(max_epochs=1, random_state=0),
    "a linear model": MetaRidgeRegressor(),
    "trees": MetaForestRegressor(n_estimators=2, random_state=0),
    "a support vector machine": MetaSVR(C=1.0, gamma=0.5, trust=1.0),
    "boosting": MetaBoostingRegressor(prior="linear", random_state=0),
}


@pytest.fixture(scope="module")
def fitted():
    """Each learner fitted once."""
    found = {}

    def get(name):
        if name not in found:
            found[name] = LEARNERS[name].fit(TASKS)
        return found[name]

    return get


def adapt_and_predict(meta, task):
    return meta.fit_adapt(task.X, task.y).predict(ROWS)


def test_worker_processes(fitted):
    jobs = [(fitted(name), task) for name in LEARNERS for task in TASKS[:2]]
    there = Parallel(n_jobs=2, backend="loky")(delayed(adapt_and_predict)(*job) for job in jobs)
    for job, found in zip(jobs, there, strict=True):
        np.testing.assert_allclose(found, adapt_and_predict(*job), rtol=1e-9, atol=1e-12)


# A process of its own, as it starts torch's threads. They are not there in a forked child, which
# would wait for them for ever if it did not say that it wants one thread.
FORK = """
import multiprocessing, sys
import numpy as np, torch
from skmeta import MAMLRegressor
from skmeta.datasets import make_linear_tasks

torch.set_num_threads(2)
rows = torch.randn(500, 500)
rows @ rows
tasks = make_linear_tasks(12, 8, 2, random_state=0)
meta = MAMLRegressor(max_epochs=1, random_state=0).fit(tasks)

def predict():
    return meta.fit_adapt(tasks[0].X, tasks[0].y).predict(tasks[1].X)

def child(queue):
    torch.set_num_threads(1)
    rows @ rows
    queue.put(predict())

expected = predict()
context = multiprocessing.get_context("fork")
queue = context.Queue()
children = [context.Process(target=child, args=(queue,)) for _ in range(3)]
for process in children:
    process.start()
for _ in children:
    np.testing.assert_allclose(queue.get(timeout=100), expected)
"""


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="the platform cannot fork"
)
def test_forked_processes():
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, timeout=200, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------------- leaks

N_ADAPTATIONS = 1000
# Bytes of an adaptation. What is traced is not quite nothing: the table of all classes, to which
# scikit-learn's routing adds one with each call, grows once by 150 KB. They are collected later.
MOST_OF_PROCESS, MOST_TRACED = 2000, 600
WITH_TENSORS = ("gradient steps", "a closed form")  # which are not traced


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc to read memory from")
@pytest.mark.parametrize(
    "name", ["gradient steps", "a closed form", "a linear model", "trees", "boosting"]
)
def test_adaptations_leave_nothing_behind(name, fitted, tmp_path):
    path = tmp_path / "learner.skmeta"
    skmeta.save(fitted(name), path)
    script = Path(__file__).with_name("adapt_many_times.py")
    command = [sys.executable, script, path, str(N_ADAPTATIONS)]
    done = subprocess.run(command, timeout=500, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    growth = json.loads(done.stdout)
    assert growth["dropped"]["process"] < MOST_OF_PROCESS
    assert growth["dropped"]["traced"] < MOST_TRACED
    # Models that are kept are a leak, and are found.
    assert growth["kept"]["traced"] > MOST_TRACED
    if name in WITH_TENSORS:
        assert growth["kept"]["process"] > MOST_OF_PROCESS

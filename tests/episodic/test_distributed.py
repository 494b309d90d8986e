"""Two processes that train together find what one process finds, to rounding."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import distributed

from skmeta import MAMLRegressor
from skmeta.datasets import make_linear_tasks
from skmeta.episodic import EpisodeDataset, EpisodicNet

FOLDER = Path(__file__).parent
if not (distributed.is_available() and distributed.is_gloo_available()):
    pytest.skip("torch was built without gloo", allow_module_level=True)


def start_together(script, folder, count=2):
    """Run a script in several processes that know of each other, and read what each saves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(FOLDER / script), str(rank), str(count), port, str(folder)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(count)
    ]
    try:
        errors = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, error in zip(processes, errors, strict=True):
        assert process.returncode == 0, error
    return [np.load(folder / f"{rank}.npz") for rank in range(count)]


def load(script):
    spec = importlib.util.spec_from_file_location(script.removesuffix(".py"), FOLDER / script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    return start_together("train_together.py", tmp_path_factory.mktemp("together"))


@pytest.mark.parametrize("name", ["maml", "early stopping", "many steps", "reptile", "prototypes"])
def test_two_processes_equal_one(together, name, tmp_path):
    script = load("train_together.py")
    learner, tasks = script.learners(tmp_path)[name]
    alone = learner.fit(tasks)
    first, second = together
    np.testing.assert_array_equal(first[name], second[name])
    np.testing.assert_allclose(first[name], script.weights(alone.net_), rtol=1e-3, atol=2e-5)
    losses = alone.net_.history_[:, "train_loss"]
    np.testing.assert_allclose(first[f"{name}, losses"], losses, rtol=1e-4)
    assert np.abs(script.weights(alone.net_)).max() > 0.1


def test_the_net_trains_with_accelerate_as_well(together):
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    script = load("train_together.py")
    alone = script.make_net(EpisodicNet).partial_fit(EpisodeDataset(script.TASKS[:20], 4, 4))
    first, second = together
    np.testing.assert_array_equal(first["accelerate"], second["accelerate"])
    np.testing.assert_allclose(first["accelerate"], script.weights(alone), rtol=1e-3, atol=2e-5)


def test_running_averages_are_the_same_in_all_processes(together):
    first, second = together
    np.testing.assert_array_equal(first["averages"], second["averages"])
    assert np.ptp(first["averages"]) > 0


def test_processes_with_different_tasks_are_refused(together):
    for found in together:
        assert "need the same tasks" in str(found["refused"])


def test_what_is_missing_is_said():
    tasks = make_linear_tasks(5, random_state=0)
    with pytest.raises(RuntimeError, match="start the script with torchrun"):
        MAMLRegressor(distributed=True, random_state=0).fit(tasks)
    with pytest.raises(ValueError, match="several processes, random_state must be an integer"):
        MAMLRegressor(distributed=True).fit(tasks)

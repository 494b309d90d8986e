"""Generated collections."""

import numpy as np
import pytest

from skmeta.datasets import make_linear_tasks, make_sinusoid_tasks


def test_sinusoids_are_those_of_the_paper():
    tasks = make_sinusoid_tasks(2000, 50, random_state=0)
    assert tasks.shape == (2000,)
    assert np.abs(tasks.X).max() <= 5
    largest = np.abs(tasks.y.reshape(2000, 50)).max(axis=1)
    assert largest.max() <= 5
    assert abs(largest.mean() - 2.55) < 0.1
    task = tasks[3]
    waves = np.column_stack([np.sin(task.X), np.cos(task.X)])
    assert np.linalg.lstsq(waves, task.y)[1] < 1e-20


def test_linear_tasks_are_lines_around_a_common_one():
    tasks = make_linear_tasks(400, 10, 2, spread=0.5, noise=0.0, random_state=0)
    weights = np.array([np.linalg.lstsq(np.c_[np.ones(10), task.X], task.y)[0] for task in tasks])
    assert np.abs(weights.std(axis=0) - 0.5).max() < 0.05


@pytest.mark.parametrize("make", [make_sinusoid_tasks, make_linear_tasks])
def test_seeds(make):
    assert np.array_equal(make(5, random_state=0).y, make(5, random_state=0).y)
    assert not np.array_equal(make(5, random_state=0).y, make(5, random_state=1).y)
    with pytest.raises(ValueError, match="n_tasks"):
        make(0)

"""Tasks whose right answer is a tree."""

import numpy as np

from skmeta import TaskCollection


def make_tree_tasks(n_tasks=60, n_rows=30, *, noise=0.3, spread=(1.0, 0.5, 0.7), seed=0):
    """Steps on four quarters of a square, moved for each task by effects of all nodes.

    Returns the tasks, and the noise-free target of a row in each task: a function of (task, X).
    """
    rng = np.random.default_rng(seed)
    shared = np.array([-6.0, -2.0, 2.0, 6.0])
    effects = [
        np.repeat(s * rng.normal(size=(n_tasks, 2**d)), 4 // 2**d, axis=1)
        for d, s in enumerate(spread)
    ]
    values = shared + sum(effects)
    X = rng.uniform(-1, 1, size=(n_tasks * n_rows, 2))
    task = np.repeat(np.arange(n_tasks), n_rows)

    def truth(task, X):
        return values[task, 2 * (X[:, 0] > 0) + (X[:, 1] > 0)]

    y = truth(task, X) + noise * rng.normal(size=len(X))
    return TaskCollection(X, y, np.arange(n_tasks + 1) * n_rows), truth


def make_drifting_tasks(correlation, n_tasks=60, n_rows=60, n_first=20, *, noise=0.3, seed=0):
    """A step that tasks share, and a level of each task that is another one after the first rows.

    No column tells the time. `correlation` is that of the two levels of a task.
    """
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n_tasks, n_rows, 2))
    first, new = rng.normal(size=(2, n_tasks, 1))
    later = correlation * first + np.sqrt(1 - correlation**2) * new
    level = np.where(np.arange(n_rows) < n_first, first, later)
    y = np.where(X[:, :, 0] > 0, 1.0, -1.0) + level + noise * rng.normal(size=(n_tasks, n_rows))
    return TaskCollection(X.reshape(-1, 2), y.ravel(), np.arange(n_tasks + 1) * n_rows)


def as_classes(tasks, scale=1.0, seed=0):
    """The same rows with classes whose log odds are the target."""
    rng = np.random.default_rng(seed)
    is_ill = rng.logistic(size=len(tasks.y)) < scale * tasks.y
    return tasks.with_storage(y=np.where(is_ill, "ill", "a well"))

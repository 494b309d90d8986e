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


def as_classes(tasks, scale=1.0, seed=0):
    """The same rows with classes whose log odds are the target."""
    rng = np.random.default_rng(seed)
    is_ill = rng.logistic(size=len(tasks.y)) < scale * tasks.y
    return tasks.with_storage(y=np.where(is_ill, "ill", "a well"))

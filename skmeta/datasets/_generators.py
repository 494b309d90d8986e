"""Generated collections whose right answer is known."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skmeta.tasks import TaskCollection

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")


@validate_params(
    {
        "n_tasks": [_AT_LEAST_ONE],
        "n_rows": [_AT_LEAST_ONE],
        "noise": [_NOT_NEGATIVE],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_sinusoid_tasks(
    n_tasks: int = 1000, n_rows: int = 20, *, noise: float = 0.0, random_state: Any = None
) -> TaskCollection:
    """Sine waves of different amplitude and phase: the regression problem of the MAML paper.

    A task is y = a sin(x - p) with a uniform on [0.1, 5], p on [0, pi] and x on [-5, 5].

    Parameters
    ----------
    n_tasks : int, default=1000
    n_rows : int, default=20
        Rows of each task.
    noise : float, default=0.0
        Standard deviation of Gaussian noise on y.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    tasks : TaskCollection

    References
    ----------
    .. [1] Finn, Abbeel & Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML. Section 5.1.

    Examples
    --------
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> make_sinusoid_tasks(n_tasks=3, n_rows=10, random_state=0)
    TaskCollection(n_tasks=3, n_rows=30, n_features=1)
    """
    rng = check_random_state(random_state)
    amplitude = rng.uniform(0.1, 5.0, size=(n_tasks, 1))
    phase = rng.uniform(0.0, np.pi, size=(n_tasks, 1))
    x = rng.uniform(-5.0, 5.0, size=(n_tasks, n_rows))
    y = amplitude * np.sin(x - phase) + noise * rng.standard_normal(x.shape)
    return TaskCollection(x.reshape(-1, 1), y.ravel(), np.arange(n_tasks + 1) * n_rows)


@validate_params(
    {
        "n_tasks": [_AT_LEAST_ONE],
        "n_rows": [_AT_LEAST_ONE],
        "n_features": [_AT_LEAST_ONE],
        "spread": [_NOT_NEGATIVE],
        "noise": [_NOT_NEGATIVE],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_linear_tasks(
    n_tasks: int = 100,
    n_rows: int = 20,
    n_features: int = 3,
    *,
    spread: float = 0.5,
    noise: float = 0.1,
    random_state: Any = None,
) -> TaskCollection:
    """Linear tasks whose weights are drawn around common ones: a linear mixed model.

    Weights (and intercept) of a task are normal with a common mean, itself standard normal, and
    standard deviation `spread`; rows are standard normal.

    Parameters
    ----------
    n_tasks : int, default=100
    n_rows : int, default=20
        Rows of each task.
    n_features : int, default=3
    spread : float, default=0.5
        Standard deviation of a task's weights around the common ones.
    noise : float, default=0.1
        Standard deviation of Gaussian noise on y.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    tasks : TaskCollection

    Examples
    --------
    >>> from skmeta.datasets import make_linear_tasks
    >>> make_linear_tasks(n_tasks=5, random_state=0)
    TaskCollection(n_tasks=5, n_rows=100, n_features=3)
    """
    rng = check_random_state(random_state)
    mean = rng.standard_normal(n_features + 1)
    weights = mean + spread * rng.standard_normal((n_tasks, n_features + 1))
    X = rng.standard_normal((n_tasks, n_rows, n_features))
    y = weights[:, :1] + np.einsum("tnd,td->tn", X, weights[:, 1:])
    y += noise * rng.standard_normal(y.shape)
    return TaskCollection(X.reshape(-1, n_features), y.ravel(), np.arange(n_tasks + 1) * n_rows)

"""Which learners are worth trying on a problem, cheap ones first."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from skmeta.ensemble._boosting_classifier import MetaBoostingClassifier
from skmeta.ensemble._boosting_regressor import MetaBoostingRegressor
from skmeta.ensemble._pooled_learner import PooledClassifier, PooledRegressor
from skmeta.linear_model import MetaLogisticRegression, MetaRidgeRegressor
from skmeta.linear_model._base import is_too_wide
from skmeta.svm import MetaSVR
from skmeta.tasks import TaskCollection
from skmeta.tree import MetaForestClassifier, MetaForestRegressor

Candidates = list[tuple[str, Any]]
Strategy = Literal["random", "first"]

# Below, what differs between learners drowns in the noise between tasks: the simple ones are tried.
_FEW_TASKS = 10
_FEW_ROWS = 100
# Up to here, time is no object: learners are fitted on more of the tasks, as in the end. Support
# vectors are tried as well, whose cost grows faster than what they add.
_MANY_ROWS = 2000
# Gain in log evidence per row at which a logistic mixed model is good enough to be weighed; its
# default takes twice as long for what is not seen in predictions.
_TOL = 1e-4
# Logits that processes of classes are learned from. A row has one less than there are classes, and
# more of them take minutes without better predictions.
_MAX_LOGITS = 8000


def regressors(
    tasks: TaskCollection, *, support_strategy: Strategy = "random", random_state: int = 0
) -> Candidates:
    """Candidates for a numeric target.

    Parameters
    ----------
    tasks : TaskCollection
        Training tasks.
    support_strategy : {"random", "first"}, default="random"
        How supports come, for candidates that validate something themselves.
    random_state : int, default=0
        Seed of the candidates.

    Returns
    -------
    candidates : list of (str, meta-learner)
        Cheap ones first.
    """
    found: Candidates = [("pooled linear", PooledRegressor("linear"))]
    if not is_too_wide(len(tasks), tasks.X.shape[1] + 1):
        found.append(("linear mixed model", MetaRidgeRegressor()))
    if is_small(tasks):
        return found
    found.append(("pooled boosting", PooledRegressor("boosting")))
    if tasks.n_rows <= _MANY_ROWS:
        found.append(("support vectors", MetaSVR()))
    options: dict[str, Any] = {"support_strategy": support_strategy, "random_state": random_state}
    return [
        *found,
        ("forest", MetaForestRegressor(**options)),
        ("boosting and processes", MetaBoostingRegressor(**options)),
    ]


def classifiers(
    tasks: TaskCollection, *, support_strategy: Strategy = "random", random_state: int = 0
) -> Candidates:
    """Candidates for classes; the parameters are those of :func:`regressors`."""
    n_free = max(len(np.unique(tasks.y)) - 1, 1)
    found: Candidates = [("pooled linear", PooledClassifier("linear"))]
    if not is_too_wide(len(tasks), n_free * (tasks.X.shape[1] + 1)):
        found.append(("logistic mixed model", MetaLogisticRegression(tol=_TOL)))
    if is_small(tasks):
        return found
    options: dict[str, Any] = {"support_strategy": support_strategy, "random_state": random_state}
    max_kernel_rows = max(_MAX_LOGITS // n_free, _FEW_ROWS)
    boosting = MetaBoostingClassifier(max_kernel_rows=max_kernel_rows, **options)
    return [
        *found,
        ("pooled boosting", PooledClassifier("boosting")),
        ("forest", MetaForestClassifier(**options)),
        ("boosting and processes", boosting),
    ]


def is_small(tasks: TaskCollection) -> bool:
    """Whether there is too little to tell more than the simplest learners apart."""
    return len(tasks) < _FEW_TASKS or tasks.n_rows < _FEW_ROWS


def n_folds(tasks: TaskCollection) -> int:
    """Folds over tasks in which candidates are compared."""
    return 5 if tasks.n_rows <= _MANY_ROWS else 3

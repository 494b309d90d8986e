"""Which learners are worth trying on a problem, cheap ones first."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from skmeta.ensemble._boosting_classifier import MetaBoostingClassifier
from skmeta.ensemble._boosting_regressor import MetaBoostingRegressor
from skmeta.ensemble._pooled_learner import PooledClassifier, PooledRegressor
from skmeta.linear_model import MetaLogisticRegression, MetaRidgeRegressor
from skmeta.svm import MetaSVR
from skmeta.tasks import TaskCollection
from skmeta.tree import MetaForestClassifier, MetaForestRegressor

Candidates = list[tuple[str, Any]]
Strategy = Literal["random", "first"]

# Below, what differs between learners drowns in the noise between tasks: the simple ones are tried.
_FEW_TASKS = 10
_FEW_ROWS = 100
# Up to here, time is no object: learners that are expensive for their size are tried too, and each
# is fitted on more of the tasks, as it will be in the end.
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
    found: Candidates = [
        ("pooled linear", PooledRegressor("linear")),
        ("linear mixed model", MetaRidgeRegressor()),
    ]
    if is_small(tasks):
        return found
    found += [("pooled boosting", PooledRegressor("boosting")), ("support vectors", MetaSVR())]
    if tasks.n_rows <= _MANY_ROWS:
        forest = MetaForestRegressor(support_strategy=support_strategy, random_state=random_state)
        found.append(("forest", forest))
    boosting = MetaBoostingRegressor(support_strategy=support_strategy, random_state=random_state)
    return [*found, ("boosting and processes", boosting)]


def classifiers(
    tasks: TaskCollection, *, support_strategy: Strategy = "random", random_state: int = 0
) -> Candidates:
    """Candidates for classes; the parameters are those of :func:`regressors`."""
    found: Candidates = [
        ("pooled linear", PooledClassifier("linear")),
        ("logistic mixed model", MetaLogisticRegression(tol=_TOL)),
    ]
    if is_small(tasks):
        return found
    found.append(("pooled boosting", PooledClassifier("boosting")))
    if tasks.n_rows <= _MANY_ROWS:
        forest = MetaForestClassifier(support_strategy=support_strategy, random_state=random_state)
        found.append(("forest", forest))
    n_free = max(len(np.unique(tasks.y)) - 1, 1)
    boosting = MetaBoostingClassifier(
        support_strategy=support_strategy,
        max_kernel_rows=max(_MAX_LOGITS // n_free, _FEW_ROWS),
        random_state=random_state,
    )
    return [*found, ("boosting and processes", boosting)]


def is_small(tasks: TaskCollection) -> bool:
    """Whether there is too little to tell more than the simplest learners apart."""
    return len(tasks) < _FEW_TASKS or tasks.n_rows < _FEW_ROWS


def n_folds(tasks: TaskCollection) -> int:
    """Folds over tasks in which candidates are compared."""
    return 5 if tasks.n_rows <= _MANY_ROWS else 3

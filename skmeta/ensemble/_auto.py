"""Meta-learners that choose and weigh their own candidates: which one suits the problem?"""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal

from sklearn.utils._param_validation import Interval

from skmeta.base._docstrings import fill_docstring
from skmeta.ensemble._candidates import classifiers, n_folds, regressors
from skmeta.ensemble._stacking import _ClassifierMixture, _RegressorMixture
from skmeta.ensemble._stacking_base import BaseStacking, Candidates
from skmeta.tasks import TaskCollection


class _BaseAuto(BaseStacking):
    """A stack that picks its candidates by the kind and size of the problem."""

    _parameter_constraints: ClassVar[dict] = {
        **{
            name: constraint
            for name, constraint in BaseStacking._parameter_constraints.items()
            if name not in ("shots", "n_folds", "guard")
        },
        "time_budget": [Interval(Real, 0, None, closed="neither"), None],
    }
    _shared_docs: ClassVar[dict] = {
        "time_budget": """
            time_budget : float or None, default=None
                Seconds to spend on the candidates. They are tried from cheap to expensive, and none
                is begun once so much time is gone that fitting again on all tasks would exceed it;
                the first one is always tried. What is tried then depends on the machine, and a run
                may not repeat. None tries all, which does repeat.""",
    }

    shots = (0, 2, 5, 10, 20)
    guard = True

    def __init__(
        self,
        *,
        support_strategy: Literal["random", "first"] = "random",
        time_budget: float | None = None,
        preprocessor: Any = "auto",
        random_state: int = 0,
    ):
        self.support_strategy = support_strategy
        self.time_budget = time_budget
        self.preprocessor = preprocessor
        self.random_state = random_state

    def _n_folds(self, tasks: TaskCollection) -> int:
        return n_folds(tasks)

    def _reason_to_stop(self, seconds: float, n_folds: int) -> str | None:
        # Fitting on all tasks in the end takes about as long as one fold did.
        if self.time_budget is None or seconds * (1 + 1 / n_folds) < self.time_budget:
            return None
        return f"{self.time_budget:g} s were spent"


@fill_docstring
class AutoMetaRegressor(_RegressorMixture, _BaseAuto):
    """Finds out which meta-learners suit a problem, and weighs them: regression.

    A :class:`MetaStackingRegressor` that brings its candidates along: pooled models that ignore the
    support, linear mixed models, forests and boosting, each with its own
    defaults. Few tasks or rows, which cannot tell elaborate learners apart, get the simple ones
    only. Candidates are scored on training tasks that they have not seen, weighed at each number of
    shots, and guarded against being worse than the best pooled model. `report_` says what each
    scored, which was chosen and why.

    Parameters
    ----------
    {{support_strategy}}
    {{time_budget}}
    {{preprocessor}}
    {{random_state}}

    Attributes
    ----------
    {{estimators_}}
    {{named_estimators_}}
    {{shots_}}
    {{weights_}}
    {{report_}}
    {{common_attributes}}

    See Also
    --------
    MetaStackingRegressor : The same with candidates of your choice; explains the weights.

    Examples
    --------
    >>> from skmeta import AutoMetaRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=12, n_rows=8, random_state=0)
    >>> meta = AutoMetaRegressor().fit(tasks[:9])
    >>> meta.report_.best
    'linear mixed model'
    >>> model = meta.fit_adapt(tasks[10].X[:5], tasks[10].y[:5])
    >>> mean, std = model.predict(tasks[10].X[5:], return_std=True)
    """

    def _candidates(self, tasks: TaskCollection) -> Candidates:
        return regressors(
            tasks, support_strategy=self.support_strategy, random_state=self.random_state
        )


@fill_docstring
class AutoMetaClassifier(_ClassifierMixture, _BaseAuto):
    """Finds out which meta-learners suit a problem, and weighs them: classification.

    A :class:`MetaStackingClassifier` that brings its candidates along: pooled models that ignore
    the support, logistic mixed models, forests and boosting, each with its
    own defaults. Few tasks or rows, which cannot tell elaborate learners apart, get the simple ones
    only. Candidates are scored on training tasks that they have not seen, weighed at each number of
    shots, and guarded against being worse than the best pooled model. `report_` says what each
    scored, which was chosen and why.

    Parameters
    ----------
    {{support_strategy}}
    {{time_budget}}
    {{preprocessor}}
    {{random_state}}

    Attributes
    ----------
    {{classes_}}
    estimators_ : list of meta-learner or None
        The candidates, fitted on all tasks; None for those without weight. Their classes are codes,
        which number `classes_`.
    {{named_estimators_}}
    {{shots_}}
    weights_ : ndarray of shape (n_shots, n_candidates)
        Weights at these numbers; they need not have the sum one.
    {{report_}}
    {{common_attributes}}

    See Also
    --------
    MetaStackingClassifier : The same with candidates of your choice; explains the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta import AutoMetaClassifier
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=12, n_rows=8, random_state=0)
    >>> tasks = tasks.with_storage(y=np.where(tasks.y > 0, "ill", "well"))
    >>> meta = AutoMetaClassifier().fit(tasks[:9])
    >>> meta.report_.names
    ['pooled linear', 'logistic mixed model']
    >>> meta.fit_adapt(tasks[10].X[:5], tasks[10].y[:5]).predict_proba(tasks[10].X[5:]).shape
    (3, 2)
    """

    def _candidates(self, tasks: TaskCollection) -> Candidates:
        return classifiers(
            tasks, support_strategy=self.support_strategy, random_state=self.random_state
        )

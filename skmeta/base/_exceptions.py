"""Errors of our own."""

from collections.abc import Sequence
from typing import Any


class TrainingDivergedError(ArithmeticError):
    """The loss of a learner, or what it adapted to a task, became NaN or infinite.

    The learner keeps the weights of the last epoch whose loss was finite and can be used; the
    message says what to try.

    Parameters
    ----------
    message : str
    tasks : sequence of int, default=()
        Positions of the tasks that adapting diverged on, among those given to `fit_adapt_many`.

    Attributes
    ----------
    tasks : tuple of int
        The same; empty if it was training that diverged.

    Examples
    --------
    >>> from skmeta import MAMLRegressor, TrainingDivergedError
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> meta = MAMLRegressor(inner_lr=1e9, max_epochs=2, random_state=0)
    >>> try:
    ...     meta.fit(make_sinusoid_tasks(n_tasks=20, random_state=0))
    ... except TrainingDivergedError as error:
    ...     print(error)
    The loss ...
    """

    def __init__(self, message: str = "", tasks: Sequence[int] = ()):
        super().__init__(message)
        self.tasks = tuple(tasks)


class TrainingInterrupted(KeyboardInterrupt):
    """Training was stopped by Ctrl-C, and the learner can be used as it is.

    Only a fit that is a part of another one raises it; otherwise it becomes a warning.

    Parameters
    ----------
    message : str
    learner : meta-learner
        Whose training it was.
    """

    def __init__(self, message: str, learner: Any):
        super().__init__(message)
        self.learner = learner

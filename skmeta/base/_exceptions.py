"""Errors of our own."""


class TrainingDivergedError(ArithmeticError):
    """The loss of a learner became NaN or infinite.

    The learner keeps the weights of the last epoch whose loss was finite and can be used; the
    message says what to try.

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

"""Errors of our own."""


class TrainingDivergedError(ArithmeticError):
    """The loss of a learner became NaN or infinite.

    The learner keeps the weights of the last epoch whose loss was finite and can be used; the
    message says what to try.
    """

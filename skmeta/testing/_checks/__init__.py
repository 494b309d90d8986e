"""Our own checks. Each takes the name and an unfitted instance, which it does not change."""

from skmeta.testing._checks import _adapting, _classes, _errors, _habits, _learning

ALL = [*_adapting.CHECKS, *_learning.CHECKS, *_habits.CHECKS, *_errors.CHECKS]
OF_CLASSIFIERS = _classes.CHECKS

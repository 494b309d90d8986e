"""Running the conformance suite on one meta-learner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sklearn.base import clone, is_classifier
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from skmeta.testing import _checks


def check_meta_learner(
    estimator: Any, *, generate_only: bool = False
) -> Iterator[tuple[Any, Callable]] | None:
    """Check that an estimator keeps every promise of a meta-learner.

    Runs scikit-learn's `check_estimator` and then our own checks: adapting leaves the learner
    unchanged and gives the same result in any order, at once or one by one, and from several
    threads; storage order does not matter; seeds, pickles and clones; supports of one row or one
    class; zero shots; data frames; clear errors.

    Parameters
    ----------
    estimator : meta-learner
        An instance, which is cloned. Choose parameters that make it quick: it is fitted some two
        hundred times.
    generate_only : bool, default=False
        If True, nothing is run but the pairs `(estimator, check)` are generated, for
        `pytest.mark.parametrize`; `check(estimator)` runs one.

    Returns
    -------
    checks : generator of (estimator, callable) or None

    Raises
    ------
    AssertionError
        If a promise is broken.

    Examples
    --------
    >>> from skmeta import PrototypeClassifier
    >>> from skmeta.testing import check_meta_learner
    >>> check_meta_learner(PrototypeClassifier(module=None))
    """
    if generate_only:
        return _generate(estimator)
    check_estimator(estimator, on_skip=None)
    for instance, check in _our_checks(estimator):
        check(instance)
    return None


def _generate(estimator: Any) -> Iterator[tuple[Any, Callable]]:
    yield from estimator_checks_generator(estimator)
    yield from _our_checks(estimator)


def _our_checks(estimator: Any) -> Iterator[tuple[Any, Callable]]:
    for check in _checks.ALL + (_checks.OF_CLASSIFIERS if is_classifier(estimator) else []):
        yield clone(estimator), partial(check, type(estimator).__name__)

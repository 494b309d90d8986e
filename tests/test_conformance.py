"""Every learner of the package keeps every promise; a new learner is tested the day it is added."""

import pytest

from skmeta.testing import all_meta_learners, check_meta_learner


def _quick(cls):
    """The learner with its own defaults, but trained briefly if it is trained by epochs."""
    learner = cls()
    params = learner.get_params()
    if "max_epochs" in params:
        learner.set_params(max_epochs=min(60, params["max_epochs"]))
    return learner


def _variants(cls):
    yield _quick(cls)
    if cls.__name__ == "PrototypeClassifier":
        yield cls(module=None)


CHECKS = [
    pytest.param(estimator, check, id=f"{estimator}-{_name}-{i}")
    for name, cls in all_meta_learners()
    for learner in _variants(cls)
    for i, (estimator, check) in enumerate(check_meta_learner(learner, generate_only=True))
    for _name in [getattr(getattr(check, "func", check), "__name__", "check")]
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_meta_learner(estimator, check):
    check(estimator)


def test_all_meta_learners_are_found_and_public():
    import skmeta

    found = dict(all_meta_learners())
    assert {"MAMLClassifier", "MAMLRegressor", "MetaRidgeRegressor", "PrototypeClassifier"} <= set(
        found
    )
    for name, cls in found.items():
        assert getattr(skmeta, name) is cls

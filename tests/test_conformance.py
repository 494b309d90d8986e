"""Every learner of the package keeps every promise; a new learner is tested the day it is added."""

import pytest
from sklearn.base import clone

from skmeta.testing import all_meta_learners, check_meta_learner


def _variants(cls):
    yield cls()
    if cls.__name__ == "PrototypeClassifier":
        yield cls(module=None)
    if cls.__name__ == "DeepKernelClassifier":
        yield cls(approximation="laplace")


def _quick(learner, check_name):
    """The learner with its own defaults, but trained briefly if it is trained by epochs.

    What is promised holds after any training, except that predictions are good.
    """
    params = learner.get_params()
    if "max_epochs" not in params:
        return learner
    judges = check_name.endswith("_train") or check_name == "check_class_weight_classifiers"
    n_epochs = 60 if judges else 4
    return clone(learner).set_params(max_epochs=min(n_epochs, params["max_epochs"]))


def _checks():
    for name, cls in all_meta_learners():
        for number, learner in enumerate(_variants(cls)):
            for i, (_, check) in enumerate(check_meta_learner(learner, generate_only=True)):
                check_name = getattr(getattr(check, "func", check), "__name__", "check")
                which = f"{name}-{number}-{check_name}-{i}"
                yield pytest.param(_quick(learner, check_name), check, id=which)


CHECKS = list(_checks())


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

"""Every learner of the package can be saved and loaded; a new one is tested the day it is added."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import skmeta
from skmeta.testing import all_meta_learners
from skmeta.testing._checks._tools import fitted, make_tasks, outputs

LEARNERS = dict(all_meta_learners())


def _again(model, folder):
    skmeta.save(model, folder / "model")
    return skmeta.load(folder / "model")


def _same(first, second, X):
    return np.array_equal(outputs(first, X), outputs(second, X))


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner(name, tmp_path):
    learner = LEARNERS[name]()
    if "max_epochs" in learner.get_params():
        learner.set_params(max_epochs=1)
    meta, support, query = fitted(learner)
    adapted = meta.fit_adapt(support[0].X, support[0].y)
    (many,) = meta.fit_adapt_many(support[:1])

    unfitted = _again(learner, tmp_path)
    assert repr(unfitted) == repr(learner)
    meta_again = _again(meta, tmp_path)
    assert type(meta_again) is type(meta)
    assert vars(meta_again).keys() == vars(meta).keys() - {"_callback_fit_ctx"}
    assert _same(meta_again, meta, query[0].X)
    adapted_again = _again(adapted, tmp_path)
    assert _same(adapted_again, adapted, query[0].X)
    assert adapted_again.n_support_ == adapted.n_support_
    assert _same(_again(many, tmp_path), many, query[0].X)
    # What was loaded goes on as what was saved would.
    task = support[1]
    assert _same(meta_again.fit_adapt(task.X, task.y), meta.fit_adapt(task.X, task.y), query[1].X)
    assert _same(adapted_again.fit_adapt(task.X, task.y), meta.fit_adapt(task.X, task.y), task.X)


@pytest.mark.parametrize("name", ["MAMLRegressor", "ReptileClassifier", "MetaRidgeRegressor"])
def test_learning_goes_on_as_if_nothing_had_happened(name, tmp_path):
    learner = LEARNERS[name]()
    if "max_epochs" in learner.get_params():
        learner.set_params(max_epochs=2)
    meta, _, query = fitted(learner)
    again, more = _again(meta, tmp_path), make_tasks(learner)[5:]
    assert_array_equal(
        outputs(again.partial_fit(more), query[0].X), outputs(meta.partial_fit(more), query[0].X)
    )


def test_a_learner_without_torch_is_loaded_without_torch(tmp_path):
    for name in ("MetaRidgeRegressor", "MetaForestRegressor", "MetaSVC", "MetaBoostingRegressor"):
        skmeta.save(fitted(LEARNERS[name]())[0], tmp_path / name)
    code = (
        "import sys, pathlib, skmeta\n"
        "for path in pathlib.Path(sys.argv[1]).iterdir(): skmeta.load(path)\n"
        "assert not {'torch', 'skops', 'optuna'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)

"""Classes and functions of others are named in a file, and must be allowed."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import FunctionTransformer

import skmeta
from skmeta.datasets import make_linear_tasks

TASKS = make_linear_tasks(8, 12, 3, noise=0.1, random_state=0)
X = TASKS[0].X


class Doubled(TransformerMixin, BaseEstimator):
    """A transformer of the user's own."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2 * np.asarray(X)


class Net(torch.nn.Module):
    """A network of the user's own."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.layer = torch.nn.Linear(n_inputs, n_outputs)

    def forward(self, X):
        return self.layer(X).tanh()


def halve(X):
    """A function of the user's own."""
    return X / 2


class Elsewhere:
    """A part of the user's own, with a `__setstate__`."""

    def __setstate__(self, state):
        vars(self).update(state, was_set=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("names") / "model"
    learner = skmeta.RidgeHeadRegressor(
        module=Net, preprocessor=Doubled(), max_epochs=1, random_state=0
    )
    model = learner.fit(TASKS)
    skmeta.save(model, path)
    return path, model


def test_all_names_are_asked_for_at_once(saved):
    path, _ = saved
    with pytest.raises(skmeta.PersistenceError, match="trusted=") as caught:
        skmeta.load(path)
    assert f"trusted=['{__name__}.Doubled', '{__name__}.Net']" in str(caught.value)


def test_allowing_some_is_not_allowing_others(saved):
    with pytest.raises(skmeta.PersistenceError, match=r"trusted=\['[\w.]*Net'\]"):
        skmeta.load(saved[0], trusted=[Doubled])


@pytest.mark.parametrize("trusted", [[Net, Doubled], [f"{__name__}.Net", Doubled], (Doubled, Net)])
def test_what_is_allowed_is_loaded(saved, trusted):
    path, model = saved
    loaded = skmeta.load(path, trusted=trusted)
    assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("trusted", ["all", Net])
def test_trusted_is_a_list(saved, trusted):
    with pytest.raises(TypeError, match="list"):
        skmeta.load(saved[0], trusted=trusted)


def test_functions_need_to_be_allowed_too(tmp_path):
    skmeta.save(FunctionTransformer(halve), tmp_path / "file")
    with pytest.raises(skmeta.PersistenceError, match="halve"):
        skmeta.load(tmp_path / "file")
    loaded = skmeta.load(tmp_path / "file", trusted=[halve])
    assert_array_equal(loaded.transform(X), X / 2)
    skmeta.save(FunctionTransformer(math.floor), tmp_path / "file")
    with pytest.raises(skmeta.PersistenceError, match=r"math\.floor"):
        skmeta.load(tmp_path / "file")


def test_a_setstate_of_a_class_that_is_allowed_is_used(tmp_path):
    part = Elsewhere()
    part.x = 1
    skmeta.save(FunctionTransformer(kw_args={"part": part}), tmp_path / "file")
    loaded = skmeta.load(tmp_path / "file", trusted=[Elsewhere]).kw_args["part"]
    assert (loaded.x, loaded.was_set) == (1, True)


def test_what_is_gone_is_named(tmp_path):
    skmeta.save(FunctionTransformer(halve), tmp_path / "file")
    with pytest.raises(skmeta.PersistenceError, match="halve"):
        skmeta.load(tmp_path / "file", trusted=["not_a_module.halve"])

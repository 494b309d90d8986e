"""Inner steps are taken in 32 bits, as in training; predictions are made in 64."""

import pickle

import numpy as np
import pytest
import torch

from skmeta import MAMLClassifier, MAMLRegressor, make_n_way_tasks
from skmeta.datasets import make_sinusoid_tasks


@pytest.fixture
def tasks():
    return make_sinusoid_tasks(20, 15, random_state=0)


@pytest.fixture
def meta(tasks):
    return MAMLRegressor(max_epochs=1, random_state=0).fit(tasks)


def test_steps_have_32_bits_and_what_they_lead_to_64(meta, tasks):
    state = meta.fit_adapt(tasks[0].X, tasks[0].y).state_
    for tensor in state.values():
        assert tensor.dtype == torch.float64
        assert torch.equal(tensor, tensor.float().double())  # nothing beyond 32 bits


def test_a_prediction_does_not_depend_on_the_rows_beside_it(meta, tasks):
    model = meta.fit_adapt(tasks[0].X, tasks[0].y)
    X = np.linspace(-5, 5, 100)[:, None]
    one_by_one = np.concatenate([model.predict(x[None]) for x in X])
    np.testing.assert_allclose(model.predict(X), one_by_one, rtol=1e-12)


def test_masks_stay_what_they_are():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 3)), np.repeat(np.arange(6), 20)
    tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=10, random_state=0)
    model = (
        MAMLClassifier(max_epochs=1, random_state=0).fit(tasks).fit_adapt(tasks[0].X, tasks[0].y)
    )
    assert model.state_["class_mask"].dtype == torch.bool


def test_further_training_is_not_forgotten(meta, tasks):
    X, y = tasks[0].X, tasks[0].y
    before = meta.fit_adapt(X, y).predict(X)
    meta.partial_fit(tasks)
    after = meta.fit_adapt(X, y).predict(X)
    assert not np.allclose(before, after)
    again = pickle.loads(pickle.dumps(meta)).fit_adapt(X, y)
    np.testing.assert_array_equal(again.predict(X), after)


def test_weights_that_are_loaded_are_adapted(meta, tasks, tmp_path):
    X, y = tasks[0].X, tasks[0].y
    expected = meta.fit_adapt(X, y).predict(X)
    meta.net_.save_params(f_params=tmp_path / "weights.pt")
    other = MAMLRegressor(max_epochs=1, random_state=1).fit(tasks)
    assert not np.allclose(other.fit_adapt(X, y).predict(X), expected)
    other.net_.load_params(f_params=tmp_path / "weights.pt")
    np.testing.assert_array_equal(other.fit_adapt(X, y).predict(X), expected)


def test_the_weights_of_32_bits_are_not_stored_beside_those_of_64(meta):
    assert meta.net_._as_trained is not None
    assert pickle.loads(pickle.dumps(meta)).net_._as_trained is None

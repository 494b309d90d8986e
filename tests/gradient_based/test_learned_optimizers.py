"""Learned step sizes, momenta and decays, the multi-step loss, and choices by validation."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skmeta import (
    IMAMLRegressor,
    MAMLRegressor,
    MetaGradientDescentRegressor,
    MetaSGDRegressor,
    ReptileRegressor,
)
from skmeta.datasets import make_sinusoid_tasks
from skmeta.nets import step_weights


@pytest.fixture(scope="module")
def tasks():
    return make_sinusoid_tasks(40, random_state=0)


def _fit(cls, tasks, **options):
    return cls(**{"max_epochs": 4, "random_state": 0, "patience": None} | options).fit(tasks)


@pytest.mark.parametrize(
    ("learn", "per_step", "shape"),
    [
        (None, False, {"": (1,)}),
        ("shared", False, {"": (1,)}),
        ("layer", True, {f"layers.{i}": (3,) for i in range(3)}),
        ("parameter", True, {"layers.0.bias": (3, 40), "layers.2.weight": (3, 1, 40)}),
    ],
)
def test_step_sizes_of_maml(tasks, learn, per_step, shape):
    meta = _fit(MAMLRegressor, tasks, n_steps=3, learn_inner_lr=learn, inner_lr_per_step=per_step)
    assert {name: meta.step_sizes_[name].shape for name in shape} == shape
    moved = any((np.abs(sizes - 0.01) > 1e-6).any() for sizes in meta.step_sizes_.values())
    assert moved == (learn is not None)


def test_meta_sgd_is_maml_with_a_step_size_for_each_weight(tasks):
    first = _fit(MetaSGDRegressor, tasks)
    second = _fit(MAMLRegressor, tasks, learn_inner_lr="parameter")
    x = np.linspace(-5, 5, 9)[:, None]
    np.testing.assert_array_equal(first.predict(x), second.predict(x))


def test_a_step_size_that_is_too_small_grows(tasks):
    options = {"lr": 0.03, "max_epochs": 30}
    meta = _fit(MAMLRegressor, tasks, inner_lr=1e-3, learn_inner_lr="shared", **options)
    assert meta.step_sizes_[""][0] > 2e-3


def test_the_whole_optimiser_is_learned(tasks):
    meta = _fit(MetaGradientDescentRegressor, tasks, n_steps=3)
    for numbers in (meta.step_sizes_, meta.momenta_, meta.weight_decays_):
        assert {name: value.shape for name, value in numbers.items()} == {
            f"layers.{i}": (3,) for i in range(3)
        }
    # the first step has no velocity yet, so that its momentum has no gradient
    assert all((m[0] == 0) and (m[1:] != 0).all() for m in meta.momenta_.values())
    assert all((d != 0).all() for d in meta.weight_decays_.values())
    assert meta.n_steps_ == 3
    assert not hasattr(meta, "validation_losses_")


def test_steps_and_batch_size_are_chosen_on_held_out_tasks(tasks):
    options = {"n_steps": [1, 3], "support_batch_size": [None, 2]}
    meta = _fit(MetaGradientDescentRegressor, tasks, **options)
    assert set(meta.validation_losses_) == {(1, None), (1, 2), (3, None), (3, 2)}
    best = min(meta.validation_losses_, key=meta.validation_losses_.get)
    assert (meta.n_steps_, meta.support_batch_size_) == best
    alone = _fit(MetaGradientDescentRegressor, tasks, n_steps=best[0], support_batch_size=best[1])
    x = np.linspace(-5, 5, 9)[:, None]
    np.testing.assert_array_equal(meta.predict(x), alone.predict(x))
    assert alone.net_.history_[-1, "valid_loss"] == meta.validation_losses_[best]


def test_a_choice_needs_held_out_tasks_and_no_checkpoint(tasks, tmp_path):
    with pytest.raises(ValueError, match=r"needs held-out tasks, but train_split=None of 40"):
        _fit(MetaGradientDescentRegressor, tasks, n_steps=[1, 2], train_split=None)
    with pytest.raises(ValueError, match="takes one value of n_steps"):
        _fit(MetaGradientDescentRegressor, tasks, n_steps=[1, 2], checkpoint=tmp_path / "x")


def test_weights_of_the_steps_move_to_the_last(tasks):
    seen = []

    class Look(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.criterion_.weights[0].item())

    _fit(MAMLRegressor, tasks, n_steps=4, multi_step_epochs=2, callbacks=[Look()])
    assert seen == [0.25, 0.125, 0.0, 0.0]


def test_one_step_has_no_multi_step_loss(tasks):
    plain = _fit(MAMLRegressor, tasks, n_steps=1)
    multi = _fit(MAMLRegressor, tasks, n_steps=1, multi_step_epochs=2)
    x = np.linspace(-5, 5, 9)[:, None]
    np.testing.assert_array_equal(plain.predict(x), multi.predict(x))


def test_multi_step_loss_trains_other_weights_and_stops_early(tasks):
    plain = _fit(MAMLRegressor, tasks)
    multi = _fit(MAMLRegressor, tasks, multi_step_epochs=4, patience=5)
    x = np.linspace(-5, 5, 9)[:, None]
    assert not np.allclose(plain.predict(x), multi.predict(x), atol=1e-6)
    assert step_weights(5, 0.0).tolist() == pytest.approx([0.2] * 5)


def test_recomputing_changes_nothing(tasks):
    first, second = (_fit(MAMLRegressor, tasks, recompute=value) for value in (False, True))
    x = np.linspace(-5, 5, 9)[:, None]
    np.testing.assert_allclose(first.predict(x), second.predict(x), rtol=1e-5)


def test_reptile_with_full_steps_of_sgd_takes_the_mean_of_adapted_weights(tasks):
    options = {"optimizer": torch.optim.SGD, "lr": 1.0, "train_split": None, "n_steps": 2}
    few = tasks[:4]
    start = _fit(ReptileRegressor, few, max_epochs=1, **options | {"lr": 1e-30})
    moved = _fit(ReptileRegressor, few, max_epochs=1, **options)
    assert moved.net_.history_[-1, "train_loss"] > 0
    distance = sum(
        ((p - q) ** 2).sum().item()
        for p, q in zip(
            start.net_.module_.parameters(), moved.net_.module_.parameters(), strict=True
        )
    )
    # The mean of four points is no farther away than they are on average.
    assert 0 < distance <= 2 * moved.net_.history_[-1, "train_loss"] * (1 + 1e-4)


def test_a_stronger_penalty_keeps_weights_near_the_initial_ones(tasks):
    X, y = tasks[0].X, tasks[0].y
    moved = []
    for proximity in (0.01, 10.0):
        meta = _fit(IMAMLRegressor, tasks, max_epochs=1, proximity=proximity)
        model = meta.fit_adapt(X, y)
        difference = [model.state_[name] - meta.state_[name] for name in meta.state_]
        moved.append(sum(d.square().sum().item() for d in difference))
    assert moved[1] < 0.5 * moved[0]

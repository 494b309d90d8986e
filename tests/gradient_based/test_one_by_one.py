"""Convolutions train on one task after the other, and learn the same."""

import numpy as np
import pytest
import torch

from skmeta import ANILClassifier, MAMLClassifier, ReptileClassifier
from skmeta.episodic import _net
from skmeta.nets import ConvNet
from skmeta.tasks import Task

SETTINGS = [
    (MAMLClassifier, {}),
    (MAMLClassifier, {"n_steps": 2, "multi_step_epochs": 1, "class_weight": "balanced"}),
    (ANILClassifier, {}),
    (ReptileClassifier, {"n_steps": 2}),
]


def conv_net(n_inputs, n_outputs):
    return ConvNet((1, 8, 8), n_outputs, n_channels=4, n_blocks=2)


@pytest.mark.parametrize(("learner", "options"), SETTINGS)
def test_training_is_that_of_whole_meta_batches(learner, options, monkeypatch):
    rng = np.random.default_rng(0)
    sizes = 9 + np.arange(16) % 3
    tasks = [Task(rng.normal(size=(n, 64)), np.arange(n) % 3) for n in sizes]
    settings = {"module": conv_net, "max_epochs": 2, "batch_size": 8, "random_state": 0}

    def fit():
        net = learner(**settings | options).fit(tasks).net_
        losses = np.array(net.history_[:, ("train_loss", "valid_loss")])
        return losses, torch.cat([p.detach().flatten() for p in net.module_.parameters()])

    losses, weights = fit()
    monkeypatch.setattr(_net, "trains_one_by_one", lambda *args: False)
    expected_losses, expected = fit()
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    torch.testing.assert_close(weights, expected, rtol=1e-4, atol=1e-5)

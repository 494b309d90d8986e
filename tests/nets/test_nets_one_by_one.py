"""Training on one task after the other gives the gradients of the whole meta-batch."""

import pytest
import torch
from torch import nn

from skmeta.episodic import EpisodeLoss
from skmeta.nets import (
    MAML,
    MLP,
    ConvNet,
    Episode,
    InnerSGD,
    MultiStepEpisode,
    PrototypeNet,
    cross_entropy,
    one_by_one,
    trains_one_by_one,
)


def conv_net(n_outputs=3):
    return ConvNet((1, 4, 4), n_outputs, n_channels=3, n_blocks=2).double()


def ragged_rows(n_classes=3):
    """Four tasks; one has no query rows, and one no support rows."""
    generator = torch.Generator().manual_seed(0)
    rows, query_rows = torch.arange(6), torch.arange(4)
    mask = rows < torch.tensor([6, 3, 0, 5])[:, None]
    mask_query = query_rows < torch.tensor([2, 4, 3, 0])[:, None]
    X = torch.randn(4, 6, 16, generator=generator, dtype=torch.float64)
    X_query = torch.randn(4, 4, 16, generator=generator, dtype=torch.float64)
    inputs = {
        "X_query": X_query.masked_fill(~mask_query[..., None], 0.0),
        "X": X.masked_fill(~mask[..., None], 0.0),
        "y": (rows % n_classes).expand(4, -1).masked_fill(~mask, 0),
        "mask": mask,
        "class_mask": torch.ones(4, n_classes, dtype=torch.bool),
        "mask_query": mask_query,
        "weight": torch.rand(4, 6, generator=generator, dtype=torch.float64),
    }
    y_query = (query_rows % n_classes).expand(4, -1).masked_fill(~mask_query, 0)
    return inputs, {"y": y_query, "mask": mask_query}


@pytest.mark.parametrize("keep_padding", [False, True])
@pytest.mark.parametrize("first_order", [False, True])
def test_gradients_add_up_to_those_of_the_meta_batch(first_order, keep_padding):
    learner = MAML(conv_net(), cross_entropy, InnerSGD(0.3), n_steps=2, first_order=first_order)
    episode, criterion = Episode(learner), EpisodeLoss(cross_entropy)
    inputs, targets = ragged_rows()
    loss = criterion(episode(**inputs), **targets)
    expected = torch.autograd.grad(loss, list(episode.parameters()))
    parts = list(one_by_one(inputs, targets, keep_padding))
    losses = [criterion(episode(**part), **target) for part, target in parts]
    total = torch.stack(losses).sum() / criterion.count_tasks(targets["mask"])
    torch.testing.assert_close(total, loss, rtol=1e-12, atol=1e-12)
    found = torch.autograd.grad(total, list(episode.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_tasks_are_cut_to_their_real_rows():
    inputs, targets = ragged_rows()
    trimmed = [(len(p["X"][0]), len(t["y"][0])) for p, t in one_by_one(inputs, targets)]
    assert trimmed == [(6, 2), (3, 4), (1, 3), (5, 1)]
    kept = one_by_one(inputs, targets, keep_padding=True)
    assert {(len(p["X"][0]), len(t["y"][0])) for p, t in kept} == {(6, 4)}


def test_only_convolutions_that_adapt_on_a_cpu_train_one_by_one():
    X = torch.zeros(2, 3, 16)
    assert trains_one_by_one(Episode(MAML(conv_net(), cross_entropy)), X)
    assert trains_one_by_one(MultiStepEpisode(MAML(conv_net(), cross_entropy)), X)
    assert not trains_one_by_one(Episode(MAML(conv_net(), cross_entropy)), X.to("meta"))
    assert not trains_one_by_one(Episode(MAML(MLP(16, 3), cross_entropy)), X)
    # Rows of all tasks are normalised together.
    assert not trains_one_by_one(Episode(PrototypeNet(conv_net(None))), X)
    body = nn.Sequential(nn.Unflatten(1, (1, 16)), nn.Conv1d(1, 2, 3), nn.Flatten())
    assert trains_one_by_one(Episode(MAML(nn.Linear(28, 3), cross_entropy, body=body)), X)

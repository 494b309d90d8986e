import subprocess
import sys

import pytest
import torch

from skmeta.nets import MAML, MLP, ConvNet, Episode, PrototypeNet, cross_entropy, squared_error


def learners():
    embedding = ConvNet((1, 4, 4), n_outputs=None, n_channels=3, n_blocks=1)
    return [MAML(MLP(16, 3), cross_entropy), PrototypeNet(embedding)]


@pytest.mark.parametrize("learner", learners(), ids=lambda learner: type(learner).__name__)
def test_episode_adapts_and_predicts(learner, pad, classification_tasks):
    learner.double()
    class_mask = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    support = pad(classification_tasks([6, 4], n_features=16, n_classes=2), class_mask)
    query = pad(classification_tasks([3, 5], n_features=16))
    batch = support._asdict() | {"X_query": query.X, "mask_query": query.mask}
    output = Episode(learner)(**batch)
    assert torch.equal(output, learner(learner.adapt(support), query.X, query.mask))


@pytest.mark.parametrize("learner", learners(), ids=lambda learner: type(learner).__name__)
def test_episode_trains_every_parameter(learner, pad, classification_tasks):
    episode = Episode(learner.double())
    support = pad(classification_tasks([6, 4], n_features=16))
    episode(X_query=support.X, **support._asdict()).softmax(-1)[..., 0].sum().backward()
    learned = [param for param in episode.parameters() if param.requires_grad]
    assert learned
    assert all(param.grad.abs().sum() > 0 for param in learned)


def test_meta_training_on_sinusoids_adapts_better():
    """A short run of the sinusoid experiment of the MAML paper."""

    def draw(n_tasks):
        amplitude = 0.1 + 4.9 * torch.rand(n_tasks, 1, 1)
        phase = torch.pi * torch.rand(n_tasks, 1, 1)
        X = 10 * torch.rand(n_tasks, 20, 1) - 5
        y = amplitude * torch.sin(X - phase)
        support = {"X": X[:, :10], "y": y[:, :10], "mask": torch.ones(n_tasks, 10).bool()}
        return support | {"X_query": X[:, 10:]}, y[:, 10:]

    def loss(n_tasks):
        batch, y_query = draw(n_tasks)
        return squared_error(episode(**batch), y_query).mean()

    episode = Episode(MAML(MLP(1, 1), squared_error))
    optimizer = torch.optim.Adam(episode.parameters(), lr=3e-3)
    before = loss(600).item()
    for _ in range(800):
        optimizer.zero_grad()
        loss(25).backward()
        optimizer.step()
    assert before > 3
    assert loss(600).item() < 1.5


def test_nets_import_nothing_but_torch_and_the_standard_library():
    code = (
        "import sys, torch; before = set(sys.modules); import skmeta.nets; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "sklearn", "skorch", "optuna", "scipy", "pandas"} & set(printed)

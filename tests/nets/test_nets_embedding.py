"""One pass of the embedding over a whole meta-batch."""

import pytest
import torch
from torch import nn

from skmeta.nets import (
    MLP,
    BayesianLinear,
    ConvNet,
    DeepKernel,
    DirichletKernel,
    Episode,
    LogisticHead,
    MatchingNet,
    PrototypeNet,
    RelationNet,
    RidgeClassifierHead,
    SVMHead,
)


def classifiers(embedding, n_features):
    return [
        PrototypeNet(embedding),
        MatchingNet(embedding, n_features),
        RelationNet(embedding, n_features),
        RidgeClassifierHead(embedding, n_features, 0),
        LogisticHead(embedding, n_features, 0),
        SVMHead(embedding, n_features, 0),
        DirichletKernel(embedding, n_features, 0),
    ]


@pytest.mark.parametrize("learner", classifiers(MLP(4, 5), 5), ids=lambda net: type(net).__name__)
def test_an_episode_is_to_adapt_and_to_predict(learner, pad, classification_tasks):
    learner.double()
    class_mask = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    support = pad(classification_tasks([6, 4], n_features=4, n_classes=2), class_mask)
    query = pad(classification_tasks([3, 5], n_features=4))
    batch = support._asdict() | {"X_query": query.X, "mask_query": query.mask}
    expected = learner(learner.adapt(support), query.X, query.mask)
    torch.testing.assert_close(Episode(learner)(**batch), expected)


@pytest.mark.parametrize("cls", [BayesianLinear, DeepKernel])
def test_an_episode_of_regression(cls, pad, regression_tasks):
    learner = cls(MLP(2, 5), 5, 1).double()
    support, query = pad(regression_tasks([6, 4])), pad(regression_tasks([3, 5]))
    batch = support._asdict() | {"X_query": query.X, "mask_query": query.mask}
    expected = learner(learner.adapt(support), query.X, query.mask)
    torch.testing.assert_close(Episode(learner)(**batch), expected)


def test_batch_normalisation_sees_support_and_query_together(pad, classification_tasks):
    """In training; running averages take their place afterwards."""
    norm = nn.BatchNorm1d(4, affine=False).double()
    learner = PrototypeNet(norm)
    support = pad(classification_tasks([6, 3], n_features=4), torch.ones(2, 3).bool())
    query = pad(classification_tasks([3, 5], n_features=4))
    batch = support._asdict() | {"X_query": query.X, "mask_query": query.mask}
    Episode(learner)(**batch)
    assert norm.num_batches_tracked == 1
    rows = torch.cat([support.X[support.mask], query.X[query.mask]])
    torch.testing.assert_close(norm.running_mean, 0.1 * rows.mean(0))


def test_a_task_batch_norm_sees_one_after_the_other(pad, classification_tasks):
    learner = PrototypeNet(ConvNet((1, 4, 4), None, n_channels=3, n_blocks=1).double())
    support = pad(classification_tasks([6, 4], n_features=16), torch.ones(2, 3).bool())
    query = pad(classification_tasks([3, 5], n_features=16))
    batch = support._asdict() | {"X_query": query.X, "mask_query": query.mask}
    expected = learner(learner.adapt(support), query.X, query.mask)
    assert torch.equal(Episode(learner)(**batch), expected)


def test_running_statistics_of_a_convnet(pad, classification_tasks):
    embedding = ConvNet((1, 4, 4), None, n_channels=3, n_blocks=1, running_statistics=True)
    learner = PrototypeNet(embedding.double()).eval()
    [(X, y)] = classification_tasks([6], n_features=16)
    state = learner.adapt(pad([(X, y)]))
    together = learner(state, X[None])
    alone = torch.cat([learner(state, row[None, None]) for row in X], dim=1)
    torch.testing.assert_close(alone, together)

"""Matching networks: attention to the support."""

import math

import pytest
import torch
from torch.nn import functional as F

from skmeta.nets import MLP, MatchingNet, RelationNet, Support, cross_entropy

SIMILARITIES = ["cosine", "euclidean"]


def learned(similarity="cosine", n_outputs=3, full_context=True):
    """A network whose attention and prior are anything but zero."""
    net = MatchingNet(
        MLP(2, 5, hidden_sizes=(8,), activation="tanh"), 5, n_outputs, similarity, full_context
    ).double()
    with torch.no_grad():
        for name, param in net.named_parameters():
            if not name.startswith("embedding"):
                param.normal_(std=0.5)
    return net


def test_probabilities_are_sums_of_attention(pad):
    net = MatchingNet(None, 3).double()
    X, X_query = torch.randn(7, 3).double(), torch.randn(4, 3).double()
    y = torch.tensor([0, 1, 2, 0, 0, 1, 2])
    proba = net(net.adapt(pad([(X, y)])), X_query[None]).softmax(-1)[0]
    cosine = F.normalize(X_query, dim=-1) @ F.normalize(X, dim=-1).T
    attention = (10.0 * cosine).softmax(-1)
    torch.testing.assert_close(proba, attention @ F.one_hot(y).double())


def test_probabilities_by_distance_survive_far_rows(pad):
    net = MatchingNet(None, 1, similarity="euclidean")
    X, y = torch.tensor([[0.0], [1e3], [2e3]]), torch.tensor([0, 1, 2])
    logits = net(net.adapt(pad([(X, y)])), torch.tensor([[[5e2 + 1]]]))
    torch.testing.assert_close(logits[0, 0, 1] - logits[0, 0, 0], torch.tensor(2e3))
    (-logits.log_softmax(-1)[0, 0, 2]).backward()
    assert net.log_scale.grad.isfinite()


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("full_context", [False, True])
@pytest.mark.parametrize("n_outputs", [0, 3])
def test_padded_tasks_equal_tasks_one_by_one(
    similarity, full_context, n_outputs, pad, classification_tasks
):
    net = learned(similarity, n_outputs, full_context)
    class_mask = torch.ones(4, 3).bool()
    tasks, queries = classification_tasks([3, 0, 20, 1]), classification_tasks([1, 4, 6, 2])
    query = pad(queries)
    output = net(net.adapt(pad(tasks, class_mask)), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        alone = net(net.adapt(pad([task], class_mask[:1])), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone)


@pytest.mark.parametrize("n_outputs", [0, 3])
def test_order_and_weights_of_rows(n_outputs, pad, classification_tasks):
    net = learned(n_outputs=n_outputs)
    [(X, y)] = classification_tasks([9])
    weight = torch.tensor([1, 2, 1, 3, 1, 0, 1, 1, 2])
    class_mask = torch.ones(1, 3).bool()
    support = pad([(X, y)], class_mask)._replace(weight=weight[None].double())
    order = torch.randperm(int(weight.sum()))
    repeated = (X.repeat_interleave(weight, 0)[order], y.repeat_interleave(weight)[order])
    X_query = torch.randn(1, 4, 2).double()
    first, second = (net(net.adapt(s), X_query) for s in (support, pad([repeated], class_mask)))
    torch.testing.assert_close(first, second)


def test_classes_without_a_row_are_known_by_the_prior(pad):
    net = learned(n_outputs=3, full_context=False)
    X_query = torch.randn(1, 4, 2).double()
    rows = torch.zeros(1, 0, 2).double()
    prior = net(net.adapt(Support(rows, rows[..., 0].long(), rows[..., 0].bool())), X_query)
    embedded = F.normalize(net.embedding(X_query), dim=-1) @ F.normalize(net.prior_rows, dim=-1).T
    torch.testing.assert_close(prior, net.log_scale.exp() * embedded + net.prior_log_weight)
    new = net.adapt(pad([(torch.randn(1, 2).double(), torch.tensor([4]))]))
    assert new["class_mask"].tolist() == [[True, True, True, False, True]]
    assert (net(new, X_query).softmax(-1)[..., 3] == 0).all()


def test_context_finds_nothing_at_first(pad, classification_tasks):
    support = pad(classification_tasks([6]))
    net = MatchingNet(None, 2, full_context=True).double()
    plain = MatchingNet(None, 2).double()
    torch.testing.assert_close(
        net(net.adapt(support), support.X), plain(plain.adapt(support), support.X)
    )


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_gradients_are_those_of_finite_differences(similarity, pad, classification_tasks):
    net = learned(similarity)
    support, query = pad(classification_tasks([6, 3, 0])), pad(classification_tasks([2, 3, 1]))

    def losses(*_params):  # which are perturbed in place
        return cross_entropy(net(net.adapt(support), query.X, query.mask), query.y)

    assert torch.autograd.gradcheck(losses, tuple(net.parameters()))


def test_unknown_similarities_are_refused():
    with pytest.raises(ValueError, match="similarity must be one of cosine, euclidean"):
        MatchingNet(None, 1, similarity="dot")


def test_relations_compare_rows_with_means(pad):
    net = RelationNet(None, 2).double()
    X, y, X_query = torch.randn(5, 2).double(), torch.tensor([0, 1, 0, 1, 1]), torch.randn(3, 2)
    X_query = X_query.double()
    logits = net(net.adapt(pad([(X, y)])), X_query[None])[0]
    for code in range(2):
        mean = X[y == code].mean(0).expand(3, 2)
        expected = net.compare(torch.cat([X_query, mean, (X_query - mean).abs()], dim=1))
        torch.testing.assert_close(logits[:, code], expected[:, 0])


def test_a_prior_mean_of_a_relation_counts_as_rows(pad):
    net = RelationNet(None, 2, torch.randn(2, 2), learn_prior=True, learn_shares=True).double()
    net.log_prior_rows.data.fill_(math.log(3.0))
    X = torch.randn(1, 2).double()
    state = net.adapt(pad([(X, torch.tensor([1]))]))
    torch.testing.assert_close(state["prototypes"][0, 0], net.prior_prototypes[0])
    expected = (X[0] + 3 * net.prior_prototypes[1]) / 4
    torch.testing.assert_close(state["prototypes"][0, 1], expected)

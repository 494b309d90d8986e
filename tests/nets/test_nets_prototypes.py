import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from sklearn.neighbors import NearestCentroid
from torch import nn

from skmeta.nets import (
    MLP,
    ConvNet,
    PrototypeNet,
    Support,
    cross_entropy,
    squared_distances,
)


def embed(n_features=2):
    return MLP(n_features, 5, hidden_sizes=(8,), activation="tanh").double()


def test_without_embedding_it_is_the_nearest_centroid(pad, classification_tasks):
    tasks, queries = classification_tasks([12, 20]), classification_tasks([7, 7])
    net = PrototypeNet()
    state = net.adapt(pad(tasks))
    codes = net(state, pad(queries).X).argmax(-1)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        centroid = NearestCentroid().fit(*(part.numpy() for part in task))
        torch.testing.assert_close(state["prototypes"][i], torch.from_numpy(centroid.centroids_))
        assert codes[i].tolist() == centroid.predict(X_query.numpy()).tolist()


def test_prototypes_are_means_of_embedded_rows(pad, classification_tasks):
    net = PrototypeNet(embed())
    tasks = classification_tasks([9, 12, 15])
    state = net.adapt(pad(tasks))
    for i, (X, y) in enumerate(tasks):
        for code in y.unique():
            expected = net.embedding(X[y == code]).mean(0)
            torch.testing.assert_close(state["prototypes"][i, code], expected)


def test_logits_are_negative_squared_distances(pad, classification_tasks):
    net = PrototypeNet(embed())
    state = net.adapt(pad(classification_tasks([9, 12])))
    X_query = torch.randn(2, 7, 2).double()
    differences = net.embedding(X_query)[:, :, None] - state["prototypes"][:, None]
    torch.testing.assert_close(net(state, X_query), -differences.square().sum(-1))


def test_distances_survive_a_far_origin():
    X, prototypes = 1e4 + torch.randn(1, 20, 3), 1e4 + torch.randn(1, 4, 3)
    exact = (X[:, :, None].double() - prototypes[:, None].double()).square().sum(-1)
    distances = squared_distances(X, prototypes)
    torch.testing.assert_close(distances.double(), exact, rtol=1e-3, atol=1e-3)
    assert (squared_distances(X, X) >= 0).all()


def test_logits_survive_a_far_origin_and_absent_classes(pad):
    X, y = 1e4 + torch.randn(20, 3), torch.arange(20) % 4
    net = PrototypeNet()
    state = net.adapt(pad([(X, y)], (torch.arange(50) < 4)[None]))
    exact = (X[:, None].double() - state["prototypes"][0, :4].double()).square().sum(-1)
    torch.testing.assert_close(-net(state, X[None])[0, :, :4].double(), exact, rtol=1e-3, atol=1e-3)


def test_distances_have_right_derivatives():
    X = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    prototypes = torch.randn(2, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(squared_distances, (X, prototypes))
    assert torch.autograd.gradgradcheck(squared_distances, (X, prototypes))


@pytest.mark.parametrize(
    "embedding",
    [
        None,
        embed(16),
        nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 2, 2), nn.Flatten()).double(),
        ConvNet((1, 4, 4), n_outputs=None, n_channels=3, n_blocks=1).double(),
        nn.Sequential(nn.Linear(16, 4), nn.BatchNorm1d(4)).double().eval(),
    ],
    ids=["none", "mlp", "conv", "convnet", "batch norm"],
)
def test_padded_tasks_equal_tasks_one_by_one(embedding, pad, classification_tasks):
    net = PrototypeNet(embedding)
    class_mask = torch.ones(3, 3).bool()
    tasks = classification_tasks([5, 2, 0], n_features=16)
    queries = classification_tasks([1, 4, 6], n_features=16)
    query = pad(queries)
    output = net(net.adapt(pad(tasks, class_mask)), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        alone = net(net.adapt(pad([task], class_mask[:1])), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone)


def test_class_without_a_prototype_has_no_probability(pad):
    X, y = torch.randn(3, 2), torch.tensor([0, 3, 3])
    class_mask = torch.tensor([[1, 1, 0, 1, 0]]).bool()
    net = PrototypeNet()
    state = net.adapt(pad([(X, y)], class_mask))
    assert state["class_mask"].tolist() == [[True, False, False, True, False]]
    assert ((net(state, X[None]).softmax(-1) == 0) == ~state["class_mask"][:, None]).all()


def test_number_of_slots(pad):
    task = torch.randn(3, 2), torch.tensor([0, 1, 1])
    prior = torch.randn(4, 2)

    def n_slots(net, class_mask=None):
        return net.adapt(pad([task], class_mask))["class_mask"].shape[1]

    assert n_slots(PrototypeNet()) == 2
    assert n_slots(PrototypeNet(prior_prototypes=prior)) == 4
    assert n_slots(PrototypeNet(prior_prototypes=prior), torch.ones(1, 7).bool()) == 7
    assert n_slots(PrototypeNet(), torch.ones(1, 3).bool()) == 3


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_prior_prototypes_stand_in_for_absent_classes(pad, n_classes):
    prior = torch.randn(3, 2)
    X, y = torch.randn(4, 2), torch.tensor([1, 1, 1, 1])
    net = PrototypeNet(prior_prototypes=prior)
    state = net.adapt(pad([(X, y)], torch.ones(1, n_classes).bool()))
    prototypes, class_mask = state["prototypes"][0], state["class_mask"][0]
    torch.testing.assert_close(prototypes[1], X.mean(0))
    assert torch.equal(prototypes[0], prior[0])
    assert torch.equal(prototypes[2:3], prior[2 : min(3, n_classes)])
    assert class_mask.tolist() == [True, True, True, False][:n_classes]


@pytest.mark.parametrize("n_rows", [0, 3])
def test_no_support_row_gives_the_prior(n_rows):
    prior = torch.randn(3, 2)
    rows = torch.zeros(2, n_rows, 2)
    support = Support(rows, rows[..., 0].long(), torch.zeros(2, n_rows).bool())
    state = PrototypeNet(prior_prototypes=prior).adapt(support)
    assert torch.equal(state["prototypes"], prior.expand(2, 3, 2))
    assert state["class_mask"].all()
    without_prior = PrototypeNet()
    support = support._replace(class_mask=torch.ones(2, 3).bool())
    logits = without_prior(without_prior.adapt(support), torch.randn(2, 4, 2))
    torch.testing.assert_close(logits.softmax(-1), torch.full((2, 4, 3), 1 / 3))


def test_a_learned_prior_counts_as_rows(pad):
    prior = torch.randn(3, 2).double()
    net = PrototypeNet(None, prior, learn_prior=True).double()
    net.log_prior_rows.data.fill_(math.log(2.0))
    X = torch.randn(4, 2).double()
    state = net.adapt(pad([(X, torch.tensor([0, 0, 0, 1]))]))
    expected = torch.stack([(X[:3].sum(0) + 2 * prior[0]) / 5, (X[3] + 2 * prior[1]) / 3, prior[2]])
    torch.testing.assert_close(state["prototypes"][0], expected)
    net(state, X[None]).softmax(-1)[..., 0].sum().backward()
    assert (net.prior_prototypes.grad != 0).all()


def test_learned_shares_are_those_of_a_dirichlet_posterior(pad):
    net = PrototypeNet(None, torch.zeros(3, 2).double(), learn_prior=True, learn_shares=True)
    net = net.double()
    net.log_share.data = torch.tensor([0.5, 0.3, 0.2]).double().log()
    net.log_share_rows.data.fill_(math.log(4.0))
    X = torch.zeros(4, 2).double()  # all prototypes are alike: shares alone make the difference
    state = net.adapt(pad([(X, torch.tensor([0, 0, 0, 1]))]))
    expected = torch.tensor([5.0, 2.2, 0.8]).double() / 8
    torch.testing.assert_close(net(state, X[None]).softmax(-1)[0, 0], expected)


def test_mahalanobis_distances_are_those_of_simple_cnaps(pad):
    net = PrototypeNet(metric="mahalanobis").double()
    X, y = torch.randn(9, 3).double(), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 2])
    X_query = torch.randn(5, 3).double()
    logits = net(net.adapt(pad([(X, y)])), X_query[None])[0]
    of_task = torch.cov(X.T, correction=0)
    for code in range(3):
        rows = X[y == code]
        own = len(rows) / (len(rows) + 1)
        of_class = torch.cov(rows.T, correction=0) if len(rows) > 1 else torch.zeros(3, 3)
        covariance = own * of_class + (1 - own) * of_task + torch.eye(3)
        difference = (X_query - rows.mean(0)).T
        expected = -0.5 * (difference * torch.linalg.solve(covariance, difference)).sum(0)
        torch.testing.assert_close(logits[:, code], expected)


@pytest.mark.parametrize("metric", ["euclidean", "mahalanobis"])
@pytest.mark.parametrize("n_prior", [0, 3])
def test_rows_that_arrive_later_count_as_if_they_had_been_there(metric, n_prior, pad):
    prior = torch.randn(n_prior, 2)
    net = PrototypeNet(MLP(2, 2), prior, n_prior > 0, n_prior > 0, metric, learn_metric=True)
    net = net.double().eval()
    X, y = torch.randn(12, 2).double(), torch.tensor([0, 1, 0, 0, 1, 1, 2, 0, 3, 2, 2, 3])
    state = net.adapt(pad([(X[:1], y[:1])]))
    for part in (slice(1, 2), slice(2, 8), slice(8, 12)):
        state = net.update(state, pad([(X[part], y[part])]))
    whole = net.adapt(pad([(X, y)]))
    assert state.keys() == whole.keys()
    for name in whole:
        torch.testing.assert_close(state[name], whole[name])


@pytest.mark.parametrize("metric", ["euclidean", "mahalanobis"])
def test_gradients_are_those_of_finite_differences(metric, pad, classification_tasks):
    net = PrototypeNet(embed(), torch.randn(3, 5), True, True, metric, learn_metric=True).double()
    support, query = pad(classification_tasks([6, 2, 0])), pad(classification_tasks([2, 3, 1]))

    def losses(*_params):  # which are perturbed in place
        return cross_entropy(net(net.adapt(support), query.X, query.mask), query.y)

    assert torch.autograd.gradcheck(losses, tuple(net.parameters()))


def test_gradients_are_finite_with_empty_classes_and_tasks(pad, classification_tasks):
    net = PrototypeNet(embed())
    support = pad(classification_tasks([6, 0]), torch.ones(2, 4).bool())
    net(net.adapt(support), support.X, support.mask).softmax(-1)[..., 0].sum().backward()
    assert all(param.grad.isfinite().all() for param in net.embedding.parameters())


def test_state_is_detached_in_evaluation(pad, classification_tasks):
    net, support = PrototypeNet(embed()), pad(classification_tasks([6, 3]))
    assert net.adapt(support)["prototypes"].requires_grad
    assert not net.eval().adapt(support)["prototypes"].requires_grad


def test_threads_share_one_module(pad, classification_tasks):
    embedding = ConvNet((1, 4, 4), n_outputs=None, n_channels=3, n_blocks=1).double()
    net = PrototypeNet(embedding).eval()
    class_mask = torch.ones(2, 3).bool()
    supports = [pad(classification_tasks([5, 3], n_features=16), class_mask) for _ in range(40)]
    X_query = torch.randn(2, 4, 16).double()

    def predict(support):
        return net(net.adapt(support), X_query).detach()

    expected = [predict(support) for support in supports]
    with ThreadPoolExecutor(8) as threads:
        outputs = list(threads.map(predict, supports))
    assert all(map(torch.equal, outputs, expected))

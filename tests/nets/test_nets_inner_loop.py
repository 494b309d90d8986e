"""The inner loop: every kind of learner has the gradient of what it says it minimises."""

import copy

import pytest
import torch
from gradient_checks import (
    Plain,
    batch_norm_net,
    finite_differences,
    layer_norm_net,
    meta_gradient,
    query_loss,
    relative_error,
    small_mlp,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from skmeta.nets import (
    MAML,
    MLP,
    ContextNet,
    ConvNet,
    InnerSGD,
    LearnedRate,
    MultiStepEpisode,
    Offset,
    ReptileEpisode,
    Support,
    bias_names,
    cross_entropy,
    last_layer_names,
    masked_mean,
    parameter_shapes,
    split_head,
    squared_error,
    step_weights,
    support_batch,
)


def learned_sgd(shapes, lr=0.3, momentum=0.5, weight_decay=0.1, per="layer", n_steps=1):
    """An optimiser whose numbers are all learned."""
    rates = [LearnedRate(value, shapes, per, n_steps) for value in (lr, momentum, weight_decay)]
    return InnerSGD(*rates).double()


def everything(network, optimizer=None, **options):
    return MAML(network, squared_error, optimizer or InnerSGD(0.3), 3, **options)


def anil(network, **options):
    body, head = split_head(network)
    adapted = last_layer_names(head)
    return MAML(head, squared_error, InnerSGD(0.3), 3, body=body, adapted=adapted, **options)


def cavia(n_outputs=1):
    network = MLP(2 + 3, n_outputs, hidden_sizes=(4,), activation="tanh")
    context = ContextNet(network, n_context=3).double()
    return MAML(context, squared_error, InnerSGD(0.5), 3, adapted=["context"])


def rates(per, n_steps):
    network = small_mlp()
    return everything(network, learned_sgd(parameter_shapes(network), per=per, n_steps=n_steps))


LEARNERS = {
    "momentum": lambda: everything(small_mlp(), InnerSGD(0.3, momentum=0.9, weight_decay=0.1)),
    "shared rates": lambda: rates("shared", 1),
    "rates per layer and step": lambda: rates("layer", 2),
    "rates per parameter": lambda: rates("parameter", 3),
    "rows in turn": lambda: everything(small_mlp(), support_batch_size=2),
    "recompute": lambda: everything(small_mlp(), recompute=True),
    "head": lambda: anil(small_mlp()),
    "head, batch norm": lambda: anil(batch_norm_net()),
    "head, layer norm": lambda: anil(layer_norm_net()),
    "head, any module": lambda: anil(Plain(small_mlp())),
    "offset": lambda: MAML(
        Offset(1).double(), squared_error, InnerSGD(0.3), 3, body=batch_norm_net()
    ),
    "biases": lambda: (lambda net: everything(net, adapted=bias_names(net)))(small_mlp()),
    "context": cavia,
    "context, batch norm": lambda: MAML(
        ContextNet(
            nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1)), 2
        ).double(),
        squared_error,
        InnerSGD(0.5),
        2,
        adapted=["context"],
    ),
}


@pytest.fixture(params=LEARNERS)
def learner(request):
    return LEARNERS[request.param]()


def test_meta_gradient_equals_finite_differences(learner, pad, regression_tasks):
    support, query = pad(regression_tasks([5, 3, 0])), pad(regression_tasks([4, 6, 5]))
    support = support._replace(weight=torch.rand(3, 5).double())

    def loss():
        return query_loss(learner, support, query)

    assert relative_error(meta_gradient(learner, loss()), finite_differences(learner, loss)) < 1e-6


def test_meta_gradient_of_several_outputs_equals_finite_differences(pad, regression_tasks):
    def both(tasks):
        return [(X, torch.cat([y, y.square()], dim=1)) for X, y in tasks]

    support, query = pad(both(regression_tasks([5, 3]))), pad(both(regression_tasks([4, 6])))
    maml = MAML(small_mlp(n_outputs=2), squared_error, InnerSGD(0.3), 2)

    def loss():
        return query_loss(maml, support, query)

    assert relative_error(meta_gradient(maml, loss()), finite_differences(maml, loss)) < 1e-6


@pytest.mark.parametrize("part", ["head", "biases", "context"])
def test_meta_gradient_of_convnet_equals_finite_differences(part, pad, classification_tasks):
    n_channels = 2 if part == "context" else 1
    network = ConvNet((n_channels, 4, 4), n_outputs=3, n_channels=2, n_blocks=2).double()
    options = {
        "head": lambda: dict(zip(("body", "backbone"), split_head(network), strict=True)),
        "biases": lambda: {"backbone": network, "adapted": bias_names(network)},
        "context": lambda: {
            "backbone": ContextNet(network, 1).double(),
            "adapted": ["context"],
        },
    }[part]()
    maml = MAML(row_loss=cross_entropy, optimizer=InnerSGD(0.3), n_steps=2, **options)
    tasks = classification_tasks([5, 4, 4, 5], n_features=16, n_classes=3)
    support, query = pad(tasks[:2]), pad(tasks[2:])

    def loss():
        return query_loss(maml, support, query)

    expected = finite_differences(maml, loss, step=1e-6)
    assert relative_error(meta_gradient(maml, loss()), expected) < 1e-5


def test_padded_tasks_equal_tasks_one_by_one(learner, pad, regression_tasks):
    tasks, queries = regression_tasks([5, 0, 1, 3]), regression_tasks([1, 3, 6, 2])
    query = pad(queries)
    output = learner(learner.adapt(pad(tasks)), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        alone = learner(learner.adapt(pad([task])), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone)


def test_prediction_takes_the_steps_of_training(learner, pad, regression_tasks):
    support, X_query = pad(regression_tasks([5, 3])), torch.randn(2, 4, 2).double()
    expected = learner(learner.adapt(support), X_query).detach()
    with torch.no_grad():
        torch.testing.assert_close(learner(learner.adapt(support), X_query), expected)
    state = learner.eval().adapt(support)
    assert not any(tensor.requires_grad for tensor in state.values())
    assert {name.removeprefix("backbone.") for name in state} == set(learner.adapted)
    torch.testing.assert_close(learner(state, X_query), expected)


# ---------------------------------------------------------------------- against plain loops


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_inner_steps_equal_those_of_torch(
    momentum, weight_decay, batch_size, pad, regression_tasks
):
    network, tasks = small_mlp(), regression_tasks([5, 3, 2])
    optimizer = InnerSGD(0.1, momentum, weight_decay)
    maml = MAML(network, squared_error, optimizer, 4, support_batch_size=batch_size).eval()
    state = maml.adapt(pad(tasks))
    for i, (X, y) in enumerate(tasks):
        own = copy.deepcopy(network)
        sgd = torch.optim.SGD(own.parameters(), 0.1, momentum, weight_decay=weight_decay)
        for step in range(4):
            size = len(X) if batch_size is None else min(batch_size, len(X))
            rows = (
                [0, 1] if size == len(X) == 2 else [(step * size + j) % len(X) for j in range(size)]
            )
            sgd.zero_grad()
            F.mse_loss(own(X[rows]), y[rows]).backward()
            sgd.step()
        for name, param in own.named_parameters():
            torch.testing.assert_close(state[f"backbone.{name}"][i], param.detach())


def test_anil_equals_a_loop_over_tasks(pad, regression_tasks):
    network = small_mlp()
    tasks, queries = regression_tasks([5, 3, 1]), regression_tasks([4, 6, 5])
    params = list(network.parameters())
    total = 0
    for (X, y), (X_query, y_query) in zip(tasks, queries, strict=True):

        def features(X):
            X = torch.tanh(F.linear(X, params[0], params[1]))
            return torch.tanh(F.linear(X, params[2], params[3]))

        head = params[4:]
        for _ in range(3):
            loss = F.mse_loss(F.linear(features(X), *head), y)
            gradients = torch.autograd.grad(loss, head, create_graph=True)
            head = [p - 0.3 * g for p, g in zip(head, gradients, strict=True)]
        total = total + F.mse_loss(F.linear(features(X_query), *head), y_query) / len(tasks)
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(total, params)])
    learner = anil(network)
    loss = query_loss(learner, pad(tasks), pad(queries))
    gradients = torch.autograd.grad(loss, params)
    torch.testing.assert_close(torch.cat([g.flatten() for g in gradients]), expected)
    first_order = query_loss(anil(network, first_order=True), pad(tasks), pad(queries))
    gradients = torch.cat([g.flatten() for g in torch.autograd.grad(first_order, params)])
    assert 0.01 < relative_error(gradients, expected) < 1


def test_reptile_equals_a_loop_over_tasks(pad, regression_tasks):
    network, tasks = small_mlp(), regression_tasks([5, 3, 1])
    expected = 0
    for X, y in tasks:
        own = copy.deepcopy(network)
        sgd = torch.optim.SGD(own.parameters(), 0.1)
        for _ in range(4):
            sgd.zero_grad()
            F.mse_loss(own(X), y).backward()
            sgd.step()
        moved = zip(network.parameters(), own.parameters(), strict=True)
        expected = expected + torch.cat([(p - q).flatten() for p, q in moved]) / len(tasks)
    learner = MAML(network, squared_error, InnerSGD(0.1), 4, first_order=True)
    support = pad(tasks)
    distances = ReptileEpisode(learner)(support.X, *support[:3])
    torch.testing.assert_close(meta_gradient(learner, distances.mean()), expected.detach())
    episode = ReptileEpisode(learner).eval()
    output = learner(learner.adapt(support), support.X)
    torch.testing.assert_close(episode(support.X, *support[:3]), output)


# ---------------------------------------------------------------------- learned rates


@pytest.mark.parametrize(
    ("per", "groups"),
    [
        ("shared", [""]),
        ("layer", ["layers.0", "layers.1"]),
        ("parameter", [f"layers.{i}.{part}" for i in (0, 1) for part in ("weight", "bias")]),
    ],
)
def test_groups_of_learned_rates(per, groups):
    shapes = parameter_shapes(MLP(2, 1, hidden_sizes=(3,)))
    rate = LearnedRate(0.1, shapes, per, n_steps=4)
    assert rate.groups == groups
    for name, shape in shapes.items():
        assert rate(name, 0).shape == (shape if per == "parameter" else ())
    with torch.no_grad():
        for multiples in rate.multiples:
            multiples[-1] = 70.0
    for name in shapes:
        assert (rate(name, 2) == 0.1).all()
        assert (rate(name, 3) == 7.0).all()
        assert (rate(name, 30) == 7.0).all()


def test_an_optimiser_moves_a_learned_rate_by_a_share_of_its_start():
    shapes = parameter_shapes(MLP(2, 1))
    for start, expected in ((0.01, 0.0101), (5.0, 5.05), (0.0, 0.01)):
        rate = LearnedRate(start, shapes)
        optimizer = torch.optim.Adam(rate.parameters(), lr=0.01, maximize=True)
        rate("layers.0.weight", 0).backward()
        optimizer.step()
        assert rate("layers.0.weight", 0).item() == pytest.approx(expected, rel=1e-4)
        assert rate.read()[""].item() == pytest.approx(expected, rel=1e-4)


def test_an_unknown_grouping_is_refused():
    with pytest.raises(ValueError, match="per must be one of shared, layer, parameter; got 'unit'"):
        LearnedRate(0.1, {}, per="unit")


def test_equal_learned_rates_do_what_a_fixed_one_does(pad, regression_tasks):
    network, support = small_mlp(), pad(regression_tasks([5, 3]))
    expected = everything(network, InnerSGD(0.3, 0.5, 0.1)).adapt(support, n_steps=5)
    for per in ("shared", "layer", "parameter"):
        optimizer = learned_sgd(parameter_shapes(network), per=per, n_steps=2)
        state = everything(network, optimizer).adapt(support, n_steps=5)
        for name in expected:
            # a rate of 0.3 in 32 bits is another in 64
            torch.testing.assert_close(state[name], expected[name], rtol=1e-6, atol=1e-6)


def test_unknown_parameters_are_refused():
    with pytest.raises(ValueError, match=r"which has layers.0.weight.*got \['head'\]"):
        MAML(small_mlp(), squared_error, adapted=["head"])


# ---------------------------------------------------------------------- steps


def test_recomputing_steps_gives_the_same_gradient_and_holds_less(pad, regression_tasks):
    network = nn.Sequential(nn.Linear(2, 20), nn.Dropout(0.5), nn.Tanh(), nn.Linear(20, 1)).double()
    support, query = pad(regression_tasks([5, 3])), pad(regression_tasks([4, 6]))
    gradients, held = [], []
    for recompute in (False, True):
        maml = MAML(network, squared_error, InnerSGD(0.1, 0.5), 10, recompute=recompute)
        torch.manual_seed(3)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x, kept=kept: (kept.append(x.numel()), x)[1], lambda x: x
        ):
            loss = query_loss(maml, support, query)
        held.append(sum(kept))
        gradients.append(meta_gradient(maml, loss))
    assert torch.equal(*gradients)
    assert held[1] < held[0] / 3


def test_states_of_each_step(learner, pad, regression_tasks):
    support = pad(regression_tasks([5, 3]))
    states = learner.trajectory(support, n_steps=4)
    assert len(states) == 5
    for n_steps, state in enumerate(states):
        expected = learner.adapt(support, n_steps=n_steps)
        assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_multi_step_loss_equals_finite_differences(pad, regression_tasks):
    maml = everything(small_mlp())
    support, query = pad(regression_tasks([5, 3])), pad(regression_tasks([4, 6]))
    episode = MultiStepEpisode(maml)

    def loss():
        outputs = episode(query.X, *support[:3], mask_query=query.mask)
        losses = [masked_mean(squared_error(o, query.y), query.mask).mean() for o in outputs]
        return torch.stack(losses) @ step_weights(3, progress=0.4).double()

    assert relative_error(meta_gradient(maml, loss()), finite_differences(maml, loss)) < 1e-6
    after_last = maml(maml.adapt(support), query.X, query.mask)
    torch.testing.assert_close(episode(query.X, *support[:3])[-1], after_last)
    torch.testing.assert_close(episode.eval()(query.X, *support[:3]), after_last)


@given(n_steps=st.integers(1, 9), progress=st.floats(0, 1))
def test_step_weights_sum_to_one(n_steps, progress):
    weights = step_weights(n_steps, progress)
    assert weights.sum().item() == pytest.approx(1, abs=1e-6)
    assert (weights >= 0).all()
    assert weights[-1] == weights.max()


@given(sizes=st.lists(st.integers(0, 7), min_size=1, max_size=4), size=st.integers(1, 8))
def test_rows_in_turn_are_seen_equally_often(sizes, size):
    n_slots = max(sizes)
    mask = torch.arange(n_slots) < torch.tensor(sizes)[:, None]
    X = torch.arange(n_slots).expand(len(sizes), -1).unsqueeze(-1)
    support = Support(X, X, mask, weight=X[..., 0])
    for i, n_rows in enumerate(sizes):
        seen = []
        for step in range(max(n_rows, 1)):
            batch = support_batch(support, step, size)
            rows = batch.X[i, batch.mask[i], 0].tolist()
            assert batch.weight[i, batch.mask[i]].tolist() == rows
            assert len(set(rows)) == len(rows) == min(size, n_rows)
            seen += rows
        assert sorted(seen) == sorted([*range(n_rows)] * min(size, n_rows))


# ---------------------------------------------------------------------- weights, dropout, parts


def test_a_row_of_weight_two_counts_as_two_rows(learner, pad, regression_tasks):
    if learner.support_batch_size is not None or any(
        type(layer).__name__ in ("BatchNorm1d", "TaskBatchNorm") for layer in learner.modules()
    ):
        pytest.skip("rows in turn and batch statistics count rows, whatever their weight")
    (X, y), *_ = regression_tasks([4])
    twice = pad([(torch.cat([X, X[:1]]), torch.cat([y, y[:1]]))])
    weighted = pad([(X, y)])._replace(weight=torch.tensor([[2.0, 1.0, 1.0, 1.0]]).double())
    expected, state = learner.eval().adapt(twice), learner.adapt(weighted)
    for name in expected:
        torch.testing.assert_close(state[name], expected[name])


def test_a_split_network_is_the_network():
    for network in (small_mlp(), batch_norm_net().eval(), ConvNet((1, 16, 16), 5).double()):
        body, head = split_head(network)
        n_inputs = 256 if isinstance(network, ConvNet) else 2
        rows = torch.randn(6, n_inputs).double()
        if isinstance(network, nn.Sequential):  # whose body takes the task's statistics
            network = network.train()
        torch.testing.assert_close(head(body(rows)), network(rows))
        shared = {id(p) for p in network.parameters()}
        assert {id(p) for part in (body, head) for p in part.parameters()} == shared
    for network in (Plain(small_mlp()), nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Sequential()):
        assert split_head(network) == (None, network)


def test_dropout_in_a_body_takes_part_in_training_alone(pad, regression_tasks):
    body = nn.Sequential(nn.Linear(2, 50), nn.Dropout(0.5)).double()
    learner = MAML(nn.Linear(50, 1).double(), squared_error, InnerSGD(0.1), 2, body=body)
    support = pad(regression_tasks([5]) * 2)
    assert not torch.equal(*learner.adapt(support)["backbone.weight"])
    learner.eval()
    torch.testing.assert_close(*learner.adapt(support)["backbone.weight"])


def test_context_of_images_fills_channels(pad):
    net = ContextNet(ConvNet((3, 4, 4), n_outputs=2, n_channels=2, n_blocks=2), n_context=2)
    seen = []
    net.network.blocks.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    net.network.blocks[0][1] = nn.Identity()
    net.network.blocks[1][1] = nn.Identity()
    X, context = torch.randn(1, 5, 16), torch.tensor([[7.0, -3.0]])
    net.forward_tasks({"context": context}, X)
    images = seen[0]
    assert torch.equal(images[:, 0].reshape(1, 5, 16), X)
    assert (images[:, 1] == 7).all()
    assert (images[:, 2] == -3).all()

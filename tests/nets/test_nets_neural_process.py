import pytest
import torch

from skmeta.nets import (
    MLP,
    NeuralProcess,
    NumberCode,
    OwnClassCode,
    RowAttention,
    SharedClassCode,
    Support,
    log_weights,
    take_tasks,
)

ENCODERS = ["mean", "attention", "transformer"]


def process(encoder, code=None, **options):
    net = NeuralProcess(2, NumberCode(1) if code is None else code, encoder, **options)
    return net.double().eval()


def predict(net, tasks, queries, pad):
    with torch.no_grad():
        return net(net.adapt(pad(tasks)), pad(queries).X)


def test_attention_without_learned_slot_is_torch_own():
    ours = RowAttention(8, 2).double()
    torch_own = torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    with torch.no_grad():
        parts = torch_own.in_proj_weight.chunk(3), torch_own.in_proj_bias.chunk(3)
        for layer, weight, bias in zip((ours.query, ours.key, ours.value), *parts, strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        ours.output.load_state_dict(torch_own.out_proj.state_dict())
        ours.slot_key.fill_(0.0)
    queries, rows = torch.randn(3, 5, 8).double(), torch.randn(3, 4, 8).double()
    # The slot has logit zero; a very large weight of all rows makes it vanish.
    found = ours(queries, rows, rows, torch.full((3, 4), 60.0).double())
    torch.testing.assert_close(found, torch_own(queries, rows, rows)[0])


def test_attention_to_nothing_is_the_slot():
    attention = RowAttention(4, 1)
    torch.nn.init.normal_(attention.slot_value)
    queries, rows = torch.randn(2, 3, 4), torch.randn(2, 5, 4, requires_grad=True)
    found = attention(queries, rows, rows, log_weights(torch.zeros(2, 5)))
    expected = attention.output(attention.slot_value).expand(2, 3, -1)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert torch.equal(rows.grad, torch.zeros_like(rows))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_padding_changes_nothing(encoder, pad, regression_tasks):
    net, tasks, queries = process(encoder), regression_tasks([3, 8, 0]), regression_tasks([5] * 3)
    together = predict(net, tasks, queries, pad)
    assert torch.isfinite(together).all()
    for i, (task, query) in enumerate(zip(tasks, queries, strict=True)):
        torch.testing.assert_close(together[i : i + 1], predict(net, [task], [query], pad))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_stands_in_padding_does_not_matter(encoder, pad, regression_tasks):
    net, support = process(encoder), pad(regression_tasks([3, 8]))
    X = torch.randn(2, 4, 2).double()
    noise = torch.where(support.mask[..., None], support.X, 1e6)
    other = net(net.adapt(support._replace(X=noise)), X)
    torch.testing.assert_close(net(net.adapt(support), X), other)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("code", [NumberCode(1), SharedClassCode(3), OwnClassCode()])
def test_order_and_weights_of_rows(encoder, code, pad, regression_tasks, classification_tasks):
    draw = regression_tasks if type(code) is NumberCode else classification_tasks
    net, [(X, y)] = process(encoder, code), draw([8])
    y[-3:] = y[:3]  # whatever is left out, all classes stay
    query = torch.randn(1, 4, 2).double()
    order = torch.randperm(8)
    expected = net(net.adapt(pad([(X, y)])), query)
    torch.testing.assert_close(net(net.adapt(pad([(X[order], y[order])])), query), expected)
    weight = torch.tensor([2.0, 1.0, 1.0, 3.0, 1.0, 0.0, 1.0, 1.0]).double()
    times = weight.long()
    repeated = pad([(X.repeat_interleave(times, 0), y.repeat_interleave(times, 0))])
    weighted = pad([(X, y)])._replace(weight=weight[None])
    torch.testing.assert_close(net(net.adapt(weighted), query), net(net.adapt(repeated), query))


@pytest.mark.parametrize("encoder", ["mean", "attention"])
@pytest.mark.parametrize("code", [NumberCode(1), SharedClassCode(3)])
def test_update_is_adapting_to_all_rows(encoder, code, pad, regression_tasks, classification_tasks):
    draw = regression_tasks if type(code) is NumberCode else classification_tasks
    net, [(X, y)] = process(encoder, code), draw([9])
    query = torch.randn(1, 4, 2).double()
    state = net.adapt(pad([(X[:4], y[:4])]))
    state = net.update(state, pad([(X[4:], y[4:])]))
    torch.testing.assert_close(net(state, query), net(net.adapt(pad([(X, y)])), query))


def test_no_update_where_rows_depend_on_each_other(pad, regression_tasks):
    net, support = process("transformer"), pad(regression_tasks([4]))
    with pytest.raises(TypeError, match="encoder"):
        net.update(net.adapt(support), support)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_classes_of_the_task_have_no_order(encoder, pad):
    net = process(encoder, OwnClassCode())
    X, y = torch.randn(9, 2).double(), torch.arange(9) % 3
    query, other_name = torch.randn(1, 4, 2).double(), torch.tensor([2, 0, 1])
    logits = net(net.adapt(pad([(X, y)])), query)
    renamed = net(net.adapt(pad([(X, other_name[y])])), query)
    torch.testing.assert_close(renamed[..., other_name], logits)


def test_classes_that_a_task_lacks_have_no_chance(pad):
    net = process("mean", OwnClassCode())
    tasks = [(torch.randn(6, 2).double(), torch.arange(6) % n) for n in (2, 4)]
    proba = net(net.adapt(pad(tasks)), torch.randn(2, 3, 2).double()).softmax(-1)
    assert (proba[0, :, 2:] == 0).all()
    assert (proba[1] > 0).all()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_states_can_be_taken_apart(encoder, pad, regression_tasks):
    net, support = process(encoder), pad(regression_tasks([4, 4, 4]))
    query = torch.randn(3, 5, 2).double()
    state = net.adapt(support)
    alone = net(take_tasks(state, 1), query[1:2])
    torch.testing.assert_close(alone, net(state, query)[1:2])


def test_the_state_of_the_mean_is_compact(pad, regression_tasks):
    net = process("mean")
    sizes = [
        sum(p.numel() for p in net.adapt(pad(regression_tasks([n]))).values()) for n in (3, 90)
    ]
    assert sizes[0] == sizes[1] == 65


def test_an_embedding_comes_first(pad, regression_tasks):
    embedding = MLP(2, 5).double()
    net = NeuralProcess(5, NumberCode(1), "attention", embedding).double()
    support, query = pad(regression_tasks([4, 3])), torch.randn(2, 5, 2).double()
    net(net.adapt(support), query).sum().backward()
    assert all(p.grad is not None for p in embedding.parameters())


def test_unknown_encoder():
    with pytest.raises(ValueError, match="'median'"):
        NeuralProcess(1, NumberCode(1), "median")


def test_variance_is_positive_and_the_mean_unbounded():
    output = NumberCode(2).decode(torch.tensor([[[-50.0, -50.0, 7.0, 3.0]]]), {})
    assert output.shape == (1, 1, 2, 2)
    torch.testing.assert_close(output[0, 0, :, 0], torch.tensor([-50.0, 7.0]))
    assert (output[..., 1] > 0).all()


def test_two_classes_without_rows_are_equal(pad):
    """A class mask without rows: finite, and nothing is known."""
    net = process("attention", OwnClassCode())
    empty = Support(
        torch.zeros(1, 0, 2).double(),
        torch.zeros(1, 0, dtype=torch.long),
        torch.zeros(1, 0).bool(),
        torch.ones(1, 2).bool(),
    )
    logits = net(net.adapt(empty), torch.randn(1, 3, 2).double())
    torch.testing.assert_close(logits[..., 0], logits[..., 1])

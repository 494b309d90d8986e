import pickle
from concurrent.futures import ThreadPoolExecutor

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
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from skmeta.nets import (
    MAML,
    MLP,
    ConvNet,
    InnerSGD,
    Support,
    cross_entropy,
    squared_error,
    take_tasks,
)

BACKBONES = {
    "mlp": small_mlp,
    "vmap": lambda n_outputs=1: Plain(small_mlp(n_outputs)),
    "batch norm": batch_norm_net,
    "layer norm": layer_norm_net,
}


@pytest.fixture(params=BACKBONES)
def make_backbone(request):
    return BACKBONES[request.param]


@pytest.mark.parametrize("n_steps", [1, 3])
def test_meta_gradient_equals_finite_differences(make_backbone, n_steps, pad, regression_tasks):
    maml = MAML(make_backbone(), squared_error, optimizer=InnerSGD(0.3), n_steps=n_steps)
    support, query = pad(regression_tasks([5, 3, 0])), pad(regression_tasks([4, 6, 5]))

    def loss():
        return query_loss(maml, support, query)

    assert relative_error(meta_gradient(maml, loss()), finite_differences(maml, loss)) < 1e-6


def test_meta_gradient_of_convnet_equals_finite_differences(pad, classification_tasks):
    backbone = ConvNet((1, 4, 4), n_outputs=3, n_channels=2, n_blocks=2).double()
    maml = MAML(backbone, cross_entropy, optimizer=InnerSGD(0.3), n_steps=2)
    class_mask = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    tasks = classification_tasks([5, 4, 4, 5], n_features=16, n_classes=2)
    support, query = pad(tasks[:2], class_mask), pad(tasks[2:], class_mask)

    def loss():
        return query_loss(maml, support, query)

    expected = finite_differences(maml, loss, step=1e-6)
    assert relative_error(meta_gradient(maml, loss()), expected) < 1e-6


def reference_mlp(params, X):
    """Forward pass of ``small_mlp``, from a flat list of weights and biases."""
    *hidden, last = zip(params[::2], params[1::2], strict=True)
    for weight, bias in hidden:
        X = torch.tanh(F.linear(X, weight, bias))
    return F.linear(X, *last)


def reference_maml(params, tasks, queries, inner_lr, n_steps):
    """Meta-gradient, task after task."""
    loss = 0
    for (X, y), (X_query, y_query) in zip(tasks, queries, strict=True):
        adapted = params
        for _ in range(n_steps):
            support_loss = F.mse_loss(reference_mlp(adapted, X), y)
            gradients = torch.autograd.grad(support_loss, adapted, create_graph=True)
            adapted = [p - inner_lr * g for p, g in zip(adapted, gradients, strict=True)]
        loss = loss + F.mse_loss(reference_mlp(adapted, X_query), y_query) / len(tasks)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, params)])


def reference_fomaml(params, tasks, queries, inner_lr, n_steps):
    """Mean over tasks of the query gradient where ordinary gradient descent has led."""
    total = 0
    for (X, y), (X_query, y_query) in zip(tasks, queries, strict=True):
        adapted = [p.detach().clone().requires_grad_() for p in params]
        optimizer = torch.optim.SGD(adapted, lr=inner_lr)
        for _ in range(n_steps):
            optimizer.zero_grad()
            F.mse_loss(reference_mlp(adapted, X), y).backward()
            optimizer.step()
        optimizer.zero_grad()
        F.mse_loss(reference_mlp(adapted, X_query), y_query).backward()
        total = total + torch.cat([p.grad.flatten() for p in adapted])
    return total / len(tasks)


@pytest.mark.parametrize("plain", [False, True], ids=["mlp", "vmap"])
@pytest.mark.parametrize("n_steps", [1, 5])
def test_meta_gradient_equals_a_loop_over_tasks(n_steps, plain, pad, regression_tasks):
    backbone = Plain(small_mlp()) if plain else small_mlp()
    tasks, queries = regression_tasks([5, 3, 1]), regression_tasks([4, 6, 5])
    gradients = {}
    for first_order in (False, True):
        maml = MAML(backbone, squared_error, InnerSGD(0.3), n_steps, first_order)
        gradients[first_order] = meta_gradient(maml, query_loss(maml, pad(tasks), pad(queries)))
    params = list(backbone.parameters())
    second_order = reference_maml(params, tasks, queries, 0.3, n_steps)
    torch.testing.assert_close(gradients[False], second_order)
    first_order = reference_fomaml(params, tasks, queries, 0.3, n_steps)
    torch.testing.assert_close(gradients[True], first_order)
    assert relative_error(first_order, second_order) > 0.01


def assert_same_as_one_by_one(maml, pad, tasks, queries, class_mask=None):
    support, query = pad(tasks, class_mask), pad(queries)
    output = maml(maml.adapt(support), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        own_classes = None if class_mask is None else class_mask[i : i + 1]
        alone = maml(maml.adapt(pad([task], own_classes)), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone)


sizes = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=4)


@pytest.mark.parametrize("name", BACKBONES)
@settings(max_examples=15, deadline=None)
@given(sizes=sizes)
def test_padded_tasks_equal_tasks_one_by_one(name, sizes, pad, regression_tasks):
    maml = MAML(BACKBONES[name](), squared_error, optimizer=InnerSGD(0.3), n_steps=2)
    n_support, n_query = zip(*sizes, strict=True)
    tasks, queries = regression_tasks(n_support), regression_tasks(n_query)
    assert_same_as_one_by_one(maml, pad, tasks, queries)


def test_padded_tasks_of_a_convnet_equal_tasks_one_by_one(pad, classification_tasks):
    backbone = ConvNet((1, 4, 4), n_outputs=3, n_channels=4, n_blocks=2).double()
    maml = MAML(backbone, cross_entropy, optimizer=InnerSGD(0.3), n_steps=2)
    tasks = classification_tasks([5, 2, 0], n_features=16)
    queries = classification_tasks([1, 4, 6], n_features=16)
    assert_same_as_one_by_one(maml, pad, tasks, queries)


def test_padded_tasks_with_other_classes_equal_tasks_one_by_one(
    make_backbone, pad, classification_tasks
):
    maml = MAML(make_backbone(n_outputs=3), cross_entropy, optimizer=InnerSGD(0.3), n_steps=2)
    class_mask = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 0, 0]]).bool()
    tasks = [*classification_tasks([4], n_classes=2), *classification_tasks([5])]
    tasks += classification_tasks([3], n_classes=1)
    queries = classification_tasks([3, 2, 3])
    assert_same_as_one_by_one(maml, pad, tasks, queries, class_mask)


@pytest.mark.parametrize("n_steps", [0, 3])
def test_a_class_that_does_not_exist_might_as_well_have_no_slot(n_steps, pad, classification_tasks):
    three, two = small_mlp(n_outputs=3), small_mlp(n_outputs=2)
    two.load_state_dict(
        {
            name: param[[0, 2]] if name.startswith("layers.2") else param
            for name, param in three.state_dict().items()
        }
    )
    task, X_query = classification_tasks([6], n_classes=2), torch.randn(1, 4, 2).double()
    (X, y), *_ = task
    three = MAML(three, cross_entropy, optimizer=InnerSGD(0.3), n_steps=n_steps)
    two = MAML(two, cross_entropy, optimizer=InnerSGD(0.3), n_steps=n_steps)
    without_slot = two(two.adapt(pad(task)), X_query).softmax(-1)
    class_mask = torch.tensor([[True, False, True]])
    with_slot = three(three.adapt(pad([(X, 2 * y)], class_mask)), X_query).softmax(-1)
    torch.testing.assert_close(with_slot[..., [0, 2]], without_slot)
    assert (with_slot[..., 1] == 0).all()


def test_class_mask_has_finite_meta_gradients(pad, classification_tasks):
    maml = MAML(small_mlp(n_outputs=3), cross_entropy, optimizer=InnerSGD(0.3), n_steps=2)
    class_mask = torch.tensor([[0, 1, 1], [0, 0, 0]]).bool()
    tasks = [(X, y + 1) for X, y in classification_tasks([4], n_classes=2)]
    support = pad([*tasks, (torch.zeros(0, 2).double(), torch.zeros(0).long())], class_mask)
    loss = query_loss(maml, support, support)
    assert loss.isfinite()
    assert meta_gradient(maml, loss).isfinite().all()


@pytest.mark.parametrize("n_slots", [0, 3])
def test_no_support_row_gives_the_initialisation(make_backbone, n_slots):
    maml = MAML(make_backbone(), squared_error, optimizer=InnerSGD(0.3), n_steps=3)
    rows = torch.zeros(2, n_slots, 2).double()
    state = maml.adapt(Support(rows, rows[..., :1], torch.zeros(2, n_slots).bool()))
    for name, param in maml.named_parameters():
        assert torch.equal(state[name], param.expand(2, *param.shape)), name


def test_zero_steps_give_the_initialisation(pad, regression_tasks):
    maml = MAML(small_mlp(), squared_error, n_steps=3).eval()
    state = maml.adapt(pad(regression_tasks([5, 3])), n_steps=0)
    for name, param in maml.named_parameters():
        assert torch.equal(state[name], param.expand(2, *param.shape)), name


def test_number_of_steps_can_be_chosen_at_adaptation(pad, regression_tasks):
    backbone, support = small_mlp(), pad(regression_tasks([5, 3]))
    expected = MAML(backbone, squared_error, n_steps=4).adapt(support)
    state = MAML(backbone, squared_error, n_steps=1).adapt(support, n_steps=4)
    assert all(torch.equal(state[name], expected[name]) for name in expected)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_prediction_takes_the_steps_of_training(make_backbone, context, pad, regression_tasks):
    backbone = make_backbone()
    maml = MAML(backbone, squared_error, optimizer=InnerSGD(0.3), n_steps=2)
    tasks, X_query = regression_tasks([5, 3]), torch.randn(2, 4, 2).double()
    expected = maml(maml.adapt(pad(tasks)), X_query)
    maml.train(mode=context is not torch.enable_grad)
    with context():
        state = maml.adapt(pad(tasks))
        output = maml(state, X_query)
    torch.testing.assert_close(output, expected.detach())
    assert not any(tensor.requires_grad for tensor in state.values())
    assert all(param.grad is None for param in maml.parameters())


def test_state_of_one_task_survives_slicing_and_pickling(pad, classification_tasks):
    maml = MAML(small_mlp(3), cross_entropy, optimizer=InnerSGD(0.3)).eval()
    class_mask = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    state = maml.adapt(pad(classification_tasks([5, 3], n_classes=2), class_mask))
    assert set(state) == {"class_mask", *dict(maml.named_parameters())}
    X_query = torch.randn(2, 4, 2).double()
    one = pickle.loads(pickle.dumps(take_tasks(state, 1)))
    assert all(len(tensor) == 1 for tensor in one.values())
    torch.testing.assert_close(maml(one, X_query[1:]), maml(state, X_query)[1:])
    both = take_tasks(state, torch.tensor([1, 0]))
    torch.testing.assert_close(maml(both, X_query.flip(0)), maml(state, X_query).flip(0))


def test_one_task_does_not_pickle_the_batch():
    tasks = Support(torch.zeros(500, 1, 2), torch.zeros(500, 1, 1), torch.ones(500, 1).bool())
    state = MAML(MLP(2, 1), squared_error).eval().adapt(tasks)
    assert len(pickle.dumps(take_tasks(state, slice(7, 8)))) < 20_000


@pytest.mark.parametrize("training", [True, False])
def test_threads_share_one_module(make_backbone, training, pad, regression_tasks):
    maml = MAML(make_backbone(), squared_error, optimizer=InnerSGD(0.3), n_steps=3).train(training)
    supports = [pad(regression_tasks([5, 3])) for _ in range(40)]
    X_query = torch.randn(2, 4, 2).double()

    def predict(support):
        return maml(maml.adapt(support), X_query).detach()

    expected = [predict(support) for support in supports]
    with ThreadPoolExecutor(8) as threads:
        outputs = list(threads.map(predict, supports))
    assert all(map(torch.equal, outputs, expected))


def test_frozen_parameters_are_shared(pad, regression_tasks):
    backbone = small_mlp()
    backbone.layers[0].requires_grad_(False)
    state = MAML(backbone, squared_error, optimizer=InnerSGD(0.3)).adapt(
        pad(regression_tasks([5, 3]))
    )
    assert "backbone.layers.0.weight" not in state
    assert (state["backbone.layers.1.weight"] != backbone.layers[1].weight).any()


def test_unused_parameter_stays(pad, regression_tasks):
    backbone = Plain(small_mlp())
    backbone.unused = nn.Parameter(torch.ones(3))
    state = MAML(backbone, squared_error).adapt(pad(regression_tasks([5, 3])))
    assert torch.equal(state["backbone.unused"], torch.ones(2, 3))


def test_dropout_takes_part_in_training_alone(pad, regression_tasks):
    backbone = nn.Sequential(nn.Linear(2, 50), nn.Dropout(0.5), nn.Linear(50, 1)).double()
    maml = MAML(backbone, squared_error, optimizer=InnerSGD(0.1))
    support = pad(regression_tasks([5]) * 2)

    def first_weight():
        return maml.adapt(support)["backbone.0.weight"]

    assert not torch.equal(*first_weight())
    maml.eval()
    assert torch.equal(*first_weight())
    assert torch.equal(first_weight(), first_weight())


def test_backbone_without_parameters_is_refused():
    with pytest.raises(ValueError, match="require a gradient; Tanh has none"):
        MAML(nn.Tanh(), squared_error)

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from sklearn.linear_model import Ridge
from torch.nn import functional as F

from skmeta.nets import (
    MLP,
    RidgeClassifierHead,
    RidgeHead,
    Support,
    compress_rows,
    row_table,
    squared_error,
)


def learned(cls=RidgeHead, n_outputs=1):
    """A head whose embedding and prior are anything but zero."""
    head = cls(MLP(2, 4, hidden_sizes=(6,), activation="tanh"), 4, n_outputs).double()
    with torch.no_grad():
        for param in (head.prior_weight, head.prior_intercept, head.log_alpha):
            param.normal_()
        head.log_alpha_intercept.fill_(-0.7)
    return head


def objective(head, X, y, weight, intercept):
    """What the head of one task minimises."""
    error = y - head.embedding(X) @ weight - intercept
    return (
        error.square().sum()
        + head.log_alpha.exp() * (weight - head.prior_weight).square().sum()
        + head.log_alpha_intercept.exp() * (intercept - head.prior_intercept).square().sum()
    )


@pytest.mark.parametrize("n_rows", [2, 3, 8, 30])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_without_embedding_and_prior_it_is_ridge(n_rows, offset, pad):
    X, y = offset + torch.randn(n_rows, 4).double(), offset + torch.randn(n_rows, 2).double()
    head = RidgeHead(None, 4, 2, alpha=0.3, learn_prior=False).double().eval()
    state = head.adapt(pad([(X, y)]))
    ridge = Ridge(alpha=0.3).fit(X.numpy(), y.numpy())
    tolerance = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(state["weight"][0].T.numpy(), ridge.coef_, **tolerance)
    torch.testing.assert_close(head(state, X[None])[0].numpy(), ridge.predict(X.numpy()))


@pytest.mark.parametrize("n_rows", [1, 3, 4, 30])
def test_the_head_minimises_its_objective(n_rows, pad, regression_tasks):
    head, [(X, y)] = learned(), regression_tasks([n_rows])
    state = head.adapt(pad([(X, y)]))
    weight, intercept = (state[k][0].detach().requires_grad_() for k in ("weight", "intercept"))
    gradients = torch.autograd.grad(objective(head, X, y, weight, intercept), [weight, intercept])
    for gradient in gradients:
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-10)


def test_no_support_row_gives_the_prior(pad, regression_tasks):
    head = learned()
    for n_slots in (0, 3):
        support = Support(
            torch.zeros(1, n_slots, 2).double(),
            torch.zeros(1, n_slots, 1).double(),
            torch.zeros(1, n_slots).bool(),
        )
        state = head.adapt(support)
        assert torch.equal(state["weight"][0], head.prior_weight)
        assert torch.equal(state["intercept"][0], head.prior_intercept)
    free = RidgeHead(None, 2, 1, learn_prior=False).double()
    assert (free(free.adapt(support), torch.randn(1, 4, 2).double()) == 0).all()


def test_one_row_moves_the_intercept_alone_if_it_is_free():
    head = RidgeHead(None, 2, 1, learn_prior=False)
    state = head.adapt(
        Support(torch.randn(1, 1, 2), torch.full((1, 1, 1), 3.0), torch.ones(1, 1).bool())
    )
    assert (state["weight"] == 0).all()
    assert state["intercept"].item() == 3.0


@pytest.mark.parametrize("is_training", [True, False])
def test_padded_tasks_equal_tasks_one_by_one(is_training, pad, regression_tasks):
    head = learned().train(is_training)
    tasks, queries = regression_tasks([3, 0, 20, 1]), regression_tasks([1, 4, 6, 2])
    query = pad(queries)
    output = head(head.adapt(pad(tasks)), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        alone = head(head.adapt(pad([task])), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone)


@pytest.mark.parametrize("n_rows", [3, 9])
def test_gradients_are_those_of_finite_differences(n_rows, pad, regression_tasks):
    head = learned()
    support, query = (
        pad(regression_tasks([n_rows, n_rows - 2, 0])),
        pad(regression_tasks([2, 3, 1])),
    )

    def losses(*_params):  # which are perturbed in place
        return squared_error(head(head.adapt(support), query.X, query.mask), query.y)

    assert torch.autograd.gradcheck(losses, tuple(head.parameters()))


@pytest.mark.parametrize("sizes", [[2, 5], [4, 0, 40, 3], [0, 1], [50, 50]])
def test_rows_that_arrive_later_count_as_if_they_had_been_there(sizes, pad, regression_tasks):
    head = learned().eval()
    X, y = regression_tasks([sum(sizes)])[0]
    state = head.adapt(pad([(X[:0], y[:0])]))
    for X_new, y_new in zip(X.split(sizes), y.split(sizes), strict=True):
        state = head.update(state, pad([(X_new, y_new)]))
        assert state["table"].shape[1] <= 1 + 4 + 1 + len(y_new)
    expected = head.adapt(pad([(X, y)]))
    torch.testing.assert_close(state["weight"], expected["weight"])
    torch.testing.assert_close(state["intercept"], expected["intercept"])


def test_the_state_does_not_grow_with_the_support(pad, regression_tasks):
    head = learned().eval()
    assert head.adapt(pad(regression_tasks([500])))["table"].shape == (1, 6, 6)
    assert head.adapt(pad(regression_tasks([3])))["table"].shape == (1, 3, 6)


def test_compression_keeps_products():
    table = row_table(1e4 + torch.randn(2, 30, 3), torch.randn(2, 30, 2), torch.ones(2, 30).bool())
    small = compress_rows(table.double())
    assert small.shape == (2, 6, 6)
    torch.testing.assert_close(small.mT @ small, table.double().mT @ table.double())
    assert compress_rows(table[:, :6]).shape == (2, 6, 6)


def test_state_is_detached_in_evaluation(pad, regression_tasks):
    head, support = learned(), pad(regression_tasks([6, 3]))
    assert head.adapt(support)["weight"].requires_grad
    assert not any(part.requires_grad for part in head.eval().adapt(support).values())


def test_classes_are_regressed_one_hot(pad, classification_tasks):
    head = learned(RidgeClassifierHead, n_outputs=3)
    [(X, y)] = classification_tasks([12])
    regression = learned(RidgeHead, n_outputs=3)
    regression.load_state_dict(head.state_dict(), strict=False)
    expected = regression(regression.adapt(pad([(X, F.one_hot(y, 3).double())])), X[None])
    logits = head(head.adapt(pad([(X, y)])), X[None])
    torch.testing.assert_close(logits, head.log_scale.exp() * expected)


@pytest.mark.parametrize("n_prior", [0, 3])
def test_classes_beyond_the_prior_shrink_to_zero(n_prior, pad):
    head = RidgeClassifierHead(None, 2, n_prior)
    X, y = torch.randn(6, 2), torch.tensor([0, 1, 2, 3, 4, 4])
    state = head.adapt(pad([(X, y)]))
    assert state["weight"].shape == (1, 2, 5)
    assert head(state, X[None]).shape == (1, 6, 5)
    few = head.adapt(pad([(X[:1], y[:1])]))
    assert few["weight"].shape[-1] == max(1, n_prior)
    torch.testing.assert_close(
        head.eval().update(few, pad([(X[1:], y[1:])]))["weight"], state["weight"]
    )


def test_class_that_a_task_does_not_have_has_no_probability(pad):
    class_mask = torch.tensor([[True, True, False]])
    head = RidgeClassifierHead(None, 2, 0)
    X, y = torch.randn(4, 2), torch.tensor([0, 1, 1, 0])
    proba = head(head.adapt(pad([(X, y)], class_mask)), X[None]).softmax(-1)
    assert (proba[..., 2] == 0).all()
    assert (proba[..., :2] > 0).all()


def test_threads_share_one_module(pad, regression_tasks):
    head = learned().eval()
    supports = [pad(regression_tasks([5, 3])) for _ in range(40)]
    X_query = torch.randn(2, 4, 2).double()

    def predict(support):
        return head(head.adapt(support), X_query).detach()

    expected = [predict(support) for support in supports]
    with ThreadPoolExecutor(8) as threads:
        outputs = list(threads.map(predict, supports))
    assert all(map(torch.equal, outputs, expected))

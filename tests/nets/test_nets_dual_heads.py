"""Logistic regression and support vector machines: limits, solutions and their gradients."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC
from torch.nn import functional as F

from skmeta.nets import (
    MLP,
    LogisticHead,
    Support,
    SVMHead,
    class_members,
    crammer_singer_dual,
    cross_entropy,
    softmax_dual,
)

HEADS = [LogisticHead, SVMHead]


def learned(cls, n_outputs=3):
    """A head whose embedding and prior are anything but simple."""
    head = cls(MLP(2, 4, hidden_sizes=(6,), activation="tanh"), 4, n_outputs).double()
    with torch.no_grad():
        for param in (head.prior_weight, head.prior_intercept, head.log_alpha, head.log_scale):
            param.normal_(std=0.5)
        head.log_alpha_intercept.fill_(-0.7)
    return head


def blobs(n_rows=40, n_classes=3, n_features=3):
    y = torch.arange(n_rows) % n_classes
    X = torch.randn(n_rows, n_features).double()
    return X + 1.5 * F.one_hot(y, n_features), y


def augmented(X):
    return np.column_stack([X.numpy(), np.ones(len(X))])


def weights(state):
    return torch.cat([state["weight"], state["intercept"]], dim=1)[0].T.numpy()


@pytest.mark.parametrize("alpha", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_embedding_and_prior_it_is_logistic_regression(alpha, n_classes, pad):
    X, y = blobs(n_classes=n_classes)
    head = LogisticHead(None, 3, 0, alpha=alpha, learn_prior=False).double().eval()
    state = head.adapt(pad([(X, y)]))
    theirs = LogisticRegression(C=1 / alpha, fit_intercept=False, tol=1e-12, max_iter=10_000)
    theirs.fit(augmented(X), y.numpy())
    proba = head(state, X[None]).softmax(-1)[0].numpy()
    if n_classes > 2:
        np.testing.assert_allclose(weights(state), theirs.coef_, atol=1e-6)
        np.testing.assert_allclose(proba, theirs.predict_proba(augmented(X)), atol=1e-6)
    else:  # scikit-learn has one row of weights for both, whose penalty is another
        theirs.set_params(C=2 / alpha).fit(augmented(X), y.numpy())
        np.testing.assert_allclose(proba, theirs.predict_proba(augmented(X)), atol=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 30.0])
def test_without_embedding_and_prior_it_is_the_machine_of_crammer_and_singer(alpha, pad):
    X, y = blobs()
    head = SVMHead(None, 3, 0, alpha=alpha, learn_prior=False, scale=1.0).double().eval()
    state = head.adapt(pad([(X, y)]))
    theirs = LinearSVC(
        multi_class="crammer_singer", C=1 / alpha, tol=1e-10, max_iter=10**6, random_state=0
    ).fit(X.numpy(), y.numpy())
    np.testing.assert_allclose(weights(state)[:, :3], theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(weights(state)[:, 3], theirs.intercept_, atol=1e-5)
    decision = head(state, X[None])[0].numpy()
    np.testing.assert_allclose(decision, theirs.decision_function(X.numpy()), atol=1e-5)


def test_with_two_classes_it_is_an_ordinary_machine(pad):
    X, y = blobs(n_classes=2)
    head = SVMHead(None, 3, 0, alpha=0.5, learn_prior=False, scale=1.0).double().eval()
    decision = head(head.adapt(pad([(X, y)])), X[None])[0]
    gram = augmented(X) @ augmented(X).T  # the intercept is penalised as a weight is
    theirs = SVC(C=2 / 0.5, kernel="precomputed", tol=1e-10).fit(gram, y.numpy())
    # Its own intercept is not penalised; it is no more than what balances the classes.
    difference = (decision[:, 1] - decision[:, 0]).numpy()
    penalised = LinearSVC(C=2 / 0.5, loss="hinge", tol=1e-10, max_iter=10**6, random_state=0)
    penalised.fit(X.numpy(), y.numpy())
    np.testing.assert_allclose(difference, penalised.decision_function(X.numpy()), atol=1e-4)
    np.testing.assert_array_equal(difference > 0, theirs.decision_function(gram) > 0)


def program(n_rows, n_classes, seed=0):
    """Rows of different weights, with a prior, as arguments of a dual."""
    rng = torch.Generator().manual_seed(seed)
    X = torch.randn(n_rows, 4, generator=rng).double()
    y = torch.randint(n_classes, (n_rows,), generator=rng)
    weight = 0.5 + torch.rand(n_rows, 1, generator=rng).double()
    offset = 0.3 * torch.randn(n_rows, n_classes, generator=rng).double()
    return X @ X.T, offset, F.one_hot(y, n_classes) * weight, torch.ones(n_classes).bool()


@pytest.mark.parametrize(("n_rows", "n_classes"), [(3, 3), (6, 2), (10, 4), (12, 3)])
def test_the_dual_is_that_of_an_independent_solver(n_rows, n_classes):
    kernel, offset, members, class_mask = program(n_rows, n_classes)
    found = crammer_singer_dual(kernel[None], offset[None], members[None], class_mask[None])[0]
    ridge = 1e-10 * kernel.diagonal().mean() / members.sum(1)
    hessian, gain = (kernel + ridge.diag()).numpy(), ((members > 0).double() - offset).numpy()

    def objective(a):
        a = a.reshape(n_rows, n_classes)
        return 0.5 * np.sum(a * (hessian @ a)) - np.sum(gain * a), (hessian @ a - gain).ravel()

    sums = np.kron(np.eye(n_rows), np.ones(n_classes))
    expected = minimize(
        objective,
        np.zeros(n_rows * n_classes),
        jac=True,
        method="SLSQP",
        bounds=[(None, bound) for bound in members.ravel().tolist()],
        constraints=[{"type": "eq", "fun": lambda a: sums @ a, "jac": lambda a: sums}],
        options={"ftol": 1e-15, "maxiter": 2000},
    )
    assert objective(found.numpy().ravel())[0] <= expected.fun + 1e-9
    np.testing.assert_allclose(found.numpy().ravel(), expected.x, atol=1e-5)
    assert (found <= members + 1e-9).all()
    torch.testing.assert_close(found.sum(1), torch.zeros(n_rows).double(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("dual", [softmax_dual, crammer_singer_dual])
def test_the_gradient_of_a_dual_is_that_of_finite_differences(dual):
    kernel, offset, members, class_mask = (part[None] for part in program(7, 3))
    root = torch.linalg.cholesky(kernel + 0.1 * torch.eye(7)).requires_grad_()
    offset.requires_grad_()

    def solve(root, offset):
        return dual(root @ root.mT, offset, members, class_mask)

    assert torch.autograd.gradcheck(solve, (root, offset), atol=1e-6)


def test_the_logistic_dual_is_stationary():
    kernel, offset, members, class_mask = (part[None] for part in program(9, 4))
    a = softmax_dual(kernel, offset, members, class_mask)
    proba = (offset + kernel @ a).softmax(-1)
    expected = members - members.sum(-1, keepdim=True) * proba
    torch.testing.assert_close(a, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("scale", [1e-3, 1e2])
@pytest.mark.parametrize("dual", [softmax_dual, crammer_singer_dual])
def test_duals_are_solved_whatever_the_scale_of_rows(dual, scale):
    kernel, offset, members, class_mask = (part[None] for part in program(12, 3))
    a = dual(scale**2 * kernel, 0 * offset, members, class_mask)
    weight = torch.ones(1, 12).double()
    if dual is softmax_dual:
        proba = (scale**2 * kernel @ a).softmax(-1)
        expected = members - members.sum(-1, keepdim=True) * proba
        torch.testing.assert_close(a, expected, rtol=0, atol=1e-8)
    else:
        assert (a <= members + 1e-9).all()
        assert (a.sum(-1).abs() < 1e-9).all()
        f = scale**2 * kernel @ a
        hinge = (f + (members == 0)).amax(-1) - (f * (members > 0)).sum(-1)
        primal = 0.5 * (a * f).sum() + (members.sum(-1) * hinge * weight).sum()
        dual_value = (a * (members > 0)).sum() - 0.5 * (a * f).sum()
        torch.testing.assert_close(primal, dual_value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cls", HEADS)
@pytest.mark.parametrize("is_training", [True, False])
def test_padded_tasks_equal_tasks_one_by_one(cls, is_training, pad, classification_tasks):
    head = learned(cls).train(is_training)
    tasks, queries = classification_tasks([3, 0, 20, 1]), classification_tasks([1, 4, 6, 2])
    query = pad(queries)
    output = head(head.adapt(pad(tasks)), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        alone = head(head.adapt(pad([task])), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cls", HEADS)
def test_classes_that_a_task_does_not_have_do_not_matter(cls, pad):
    X, y = blobs(12, 2)
    head = cls(None, 3, 0).double()
    few = head(head.adapt(pad([(X, y)])), X[None])
    mask = torch.tensor([[True, True, False, False]])
    many = head(head.adapt(pad([(X, y)], mask)), X[None])
    torch.testing.assert_close(many[..., :2], few)
    assert (many.softmax(-1)[..., 2:] == 0).all()


@pytest.mark.parametrize("cls", HEADS)
def test_a_row_of_weight_two_is_two_rows(cls, pad):
    X, y = blobs(9)
    weight = torch.tensor([1, 2, 1, 3, 1, 0, 1, 1, 2])
    head = learned(cls)
    support = pad([(X[:, :2], y)])._replace(weight=weight[None].double())
    repeated = pad([(X[:, :2].repeat_interleave(weight, 0), y.repeat_interleave(weight))])
    for name in ("weight", "intercept"):
        torch.testing.assert_close(
            head.adapt(support)[name], head.adapt(repeated)[name], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("cls", HEADS)
def test_no_support_row_gives_the_prior(cls):
    head = learned(cls)
    for n_slots in (0, 3):
        rows = torch.zeros(1, n_slots, 2).double()
        support = Support(rows, rows[..., 0].long(), torch.zeros(1, n_slots).bool())
        state = head.adapt(support)
        torch.testing.assert_close(state["weight"][0], head.prior_weight)
        torch.testing.assert_close(state["intercept"][0, 0], head.prior_intercept)


@pytest.mark.parametrize("cls", HEADS)
def test_gradients_are_those_of_finite_differences(cls, pad, classification_tasks):
    head = learned(cls)
    support, query = pad(classification_tasks([9, 5, 0])), pad(classification_tasks([2, 3, 1]))

    def losses(*_params):  # which are perturbed in place
        return cross_entropy(head(head.adapt(support), query.X, query.mask), query.y)

    assert torch.autograd.gradcheck(losses, tuple(head.parameters()), atol=1e-5, rtol=1e-3)


def test_members_are_weights_in_the_column_of_the_class():
    support = Support(
        torch.zeros(1, 3, 1),
        torch.tensor([[1, 0, 1]]),
        torch.tensor([[True, True, False]]),
        weight=torch.tensor([[0.5, 2.0, 7.0]]),
    )
    members, exists = class_members(support, n_known=3)
    assert members[0].tolist() == [[0, 0.5, 0], [2.0, 0, 0], [0, 0, 0]]
    assert exists[0].tolist() == [True, True, True]

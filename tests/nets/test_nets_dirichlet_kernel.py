"""Gaussian process classification: its regressions, its probabilities, rows that come later."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from skmeta.nets import MLP, DirichletKernel, Support, cross_entropy, expected_softmax
from skmeta.nets._dirichlet_kernel import _AMPLITUDE, _MEAN

KERNELS = ["rbf", "cosine", "linear", "spectral_mixture"]


def learned(kernel="rbf", n_outputs=3):
    """A process whose embedding and prior are anything but simple."""
    embedding = MLP(2, 4, hidden_sizes=(6,), activation="tanh")
    process = DirichletKernel(embedding, 4, n_outputs, kernel).double()
    with torch.no_grad():
        for name, param in process.named_parameters():
            if not name.startswith("embedding"):
                param.add_(0.3 * torch.randn_like(param))
    return process


def test_without_embedding_and_prior_it_is_regression_of_transformed_labels(pad):
    """Milios et al., equations 4 and 5, with the exact regression of scikit-learn."""
    X, y = torch.randn(12, 3).double(), torch.arange(12) % 3
    X_query = torch.randn(1, 5, 3).double()
    process = DirichletKernel(None, 3, 0, length_scale=0.7, alpha_epsilon=0.05, learn_prior=False)
    process = process.double().eval()
    means, variances = [], []
    for code in range(3):
        alpha = (y == code).numpy() + 0.05
        noise = np.log(1 / alpha + 1)
        theirs = GaussianProcessRegressor(
            ConstantKernel(_AMPLITUDE) * RBF(0.7), alpha=noise, optimizer=None
        ).fit(X.numpy(), np.log(alpha) - noise / 2 - _MEAN)
        mean, std = theirs.predict(X_query[0].numpy(), return_std=True)
        means.append(mean + _MEAN)
        variances.append(std**2)
    variance = torch.tensor(np.transpose(variances))[None]
    expected = expected_softmax(
        torch.tensor(np.transpose(means))[None],
        variance.unsqueeze(-1) + variance.unsqueeze(-2),
        torch.ones(1, 3).bool(),
    )
    logits = process(process.adapt(pad([(X, y)])), X_query)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_expected_softmax_is_near_that_of_draws(n_classes):
    mean, variance = torch.randn(1, 5, n_classes).double(), 2 * torch.rand(1, 5, n_classes).double()
    exists = torch.ones(1, n_classes).bool()
    spread = variance.unsqueeze(-1) + variance.unsqueeze(-2)
    found = expected_softmax(mean, spread, exists).softmax(-1)
    draws = mean + variance.sqrt() * torch.randn(200_000, 1, n_classes).double()
    torch.testing.assert_close(found[0], draws.softmax(-1).mean(0), rtol=0, atol=0.05)
    certain = expected_softmax(mean, 0 * spread, exists).softmax(-1)
    torch.testing.assert_close(certain, mean.softmax(-1))


def test_far_from_all_rows_every_class_is_as_probable(pad):
    X, y = torch.randn(9, 2), torch.tensor([0, 0, 0, 0, 0, 0, 1, 2, 2])
    process = DirichletKernel(None, 2, 0).eval()
    proba = process(process.adapt(pad([(X, y)])), torch.full((1, 1, 2), 1e3)).softmax(-1)
    torch.testing.assert_close(proba, torch.full((1, 1, 3), 1 / 3))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n_outputs", [0, 3])
def test_padded_tasks_equal_tasks_one_by_one(kernel, n_outputs, pad, classification_tasks):
    process = learned(kernel, n_outputs)
    class_mask = torch.ones(4, 3).bool()
    tasks, queries = classification_tasks([3, 0, 20, 1]), classification_tasks([1, 4, 6, 2])
    query = pad(queries)
    output = process(process.adapt(pad(tasks, class_mask)), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        alone = process(process.adapt(pad([task], class_mask[:1])), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone)


@pytest.mark.parametrize("n_outputs", [0, 2])
def test_rows_and_classes_that_arrive_later_count_as_if_they_had_been_there(n_outputs, pad):
    process = learned(n_outputs=n_outputs).eval()
    X, y = torch.randn(12, 2).double(), torch.tensor([0, 1, 0, 0, 1, 1, 2, 0, 3, 2, 2, 3])
    state = process.adapt(pad([(X[:2], y[:2])]))
    for part in (slice(2, 3), slice(3, 8), slice(8, 12)):
        state = process.update(state, pad([(X[part], y[part])]))
    whole = process.adapt(pad([(X, y)]))
    X_query = torch.randn(1, 5, 2).double()
    torch.testing.assert_close(process(state, X_query), process(whole, X_query))


def test_a_row_of_weight_two_is_two_rows(pad, classification_tasks):
    process = learned()
    [(X, y)] = classification_tasks([9])
    weight = torch.tensor([1, 2, 1, 3, 1, 1, 1, 1, 2])
    support = pad([(X, y)])._replace(weight=weight[None].double())
    repeated = pad([(X.repeat_interleave(weight, 0), y.repeat_interleave(weight))])
    X_query = torch.randn(1, 4, 2).double()
    first, second = (process(process.adapt(s), X_query) for s in (support, repeated))
    torch.testing.assert_close(first, second)


def test_no_support_row_gives_the_prior():
    process, X_query = learned(), torch.randn(1, 6, 2).double()
    rows = torch.zeros(1, 3, 2).double()
    support = Support(rows, rows[..., 0].long(), torch.zeros(1, 3).bool())
    logits = process(process.adapt(support), X_query)
    assert logits.isfinite().all()
    embedded = process.embedding(X_query)
    mean = embedded @ process.mean_weight + process.mean_intercept
    torch.testing.assert_close(logits.argmax(-1), mean.argmax(-1))


@pytest.mark.parametrize("kernel", ["rbf", "spectral_mixture"])
def test_gradients_are_those_of_finite_differences(kernel, pad, classification_tasks):
    process = learned(kernel)
    support, query = pad(classification_tasks([6, 3, 0])), pad(classification_tasks([2, 3, 1]))

    def losses(*_params):  # which are perturbed in place
        return cross_entropy(process(process.adapt(support), query.X, query.mask), query.y)

    assert torch.autograd.gradcheck(losses, tuple(process.parameters()))

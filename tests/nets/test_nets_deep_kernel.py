import math

import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, DotProduct, PairwiseKernel, WhiteKernel

from skmeta.nets import MLP, DeepKernel, SpectralMixture, Support, gaussian_nll

KERNELS = ["rbf", "cosine", "linear", "spectral_mixture"]
SKLEARN = {
    "rbf": RBF(0.7),
    "cosine": PairwiseKernel(metric="cosine"),
    "linear": DotProduct(sigma_0=0.7),  # of rows that are not divided by a length scale
}
AMPLITUDE = {"rbf": 1.0, "cosine": 1.0, "linear": 0.7**2}


def learned(kernel="rbf", n_outputs=1):
    """A process whose embedding and prior are anything but simple."""
    embedding = MLP(2, 4, hidden_sizes=(6,), activation="tanh")
    process = DeepKernel(embedding, 4, n_outputs, kernel).double()
    with torch.no_grad():
        for name, param in process.named_parameters():
            if not name.startswith("embedding"):
                param.normal_(std=0.5)
    return process


@pytest.mark.parametrize("kernel", SKLEARN)
@pytest.mark.parametrize("n_rows", [1, 5, 40])
def test_without_embedding_and_prior_it_is_that_of_scikit_learn(kernel, n_rows, pad):
    X, y, X_query = torch.randn(n_rows, 3), torch.randn(n_rows, 2), torch.randn(6, 3)
    X, y, X_query = X.double(), y.double(), X_query.double()
    process = DeepKernel(None, 3, 2, kernel, length_scale=0.7, noise=0.2, learn_prior=False)
    process = process.double().eval()
    process.log_amplitude.data.fill_(torch.tensor(AMPLITUDE[kernel]).log())
    mean, variance = process(process.adapt(pad([(X, y)])), X_query[None])[0].unbind(-1)
    theirs = GaussianProcessRegressor(SKLEARN[kernel] + WhiteKernel(0.2), alpha=0, optimizer=None)
    theirs.fit(X.numpy(), y.numpy())
    expected_mean, expected_std = theirs.predict(X_query.numpy(), return_std=True)
    close = {"rtol": 1e-6, "atol": 1e-6}
    torch.testing.assert_close(mean, torch.from_numpy(expected_mean), **close)
    torch.testing.assert_close(variance.sqrt(), torch.from_numpy(expected_std), **close)


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_support_row_gives_the_prior(kernel):
    process, X_query = learned(kernel), torch.randn(2, 6, 2).double()
    for n_slots in (0, 3):
        rows = torch.zeros(2, n_slots, 2).double()
        support = Support(rows, rows[..., :1], torch.zeros(2, n_slots).bool())
        mean, variance = process(process.adapt(support), X_query).unbind(-1)
        embedded = process.embedding(X_query)
        torch.testing.assert_close(mean, embedded @ process.mean_weight + process.mean_intercept)
        kernels = torch.stack([process._kernel(e[None], e[None])[0].diag() for e in embedded])
        torch.testing.assert_close(variance[..., 0], kernels + process.noise)


@pytest.mark.parametrize("kernel", KERNELS)
def test_padded_tasks_equal_tasks_one_by_one(kernel, pad, regression_tasks):
    process = learned(kernel)
    tasks, queries = regression_tasks([3, 0, 20, 1]), regression_tasks([1, 4, 6, 2])
    query = pad(queries)
    output = process(process.adapt(pad(tasks)), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        alone = process(process.adapt(pad([task])), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone)


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradients_are_those_of_finite_differences(kernel, pad, regression_tasks):
    process = learned(kernel)
    support, query = pad(regression_tasks([5, 3, 0])), pad(regression_tasks([2, 3, 1]))

    def losses(*_params):  # which are perturbed in place
        return gaussian_nll(process(process.adapt(support), query.X, query.mask), query.y).sum()

    assert torch.autograd.gradcheck(losses, tuple(process.parameters()))


@pytest.mark.parametrize("sizes", [[2, 5], [4, 0, 20, 3], [1, 1, 1]])
def test_rows_that_arrive_later_count_as_if_they_had_been_there(sizes, pad, regression_tasks):
    process = learned(n_outputs=1).eval()
    X, y = regression_tasks([sum(sizes)])[0]
    state = process.adapt(pad([(X[:0], y[:0])]))
    for X_new, y_new in zip(X.split(sizes), y.split(sizes), strict=True):
        state = process.update(state, pad([(X_new, y_new)]))
    for name, tensor in process.adapt(pad([(X, y)])).items():
        torch.testing.assert_close(state[name], tensor)


def test_rows_that_arrive_later_in_padded_tasks(pad, regression_tasks):
    process = learned().eval()
    first, second = regression_tasks([3, 0, 2]), regression_tasks([1, 4, 0])
    state = process.update(process.adapt(pad(first)), pad(second))
    X_query = torch.randn(3, 5, 2).double()
    both = [
        tuple(map(torch.cat, zip(a, b, strict=True))) for a, b in zip(first, second, strict=True)
    ]
    expected = process(process.adapt(pad(both)), X_query)
    torch.testing.assert_close(process(state, X_query), expected)


def test_rows_that_coincide_leave_the_noise(pad):
    process = DeepKernel(None, 1, 1, noise=1e-6, learn_prior=False)
    X = torch.zeros(30, 1)
    variance = process(process.adapt(pad([(X, X)])), torch.zeros(1, 1, 1))[..., 1]
    assert 1e-6 <= variance.item() < 1e-5


def test_length_scales_start_at_the_order_of_distances():
    process = DeepKernel(None, 16, 1)
    torch.testing.assert_close(process.log_length_scale.exp(), torch.full((16,), 4.0))


def test_unknown_kernels_are_refused():
    with pytest.raises(ValueError, match=r"kernel must be one of .* got 'sine'"):
        DeepKernel(None, 1, 1, kernel="sine")


def test_spectral_mixture_in_one_dimension_is_that_of_the_paper():
    kernel = SpectralMixture(1, n_mixtures=3).double()
    with torch.no_grad():
        for param in kernel.parameters():
            param.normal_()
    X, Y = torch.randn(1, 5, 1).double(), torch.randn(1, 4, 1).double()
    lag = X[0] - Y[0].T
    variance = (kernel.log_bandwidth.exp() / (2 * math.pi)) ** 2
    expected = sum(
        w * torch.exp(-2 * math.pi**2 * lag**2 * v) * torch.cos(2 * math.pi * lag * mu)
        for w, v, mu in zip(kernel.weight_logit.softmax(0), variance, kernel.frequency, strict=True)
    )
    torch.testing.assert_close(kernel(X, Y)[0], expected)


def test_spectral_mixture_is_a_kernel():
    rows = torch.randn(1, 30, 3).double()
    gram = SpectralMixture(3).double()(rows, rows)
    torch.testing.assert_close(gram.diagonal(dim1=1, dim2=2), torch.ones(1, 30).double())
    assert torch.linalg.eigvalsh(gram).min() > -1e-12

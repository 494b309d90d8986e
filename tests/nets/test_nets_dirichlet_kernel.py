"""Dirichlet likelihoods: the regressions they leave, their probabilities, their gradients."""

import numpy as np
import pytest
import torch
from class_processes import learned
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from skmeta.nets import DirichletKernel, cross_entropy, expected_softmax
from skmeta.nets._dirichlet_kernel import _AMPLITUDE, _MEAN


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


@pytest.mark.parametrize("kernel", ["rbf", "spectral_mixture"])
def test_gradients_are_those_of_finite_differences(kernel, pad, classification_tasks):
    process = learned(DirichletKernel, kernel)
    support, query = pad(classification_tasks([6, 3, 0])), pad(classification_tasks([2, 3, 1]))

    def losses(*_params):  # which are perturbed in place
        return cross_entropy(process(process.adapt(support), query.X, query.mask), query.y)

    assert torch.autograd.gradcheck(losses, tuple(process.parameters()))

"""Laplace's approximation: scikit-learn's for two classes, mode, curvature and gradients."""

import numpy as np
import pytest
import torch
from class_processes import learned
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from skmeta.nets import LaplaceKernel, cross_entropy
from skmeta.nets._laplace_kernel import _AMPLITUDE


def without_embedding(n_features, length_scale=0.7):
    process = LaplaceKernel(None, n_features, 0, length_scale=length_scale, learn_prior=False)
    return process.double().eval()


def test_two_classes_without_embedding_and_prior_are_those_of_scikit_learn(pad):
    """The difference of two processes is one with twice the kernel."""
    X, X_query = torch.randn(30, 2).double(), torch.randn(1, 8, 2).double()
    y = (X[:, 0] + 0.5 * torch.randn(30) > 0).long()
    kernel = ConstantKernel(2 * _AMPLITUDE) * RBF(0.7)
    theirs = GaussianProcessClassifier(kernel, optimizer=None).fit(X.numpy(), y.numpy())
    their_mean, their_variance = theirs.latent_mean_and_variance(X_query[0].numpy())
    process = without_embedding(2)
    state = process.adapt(pad([(X, y)]))
    mean, spread = process._latent(state, X_query, torch.ones(1, 8).bool())
    # Theirs stops when the likelihood rises by less than 1e-10, with errors of about its root.
    np.testing.assert_allclose(mean[0, :, 1] - mean[0, :, 0], their_mean, atol=1e-4)
    np.testing.assert_allclose(spread[0, :, 0, 1], their_variance, atol=1e-4)
    proba = process(state, X_query)[0].softmax(-1)[:, 1]
    # The same integral by two approximations.
    np.testing.assert_allclose(proba, theirs.predict_proba(X_query[0].numpy())[:, 1], atol=0.02)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_covariance_is_that_of_the_dense_hessian(n_classes, pad):
    """Equation 3.41: the covariance of the processes, K** - k*' (K + W^-1)^-1 k*."""
    X, y = torch.randn(7, 2).double(), torch.arange(7) % n_classes
    X_query = torch.randn(1, 1, 2).double()
    process = without_embedding(2)
    state = process.adapt(pad([(X, y)]))
    K = process._covariance(X[None], torch.ones(1, 7).bool())[0]
    proba = (K @ state["coefficients"][0]).softmax(-1)
    # Rows of all classes, class by class.
    K_all = torch.block_diag(*[K] * n_classes)
    W = torch.zeros(7 * n_classes, 7 * n_classes).double()
    for row in range(7):
        at = torch.arange(n_classes) * 7 + row
        W[at[:, None], at] = proba[row].diag() - proba[row].outer(proba[row])
    cross = process._kernel(X[None], X_query)[0, :, 0]
    cross = torch.block_diag(*[cross[:, None]] * n_classes)
    eye = torch.eye(len(W)).double()
    covariance = _AMPLITUDE * eye[:n_classes, :n_classes]
    covariance = covariance - cross.T @ W @ torch.linalg.solve(eye + K_all @ W, cross)
    variance = covariance.diagonal()
    expected = variance[:, None] + variance - 2 * covariance
    _, spread = process._latent(state, X_query, torch.ones(1, 1).bool())
    torch.testing.assert_close(spread[0, 0], expected)


def test_mode_is_a_maximum_of_the_posterior(pad):
    X, y = torch.randn(9, 2).double(), torch.arange(9) % 3
    process = without_embedding(2)
    state = process.adapt(pad([(X, y)]))
    K = process._covariance(X[None], torch.ones(1, 9).bool())[0]
    latent = (K @ state["coefficients"][0]).requires_grad_()
    log_likelihood = latent.log_softmax(-1)[torch.arange(9), y].sum()
    log_prior = -0.5 * (latent * torch.linalg.solve(K, latent)).sum()
    (gradient,) = torch.autograd.grad(log_likelihood + log_prior, latent)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kernel", ["rbf", "spectral_mixture"])
def test_gradients_are_those_of_finite_differences(kernel, pad, classification_tasks):
    """Through the mode and through the curvature at the mode."""
    process = learned(LaplaceKernel, kernel, n_outputs=2)
    class_mask = torch.tensor([[True, True, True, False]]).expand(3, -1)
    support = pad(classification_tasks([6, 3, 0]), class_mask)
    query = pad(classification_tasks([2, 3, 1], n_classes=2))

    def losses(*_params):  # which are perturbed in place
        return cross_entropy(process(process.adapt(support), query.X, query.mask), query.y)

    assert torch.autograd.gradcheck(losses, tuple(process.parameters()))

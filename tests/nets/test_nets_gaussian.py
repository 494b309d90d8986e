import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from skmeta.nets import (
    MLP,
    BayesianLinear,
    DeepKernel,
    MarginalEpisode,
    gaussian_nll,
    joint_gaussian_nll,
    masked_mean,
)


def test_it_is_the_likelihood_of_a_normal_distribution():
    mean, variance, y = torch.randn(2, 3, 4), torch.rand(2, 3, 4) + 0.1, torch.randn(2, 3, 4)
    expected = -Normal(mean, variance.sqrt()).log_prob(y).mean(-1)
    torch.testing.assert_close(gaussian_nll(torch.stack([mean, variance], -1), y), expected)


def learned(cls, n_outputs=2):
    """A model whose embedding and prior are anything but simple."""
    model = cls(MLP(2, 4, hidden_sizes=(6,), activation="tanh"), 4, n_outputs).double()
    with torch.no_grad():
        for name, param in model.named_parameters():
            if not name.startswith("embedding"):
                param.normal_(std=0.5)
    return model


def test_the_joint_loss_is_that_of_a_multivariate_normal_distribution():
    mean, y, root = torch.randn(2, 5, 3), torch.randn(2, 5, 3), torch.randn(2, 3, 5, 5).double()
    mean, y = mean.double(), y.double()
    factor = torch.linalg.cholesky(root @ root.mT + 0.1 * torch.eye(5))
    output = torch.cat([mean.unsqueeze(-1), factor.transpose(1, 2)], dim=-1)
    expected = -MultivariateNormal(mean.mT, scale_tril=factor).log_prob(y.mT).mean(1)
    torch.testing.assert_close(joint_gaussian_nll(output, y).sum(1), expected)


@pytest.mark.parametrize("cls", [BayesianLinear, DeepKernel])
def test_the_marginal_likelihood_is_a_chain_of_predictive_ones(cls, pad, regression_tasks):
    model = learned(cls, n_outputs=1)
    tasks = regression_tasks([4, 1, 3])
    rows = pad(tasks)
    output = MarginalEpisode(model)(rows.X, rows.mask)
    losses = masked_mean(joint_gaussian_nll(output, rows.y), rows.mask) * rows.mask.sum(1)
    for (X, y), loss in zip(tasks, losses, strict=True):
        chain = 0.0
        for i in range(len(X)):
            predicted = model(model.adapt(pad([(X[:i], y[:i])])), X[None, i : i + 1])
            chain += gaussian_nll(predicted, y[None, i : i + 1]).sum()
        torch.testing.assert_close(loss, chain)


@pytest.mark.parametrize("cls", [BayesianLinear, DeepKernel])
def test_joint_predictions_have_the_variances_of_single_ones(cls, pad, regression_tasks):
    model = learned(cls)
    X, y = regression_tasks([5])[0]
    X_query = torch.randn(1, 7, 2).double()
    state = model.adapt(pad([(X, y.expand(-1, 2))]))
    joint, single = model.joint(state, X_query), model(state, X_query)
    torch.testing.assert_close(joint[..., 0], single[..., 0])
    torch.testing.assert_close(joint[..., 1:].square().sum(-1), single[..., 1])


@pytest.mark.parametrize("cls", [BayesianLinear, DeepKernel])
def test_the_gradient_of_the_marginal_likelihood(cls, pad, regression_tasks):
    model, rows = learned(cls, n_outputs=1), pad(regression_tasks([4, 1, 3]))

    def losses(*_params):  # which are perturbed in place
        output = MarginalEpisode(model)(rows.X, rows.mask)
        return masked_mean(joint_gaussian_nll(output, rows.y), rows.mask)

    assert torch.autograd.gradcheck(losses, tuple(model.parameters()))

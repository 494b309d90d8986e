"""Bayesian MAML: MAML where there is nothing to be unsure of, and mixtures that add up."""

import math

import pytest
import torch
from gradient_checks import finite_differences, meta_gradient, relative_error, small_mlp
from torch import nn

from skmeta.nets import (
    MAML,
    MLP,
    BayesianMAML,
    GaussianNoise,
    InnerSGD,
    Support,
    cross_entropy,
    masked_mean,
    mixture_cross_entropy,
    mixture_gaussian_nll,
    squared_error,
    take_tasks,
)


def bayesian(n_outputs=1, row_loss=squared_error, n_samples=3, std=0.3, **options):
    options = {"n_samples": n_samples, "n_adapt_samples": n_samples, "initial_std": std} | options
    return BayesianMAML(small_mlp(n_outputs), row_loss, InnerSGD(0.3), 2, **options).double()


@pytest.mark.parametrize("is_training", [True, False])
def test_one_sample_without_variance_is_maml(is_training, pad, regression_tasks):
    sampled = bayesian(n_samples=1, std=0.0).train(is_training)
    plain = MAML(sampled.backbone, squared_error, InnerSGD(0.3), 2).train(is_training)
    support, query = pad(regression_tasks([5, 3])), pad(regression_tasks([4, 6]))
    outputs = [maml(maml.adapt(support), query.X, query.mask) for maml in (sampled, plain)]
    torch.testing.assert_close(outputs[0][:, 0], outputs[1])
    if is_training:
        losses = [
            masked_mean(
                mixture_gaussian_nll(GaussianNoise(1, std=2**-0.5)(outputs[0]), query.y), query.mask
            ).mean(),
            masked_mean(squared_error(outputs[1], query.y), query.mask).mean(),
        ]
        shared = list(plain.parameters())
        gradients = [torch.autograd.grad(loss, shared) for loss in losses]
        for first, second in zip(*gradients, strict=True):
            torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-7)


def test_samples_are_mamls_from_the_drawn_initialisations(pad, classification_tasks):
    maml = bayesian(3, cross_entropy).eval()
    class_mask = torch.tensor([[True, True, True], [True, True, False]])
    tasks = classification_tasks([6, 4], n_classes=2)
    support = pad(tasks, class_mask)
    X_query = torch.randn(2, 5, 2).double()
    output = maml(maml.adapt(support), X_query)
    assert output.shape == (2, 3, 5, 3)
    starts = maml.adapt(support, n_steps=0)
    for k in range(3):
        network = small_mlp(3)
        with torch.no_grad():
            for name, param in network.named_parameters():
                param.copy_(starts[f"backbone.{name}"][0, k])
        one = MAML(network, cross_entropy, InnerSGD(0.3), 2).eval()
        torch.testing.assert_close(output[:, k], one(one.adapt(support), X_query))


def test_meta_gradient_equals_finite_differences(pad, regression_tasks):
    maml = bayesian(noise=GaussianNoise(1))
    support, query = pad(regression_tasks([5, 3, 0])), pad(regression_tasks([4, 6, 5]))

    def loss():
        torch.manual_seed(0)  # the same draws each time
        output = maml(maml.adapt(support), query.X, query.mask)
        return masked_mean(mixture_gaussian_nll(output, query.y), query.mask).mean()

    assert relative_error(meta_gradient(maml, loss()), finite_differences(maml, loss)) < 1e-6


def test_draws_repeat_in_evaluation_and_differ_in_training(pad, regression_tasks):
    maml, support = bayesian(n_adapt_samples=7), pad(regression_tasks([5, 5]))
    first, second = (maml.adapt(support, n_steps=0)["backbone.layers.0.weight"] for _ in range(2))
    assert first.shape == (2, 3, 4, 2)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    maml.eval()
    first, second = (maml.adapt(support) for _ in range(2))
    for name in first:
        assert first[name].shape[:2] == (2, 7)
        assert torch.equal(first[name], second[name])
    alone = maml.adapt(pad([(support.X[1], support.y[1])]))
    torch.testing.assert_close(take_tasks(first, 1), alone)


def test_networks_of_any_kind(pad, regression_tasks):
    network = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
    maml = BayesianMAML(network, squared_error, n_samples=2).double()
    support = pad(regression_tasks([5, 3]))
    assert maml(maml.adapt(support), support.X, support.mask).shape == (2, 2, 5, 1)


def test_variance_that_is_not_wanted_shrinks_and_that_of_an_open_question_grows():
    # Without rows, a task is the value of a constant: 0 in all, or -1 and 1 in half of them each.
    X = torch.zeros(64, 1, 1)
    for values, wants_variance in (((0.0, 0.0), False), ((-1.0, 1.0), True)):
        torch.manual_seed(0)
        network = MLP(1, 1, hidden_sizes=())
        maml = BayesianMAML(network, squared_error, n_steps=0, n_samples=16, noise=GaussianNoise(1))
        y = torch.tensor(values).repeat(32).view(64, 1, 1)
        support = _empty_support(64)
        outer = torch.optim.Adam(maml.parameters(), lr=0.03)
        for _ in range(150):
            outer.zero_grad()
            mixture_gaussian_nll(maml(maml.adapt(support), X), y).mean().backward()
            outer.step()
        std = dict(zip(maml.adapted, maml.std, strict=True))["layers.0.bias"].abs().item()
        assert (std > 0.5) if wants_variance else (std < 0.1)


def _empty_support(n_tasks):
    rows = torch.zeros(n_tasks, 0, 1)
    return Support(rows, rows, torch.zeros(n_tasks, 0, dtype=torch.bool))


def test_losses_are_those_of_averaged_densities():
    torch.manual_seed(0)
    means, y = torch.randn(2, 5, 4, 3), torch.randn(2, 4, 3)
    variance = torch.rand(2, 5, 4, 3) + 0.1
    density = torch.distributions.Normal(means, variance.sqrt()).log_prob(y[:, None]).exp()
    expected = -density.mean(dim=1).log().mean(dim=-1)
    actual = mixture_gaussian_nll(torch.stack([means, variance], dim=-1), y)
    torch.testing.assert_close(actual, expected)
    codes = torch.randint(3, (2, 4))
    probabilities = means.softmax(dim=-1).mean(dim=1)
    expected = -probabilities.gather(-1, codes[..., None])[..., 0].log()
    torch.testing.assert_close(mixture_cross_entropy(means, codes), expected)
    assert GaussianNoise(2, std=0.5).variance()[0].item() == pytest.approx(0.25, abs=1e-5)
    assert math.isfinite(mixture_cross_entropy(1e30 * means, codes).max())


def test_a_network_that_went_astray_has_no_part_in_the_gradient():
    means = torch.tensor([0.5, 1e25]).view(1, 2, 1, 1).requires_grad_()
    noise = GaussianNoise(1)
    mixture_gaussian_nll(noise(means), torch.zeros(1, 1, 1)).sum().backward()
    assert means.grad[0, 1] == 0.0
    gradient = noise.log_variance.grad.clone()
    noise.zero_grad()
    mixture_gaussian_nll(noise(means[:, :1]), torch.zeros(1, 1, 1)).sum().backward()
    torch.testing.assert_close(gradient, noise.log_variance.grad)

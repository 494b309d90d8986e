import pytest
import torch

from skmeta.nets import MLP, BayesianLinear, Support, gaussian_nll


def learned(n_outputs=1):
    """A model whose embedding and prior are anything but simple."""
    embedding = MLP(2, 4, hidden_sizes=(6,), activation="tanh")
    model = BayesianLinear(embedding, 4, n_outputs).double()
    with torch.no_grad():
        for param in (model.prior_mean, model.prior_root_lower, model.log_noise):
            param.normal_()
    return model


def features(model, X):
    return torch.cat([torch.ones_like(X[:, :1]), model.embedding(X)], dim=1)


def prior_covariance(model, output):
    """Covariance of the weights of one output; without the noise's own unit, as in the paper."""
    root = model.prior_root_lower.tril(-1) + model.prior_root_log_diagonal.exp().diag()
    unit = (model.noise[output].log() - model.noise.log().mean()).exp()
    return unit * root @ root.T


@pytest.mark.parametrize("n_rows", [1, 5, 40])
def test_the_posterior_is_that_of_the_textbook(n_rows, pad):
    model = learned(n_outputs=2)
    X, y, X_query = torch.randn(n_rows, 2), torch.randn(n_rows, 2), torch.randn(6, 2)
    X, y, X_query = X.double(), y.double(), X_query.double()
    mean, variance = model(model.adapt(pad([(X, y)])), X_query[None])[0].unbind(-1)
    phi, phi_query = features(model, X), features(model, X_query)
    for o in range(2):
        noise, prior = model.noise[o], prior_covariance(model, o)
        covariance = torch.linalg.inv(torch.linalg.inv(prior) + phi.T @ phi / noise)
        natural = torch.linalg.solve(prior, model.prior_mean[:, o]) + phi.T @ y[:, o] / noise
        torch.testing.assert_close(mean[:, o], phi_query @ covariance @ natural)
        latent = (phi_query @ covariance * phi_query).sum(1)
        torch.testing.assert_close(variance[:, o], latent + noise)


def test_no_support_row_gives_the_prior():
    model, X_query = learned(), torch.randn(2, 6, 2).double()
    for n_slots in (0, 3):
        rows = torch.zeros(2, n_slots, 2).double()
        support = Support(rows, rows[..., :1], torch.zeros(2, n_slots).bool())
        mean, variance = model(model.adapt(support), X_query)[..., 0, :].unbind(-1)
        for i in range(2):
            phi = features(model, X_query[i])
            torch.testing.assert_close(mean[i], (phi @ model.prior_mean)[:, 0])
            latent = (phi @ prior_covariance(model, 0) * phi).sum(1)
            torch.testing.assert_close(variance[i], latent + model.noise)


def test_the_prior_does_not_move_with_the_noise():
    model, X_query = learned(), torch.randn(1, 6, 2).double()
    support = Support(torch.zeros(1, 0, 2), torch.zeros(1, 0, 1), torch.zeros(1, 0).bool())
    support = Support(*(part.double() for part in support[:2]), support.mask)
    before = model(model.adapt(support), X_query)[..., 1] - model.noise
    model.log_noise.data.fill_(-8.0)
    after = model(model.adapt(support), X_query)[..., 1] - model.noise
    torch.testing.assert_close(after, before)


@pytest.mark.parametrize("is_training", [True, False])
def test_padded_tasks_equal_tasks_one_by_one(is_training, pad, regression_tasks):
    model = learned().train(is_training)
    tasks, queries = regression_tasks([3, 0, 20, 1]), regression_tasks([1, 4, 6, 2])
    query = pad(queries)
    output = model(model.adapt(pad(tasks)), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        alone = model(model.adapt(pad([task])), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone)


@pytest.mark.parametrize("n_rows", [3, 9])
def test_gradients_are_those_of_finite_differences(n_rows, pad, regression_tasks):
    model = learned()
    support = pad(regression_tasks([n_rows, n_rows - 2, 0]))
    query = pad(regression_tasks([2, 3, 1]))

    def losses(*_params):  # which are perturbed in place
        return gaussian_nll(model(model.adapt(support), query.X, query.mask), query.y).sum()

    assert torch.autograd.gradcheck(losses, tuple(model.parameters()))


@pytest.mark.parametrize("sizes", [[2, 5], [4, 0, 40, 3], [50, 50]])
def test_rows_that_arrive_later_count_as_if_they_had_been_there(sizes, pad, regression_tasks):
    model = learned().eval()
    X, y = regression_tasks([sum(sizes)])[0]
    state = model.adapt(pad([(X[:0], y[:0])]))
    for X_new, y_new in zip(X.split(sizes), y.split(sizes), strict=True):
        state = model.update(state, pad([(X_new, y_new)]))
    X_query = torch.randn(1, 5, 2).double()
    torch.testing.assert_close(model(state, X_query), model(model.adapt(pad([(X, y)])), X_query))
    assert state["table"].shape == (1, min(6, sum(sizes)), 6)


def test_many_rows_leave_the_noise_alone(pad):
    model = learned().eval()
    X = torch.randn(100_000, 2).double()
    variance = model(model.adapt(pad([(X, X[:, :1])])), X[None, :5])[..., 1]
    noise = model.noise.expand_as(variance)
    torch.testing.assert_close(variance, noise, rtol=1e-2, atol=0)
    assert (variance >= noise).all()

import pytest
import torch
from sklearn.linear_model import Ridge

from skmeta.nets import InContextNet, Support
from skmeta.nets._evidence import kernel_evidence, linear_evidence
from skmeta.nets._standardise import weighted_moments, weighted_ranks


def trained(target="classes", **options):
    """A net whose head is not zero, so that everything in it matters."""
    net = InContextNet(target, **options).double().eval()
    torch.nn.init.normal_(net.head.weight)
    return net


def support(n_rows=8, n_features=3, target="classes", n_tasks=1):
    X = torch.randn(n_tasks, n_rows, n_features).double()
    y = (torch.arange(n_rows) % 3).expand(n_tasks, -1)
    if target == "numbers":
        y = torch.randn(n_tasks, n_rows, 1).double()
    return Support(X, y, torch.ones(n_tasks, n_rows, dtype=torch.bool))


QUERY = torch.linspace(-1, 1, 12).view(1, 4, 3).double()


@pytest.mark.parametrize("target", ["classes", "numbers"])
def test_order_of_rows_and_of_features(target):
    net, rows = trained(target), support(target=target)
    expected = net(net.adapt(rows), QUERY)
    order, columns = torch.randperm(8), torch.tensor([2, 0, 1])
    shuffled = rows._replace(X=rows.X[:, order], y=rows.y[:, order])
    torch.testing.assert_close(net(net.adapt(shuffled), QUERY), expected)
    turned = rows._replace(X=rows.X[..., columns])
    torch.testing.assert_close(net(net.adapt(turned), QUERY[..., columns]), expected)


def test_order_of_classes():
    net, rows, other_name = trained(), support(), torch.tensor([2, 0, 1])
    renamed = net(net.adapt(rows._replace(y=other_name[rows.y])), QUERY)
    torch.testing.assert_close(renamed[..., other_name], net(net.adapt(rows), QUERY))


@pytest.mark.parametrize("target", ["classes", "numbers"])
def test_a_row_of_weight_two_is_two_rows(target):
    net, rows = trained(target), support(target=target)
    weight = torch.tensor([2.0, 1.0, 1.0, 0.0, 1.0, 3.0, 1.0, 1.0]).double()
    times = weight.long()
    repeated = Support(
        rows.X.repeat_interleave(times, 1),
        rows.y.repeat_interleave(times, 1),
        torch.ones(1, int(times.sum()), dtype=torch.bool),
    )
    weighted = rows._replace(weight=weight[None])
    torch.testing.assert_close(net(net.adapt(weighted), QUERY), net(net.adapt(repeated), QUERY))


@pytest.mark.parametrize("target", ["classes", "numbers"])
def test_units_of_features_and_targets(target):
    """Predictions do not depend on the units of the features, and follow those of the target."""
    net, rows = trained(target), support(target=target)
    scale, shift = torch.tensor([10.0, 0.01, 3.0]).double(), 5.0
    y = 7.0 * rows.y + 2.0 if target == "numbers" else rows.y
    other = net(net.adapt(rows._replace(X=scale * rows.X + shift, y=y)), scale * QUERY + shift)
    expected = net(net.adapt(rows), QUERY)
    if target == "numbers":
        mean, variance = expected.unbind(-1)
        expected = torch.stack([7.0 * mean + 2.0, 49.0 * variance], dim=-1)
    torch.testing.assert_close(other, expected)


@pytest.mark.parametrize("target", ["classes", "numbers"])
def test_tasks_of_different_sizes_and_widths(target):
    net = trained(target)
    small, large = support(5, 2, target), support(9, 3, target)
    queries = QUERY[..., :2], QUERY
    X = torch.full((2, 9, 3), torch.nan).double()
    X[0, :5, :2], X[1] = small.X[0], large.X[0]
    X[0, 5:] = 0.0  # padded rows
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[0, 5:] = False
    y = torch.zeros(2, *large.y.shape[1:], dtype=large.y.dtype)
    y[0, :5], y[1] = small.y[0], large.y[0]
    wide = torch.nn.functional.pad(queries[0], (0, 1), value=torch.nan)
    together = net(net.adapt(Support(X, y, mask)), torch.cat([wide, queries[1]]))
    for i, (rows, query) in enumerate(zip((small, large), queries, strict=True)):
        torch.testing.assert_close(together[i : i + 1], net(net.adapt(rows), query))


@pytest.mark.parametrize("target", ["classes", "numbers"])
def test_an_empty_support_is_finite(target):
    net, rows = trained(target), support(0, 3, target)
    rows = rows._replace(class_mask=torch.ones(1, 3).bool()) if target == "classes" else rows
    assert torch.isfinite(net(net.adapt(rows), QUERY)).all()


def test_queries_know_nothing_of_each_other():
    net, state = trained(), trained().adapt(support())
    torch.testing.assert_close(net(state, QUERY)[:, :1], net(state, QUERY[:, :1]))


def test_gradients_are_finite_with_padding_and_gaps():
    net, rows = InContextNet(), support(n_tasks=2)
    rows.X[0, :, 2] = torch.nan
    rows = rows._replace(X=rows.X.float(), mask=torch.arange(8) < torch.tensor([[8], [3]]))
    net(net.adapt(rows), QUERY.float().expand(2, -1, -1)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_known_features_are_told_apart():
    net = trained(n_classes=3, n_known_features=3, n_known_targets=3)
    rows, columns = support(), torch.tensor([2, 0, 1])
    turned = net(net.adapt(rows._replace(X=rows.X[..., columns])), QUERY[..., columns])
    assert not torch.allclose(turned, net(net.adapt(rows), QUERY))
    empty = support(0)
    assert net(net.adapt(empty), QUERY).softmax(-1).std() > 1e-3


def test_the_state_is_the_support():
    net, rows = InContextNet(), support(8)
    state = net.adapt(rows)
    assert sum(part.numel() for part in state.values()) <= 8 * (3 + 1 + 1) + 3 + 3


def test_linear_evidence_is_ridge_regression_without_the_row():
    X, y = torch.randn(1, 12, 3).double(), torch.randn(1, 9, 1).double()
    found = linear_evidence(X, y, torch.ones(1, 9).double(), ridge=2.0)[0, :, 0]
    design = torch.cat([X[0], 10**0.5 * torch.ones(12, 1)], dim=1)  # the intercept's own penalty
    ridge = Ridge(alpha=2.0, fit_intercept=False)
    for i in range(12):
        others = [j for j in range(9) if j != i]
        ridge.fit(design[others].numpy(), y[0, others, 0].numpy())
        assert found[i] == pytest.approx(ridge.predict(design[i : i + 1].numpy())[0])


def test_kernel_evidence_leaves_the_row_out():
    X, y = torch.randn(1, 5, 2).double(), torch.randn(1, 5, 1).double()
    weight = torch.ones(1, 5).double()
    n_features = torch.tensor([2])
    found = kernel_evidence(X, n_features, y, weight, bandwidth=0.5)
    turned = torch.cat([X[:, 1:], X[:, :1]], dim=1)
    others = kernel_evidence(turned, n_features, y[:, 1:], weight[:, 1:], bandwidth=0.5)
    torch.testing.assert_close(found[0, 0], others[0, -1])


def test_ranks_and_moments_do_not_mind_weights_of_zero():
    values = torch.tensor([[[1.0], [2.0], [2.0], [9.0]]])
    weight = torch.tensor([[[1.0], [1.0], [1.0], [0.0]]])
    torch.testing.assert_close(
        weighted_ranks(values, values, weight).flatten(), torch.tensor([1 / 6, 2 / 3, 2 / 3, 1.0])
    )
    mean, deviation = weighted_moments(torch.full((1, 4, 1), 1e6), weight)
    assert (mean.item(), deviation.item()) == (1e6, 1.0)

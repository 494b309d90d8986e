import torch
from torch import nn

from skmeta.nets import MLP, HyperNet, NumberCode, OwnClassCode, forward_tasks


def test_generated_parameters_make_the_prediction(pad, regression_tasks):
    net = HyperNet(MLP(2, 2, (5,)), 2, NumberCode(1)).double()
    state = net.adapt(pad(regression_tasks([4, 7])))
    X = torch.randn(2, 6, 2).double()
    mean = net(state, X)[..., 0]
    for i in range(2):
        params = {name: part[i] for name, part in state.items()}
        alone = torch.func.functional_call(net.network, params, (X[i],))
        torch.testing.assert_close(mean[i], alone[:, :1])


def test_it_starts_near_the_network_itself(pad, regression_tasks):
    network = MLP(2, 2)
    net = HyperNet(network, 2, NumberCode(1)).double()
    state = net.adapt(pad(regression_tasks([4])))
    for name, param in network.named_parameters():
        assert (state[name][0] - param).abs().max() < 0.1


def test_any_module_is_generated(pad, regression_tasks):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))
            self.layer = nn.Linear(2, 2)

        def forward(self, X):
            return self.scale * self.layer(X)

    net = HyperNet(Scaled(), 2, NumberCode(1)).double()
    state = net.adapt(pad(regression_tasks([4, 3])))
    assert state["scale"].shape == (2,)
    output = net(state, torch.randn(2, 5, 2).double())
    output.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_padding_weights_and_empty_supports(pad, regression_tasks):
    net, tasks = HyperNet(MLP(2, 2), 2, NumberCode(1)).double(), regression_tasks([5, 2, 0])
    query = torch.randn(3, 4, 2).double()
    together = net(net.adapt(pad(tasks)), query)
    assert torch.isfinite(together).all()
    for i, task in enumerate(tasks):
        alone = net(net.adapt(pad([task])), query[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone)
    (X, y), weight = tasks[0], torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0]).double()
    weighted = net.adapt(pad([(X, y)])._replace(weight=weight[None]))
    times = weight.long()
    repeated = net.adapt(pad([(X.repeat_interleave(times, 0), y.repeat_interleave(times, 0))]))
    for name in weighted:
        torch.testing.assert_close(weighted[name], repeated[name])


def test_a_network_for_each_class_of_the_task(pad):
    net = HyperNet(MLP(2, 1), 2, OwnClassCode()).double()
    X, y = torch.randn(9, 2).double(), torch.arange(9) % 3
    state = net.adapt(pad([(X, y)]))
    assert state["layers.0.weight"].shape == (1, 3, 40, 2)
    query, other_name = torch.randn(1, 4, 2).double(), torch.tensor([2, 0, 1])
    renamed = net(net.adapt(pad([(X, other_name[y])])), query)
    torch.testing.assert_close(renamed[..., other_name], net(state, query))
    params = {name: part[0] for name, part in state.items() if name.startswith("layers")}
    logits = forward_tasks(net.network, params, query.expand(3, -1, -1)).squeeze(-1).T
    logits = logits + torch.log(torch.tensor(1 / 3))
    torch.testing.assert_close(net(state, query)[0], logits.double())

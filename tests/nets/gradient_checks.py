"""Networks in double precision, and gradients by finite differences."""

import torch
from torch import nn

from skmeta.nets import MLP, masked_mean


class Plain(nn.Module):
    """Hides the fast path of a module, so that it is vectorised like any other."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, X):
        return self.module(X)


def small_mlp(n_outputs=1):
    return MLP(2, n_outputs, hidden_sizes=(4, 3), activation="tanh").double()


def batch_norm_net(n_outputs=1):
    layers = nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, n_outputs)
    return nn.Sequential(*layers).double()


def layer_norm_net(n_outputs=1):
    layers = nn.Linear(2, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, n_outputs)
    return nn.Sequential(*layers).double()


def query_loss(maml, support, query):
    """Mean over tasks of the loss on query rows after adaptation."""
    output = maml(maml.adapt(support), query.X, query.mask)
    return masked_mean(maml.row_loss(output, query.y), query.mask).mean()


def meta_gradient(maml, loss):
    """Gradient of a loss in all learned parameters, as one vector."""
    learned = [param for param in maml.parameters() if param.requires_grad]
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, learned)])


@torch.no_grad()
def finite_differences(maml, loss, step=1e-5):
    """Central differences of a loss in every parameter of the module."""
    gradient = []
    for param in maml.parameters():
        if not param.requires_grad:
            continue
        entries = param.view(-1)
        for i, value in enumerate(entries.tolist()):
            ends = []
            for shifted in (value + step, value - step):
                entries[i] = shifted
                with torch.enable_grad():
                    ends.append(loss().item())
            entries[i] = value
            gradient.append((ends[0] - ends[1]) / (2 * step))
    return torch.tensor(gradient, dtype=torch.float64)


def relative_error(actual, expected):
    return ((actual - expected).norm() / expected.norm()).item()

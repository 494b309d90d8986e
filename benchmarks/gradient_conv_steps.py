"""Conv4 of `gradient_throughput.py`: one meta-training step of ours and of each library.

Second-order MAML with one inner step on 16 tasks of 5 classes, one image of 28 x 28 and one query
image of each. The peers' network is of torch's own layers, in the order of the literature:
convolution, batch normalisation, ReLU, pooling.
"""

from __future__ import annotations

import torch
from gradient_peers import Step, learn2learn_maml
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.episodic import EpisodeLoss
from skmeta.nets import (
    MAML,
    CompiledEpisode,
    ConvNet,
    Episode,
    InnerSGD,
    cross_entropy,
    one_by_one,
)

_INNER_LR, _N_TASKS = 0.4, 16


def conv_ours(compiled: bool = False) -> Step:
    """A step as this package's estimators take it."""
    learner = MAML(ConvNet((1, 28, 28), n_outputs=5), cross_entropy, InnerSGD(_INNER_LR))
    episode, criterion = Episode(learner), EpisodeLoss(cross_entropy)
    optimizer, (X, y, X_query) = _adam(episode), _rows()
    mask = torch.ones(y.shape, dtype=torch.bool)
    inputs = {"X_query": X_query, "X": X, "y": y, "mask": mask, "mask_query": mask}
    targets = {"y": y, "mask": mask}
    fast = CompiledEpisode(episode, criterion)

    def step() -> None:
        optimizer.zero_grad()
        for part, target in one_by_one(inputs, targets, keep_padding=compiled):
            if not compiled:
                criterion(episode(**part), **target).backward()
            elif fast(part, target) is None:
                raise NotImplementedError(fast.reason)
        for param in episode.parameters():
            param.grad.div_(_N_TASKS)  # type: ignore[union-attr]
        optimizer.step()

    return step


def conv_loop() -> Step:
    """One task after the other, by `torch.autograd.grad` and a functional call."""
    net = _network()
    optimizer, rows = _adam(net), _rows()
    names, params = zip(*net.named_parameters(), strict=True)

    def step() -> None:
        optimizer.zero_grad()
        for X, y, X_query in zip(*rows, strict=True):
            gradients = torch.autograd.grad(F.cross_entropy(net(X), y), params, create_graph=True)
            adapted = [p - _INNER_LR * g for p, g in zip(params, gradients, strict=True)]
            weights = dict(zip(names, adapted, strict=True))
            output = torch.func.functional_call(net, weights, (X_query,))
            (F.cross_entropy(output, y) / _N_TASKS).backward()
        optimizer.step()

    return step


def conv_learn2learn() -> Step:
    """The loop of its examples on images: clone, adapt, backward for each task."""
    meta = learn2learn_maml()(_network(), lr=_INNER_LR)
    optimizer, rows = _adam(meta), _rows()

    def step() -> None:
        optimizer.zero_grad()
        for X, y, X_query in zip(*rows, strict=True):
            learner = meta.clone()
            learner.adapt(F.cross_entropy(learner(X), y))
            (F.cross_entropy(learner(X_query), y) / _N_TASKS).backward()
        optimizer.step()

    return step


def conv_higher() -> Step:
    """The loop of its examples."""
    import higher as library

    net = _network()
    inner = torch.optim.SGD(net.parameters(), lr=_INNER_LR)
    optimizer, rows = _adam(net), _rows()

    def step() -> None:
        optimizer.zero_grad()
        for X, y, X_query in zip(*rows, strict=True):
            with library.innerloop_ctx(net, inner, copy_initial_weights=False) as (own, descent):
                descent.step(F.cross_entropy(own(X), y))
                (F.cross_entropy(own(X_query), y) / _N_TASKS).backward()
        optimizer.step()

    return step


def conv_torchopt() -> Step:
    """The loop of its examples: a differentiable optimiser whose steps are undone for each task."""
    import torchopt as library

    net = _network()
    inner = library.MetaSGD(net, lr=_INNER_LR)
    optimizer, rows = _adam(net), _rows()

    def step() -> None:
        optimizer.zero_grad()
        start = library.extract_state_dict(net, by="reference")
        start_inner = library.extract_state_dict(inner, by="reference")
        for X, y, X_query in zip(*rows, strict=True):
            inner.step(F.cross_entropy(net(X), y))
            (F.cross_entropy(net(X_query), y) / _N_TASKS).backward()
            library.recover_state_dict(net, start)
            library.recover_state_dict(inner, start_inner)
        optimizer.step()

    return step


def _network() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 28, 28))]
    for n_inputs in (1, 64, 64, 64):
        layers += [
            nn.Conv2d(n_inputs, 64, kernel_size=3, padding=1),
            nn.BatchNorm2d(64, track_running_stats=False),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 5))


def _adam(module: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(module.parameters(), 1e-3, fused=True)


def _rows() -> list[Tensor]:
    """X and y of the support, and X of the query, whose y is the same."""
    generator = torch.Generator().manual_seed(0)
    X, X_query = torch.randn(2, _N_TASKS, 5, 784, generator=generator)
    return [X, torch.arange(5).repeat(_N_TASKS, 1), X_query]

"""Peers of `gradient_throughput.py`: one meta-training step of each library, on the same work.

Every function takes a :class:`Work` and returns a function without arguments that takes one whole
step: inner steps on all tasks, meta-gradient, and Adam on the initial weights. A peer that does not
have an algorithm raises `NotImplementedError`; one that is not installed, `ImportError`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, mse_loss, relu

Step = Callable[[], object]

INSTALL = """\
What the peers needed (Python 3.11, torch 2.13, in November 2026):
  TorchOpt, JAX: pip install torchopt jax
  higher: pip install --no-deps higher (its metadata asks for more than it uses)
  learn2learn: does not build (its Cython sources are too old), and its __init__ imports gym and
    torchvision. Unpack its source distribution and put it on PYTHONPATH: only its algorithms, which
    are plain Python, are imported."""


class Work(NamedTuple):
    """What is done in a step: an algorithm, and sine waves of 10 + 10 rows."""

    algorithm: str  # MAML, FOMAML, ANIL, Reptile or MetaSGD
    n_steps: int
    n_tasks: int = 25
    n_rows: int = 10
    inner_lr: float = 0.01
    outer_lr: float = 1e-3

    def rows(self) -> list[Tensor]:
        """X and y of the support, X and y of the query, each of shape (n_tasks, n_rows, 1)."""
        rng = np.random.default_rng(0)
        X = rng.uniform(-5, 5, size=(2, self.n_tasks, self.n_rows, 1))
        y = rng.uniform(0.1, 5, size=(self.n_tasks, 1, 1)) * np.sin(X)
        return [torch.tensor(part, dtype=torch.float32) for part in (X[0], y[0], X[1], y[1])]


def network() -> nn.Sequential:
    """Two hidden layers of 40 rectified units."""
    return nn.Sequential(
        nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1)
    )


def adam(params: Any, work: Work) -> torch.optim.Optimizer:
    """The same for all libraries that run on torch."""
    return torch.optim.Adam(params, work.outer_lr, fused=True)


def plain_loop(work: Work) -> Step:
    """One task after the other, by `torch.autograd.grad` on weights in a list."""
    params = list(network().parameters())
    rates = [nn.Parameter(torch.full_like(p, work.inner_lr)) for p in params]
    learned = params + rates if work.algorithm == "MetaSGD" else params
    optimizer, tasks = adam(learned, work), list(zip(*work.rows(), strict=True))

    def features(X: Tensor) -> Tensor:
        return relu(linear(relu(linear(X, *params[:2])), *params[2:4]))

    def output(weights: list[Tensor], X: Tensor) -> Tensor:
        *hidden, last = zip(weights[::2], weights[1::2], strict=True)
        for layer in hidden:
            X = relu(linear(X, *layer))
        return linear(X, *last)

    def descend(weights: list[Tensor], X: Tensor, y: Tensor) -> list[Tensor]:
        second_order = work.algorithm in ("MAML", "MetaSGD", "ANIL")
        for _ in range(work.n_steps):
            loss = mse_loss(output(weights, X), y)
            gradients = torch.autograd.grad(loss, weights, create_graph=second_order)
            pairs = zip(weights, gradients, rates, strict=False)
            if work.algorithm == "MetaSGD":
                weights = [w - rate * g for w, g, rate in pairs]
            else:
                weights = [w - work.inner_lr * g for w, g, _ in pairs]
        return weights

    def on_task(X: Tensor, y: Tensor, X_query: Tensor, y_query: Tensor) -> None:
        if work.algorithm == "Reptile":
            start = [p.detach().requires_grad_() for p in params]
            for p, found in zip(params, descend(start, X, y), strict=True):
                direction = (p - found).detach() / work.n_tasks
                p.grad = direction if p.grad is None else p.grad + direction
            return
        if work.algorithm == "ANIL":
            head = descend(params[4:], features(X), y)
            loss = mse_loss(output(head, features(X_query)), y_query)
        else:
            loss = mse_loss(output(descend(params, X, y), X_query), y_query)
        (loss / work.n_tasks).backward()

    def step() -> None:
        optimizer.zero_grad()
        for task in tasks:
            on_task(*task)
        optimizer.step()

    return step


def learn2learn_maml() -> Any:
    """Its class, without its own `__init__`, which imports libraries that it does not need."""
    if "learn2learn" not in sys.modules:
        spec = importlib.util.find_spec("learn2learn")
        if spec is None:
            raise ImportError("No module named 'learn2learn'")
        sys.modules["learn2learn"] = importlib.util.module_from_spec(spec)
    from learn2learn.algorithms.maml import MAML

    return MAML


def learn2learn(work: Work) -> Step:
    """The loop of its examples: clone, adapt, add up the query losses."""
    MAML = learn2learn_maml()
    from learn2learn.algorithms.meta_sgd import MetaSGD

    body, net = None, network()
    if work.algorithm == "ANIL":
        body, net = net[:4], net[4]
    if work.algorithm == "Reptile":
        raise NotImplementedError
    first_order = work.algorithm == "FOMAML"
    meta = (
        MetaSGD(net, lr=work.inner_lr)
        if work.algorithm == "MetaSGD"
        else MAML(net, lr=work.inner_lr, first_order=first_order)
    )
    embed = nn.Identity() if body is None else body
    optimizer = adam([*meta.parameters(), *embed.parameters()], work)
    tasks = list(zip(*work.rows(), strict=True))

    def step() -> None:
        optimizer.zero_grad()
        total = torch.zeros(())
        for X, y, X_query, y_query in tasks:
            learner, rows = meta.clone(), embed(X)
            for _ in range(work.n_steps):
                learner.adapt(mse_loss(learner(rows), y))
            total = total + mse_loss(learner(embed(X_query)), y_query)
        (total / work.n_tasks).backward()
        optimizer.step()

    return step


def higher(work: Work) -> Step:
    """The loop of its examples."""
    import higher as library

    if work.algorithm not in ("MAML", "FOMAML"):
        raise NotImplementedError
    net = network()
    inner = torch.optim.SGD(net.parameters(), lr=work.inner_lr)
    optimizer, tasks = adam(net.parameters(), work), list(zip(*work.rows(), strict=True))

    def step() -> None:
        optimizer.zero_grad()
        for X, y, X_query, y_query in tasks:
            with library.innerloop_ctx(
                net, inner, copy_initial_weights=False, track_higher_grads=work.algorithm == "MAML"
            ) as (learner, descent):
                for _ in range(work.n_steps):
                    descent.step(mse_loss(learner(X), y))
                (mse_loss(learner(X_query), y_query) / work.n_tasks).backward()
        optimizer.step()

    return step


def torchopt(work: Work) -> Step:
    """The loop of its examples: a differentiable optimiser whose steps are undone for each task."""
    import torchopt as library

    if work.algorithm != "MAML":
        raise NotImplementedError
    net = network()
    inner = library.MetaSGD(net, lr=work.inner_lr)
    optimizer, tasks = adam(list(net.parameters()), work), list(zip(*work.rows(), strict=True))

    def step() -> None:
        optimizer.zero_grad()
        start = library.extract_state_dict(net, by="reference")
        start_inner = library.extract_state_dict(inner, by="reference")
        total = torch.zeros(())
        for X, y, X_query, y_query in tasks:
            for _ in range(work.n_steps):
                inner.step(mse_loss(net(X), y))
            total = total + mse_loss(net(X_query), y_query)
            library.recover_state_dict(net, start)
            library.recover_state_dict(inner, start_inner)
        (total / work.n_tasks).backward()
        optimizer.step()

    return step


def jax(work: Work) -> Step:
    """The whole step, Adam included, as one `jit(vmap)`."""
    import jax as library
    import jax.numpy as jnp

    tree, rows = library.tree, [jnp.asarray(part.numpy()) for part in work.rows()]
    arrays = [jnp.asarray(p.detach().numpy().T) for p in network().parameters()]
    layers = list(zip(arrays[::2], arrays[1::2], strict=True))
    rates = tree.map(lambda p: jnp.full_like(p, work.inner_lr), layers)
    learned = (layers, rates) if work.algorithm == "MetaSGD" else (layers,)

    def output(layers: Any, X: Any) -> Any:
        for weight, bias in layers[:-1]:
            X = library.nn.relu(X @ weight + bias)
        return X @ layers[-1][0] + layers[-1][1]

    def loss(layers: Any, X: Any, y: Any) -> Any:
        return jnp.mean((output(layers, X) - y) ** 2)

    def descend(layers: Any, rates: Any, X: Any, y: Any) -> Any:
        for _ in range(work.n_steps):
            gradients = library.grad(loss)(layers, X, y)
            if work.algorithm in ("FOMAML", "Reptile"):
                gradients = library.lax.stop_gradient(gradients)
            layers = tree.map(lambda p, g, r: p - r * g, layers, gradients, rates)
        return layers

    def after_task(learned: Any, X: Any, y: Any, X_query: Any, y_query: Any) -> Any:
        layers = learned[0]
        own = (
            learned[1] if work.algorithm == "MetaSGD" else tree.map(lambda _: work.inner_lr, rates)
        )
        if work.algorithm == "Reptile":
            found = library.lax.stop_gradient(descend(layers, own, X, y))
            squares = tree.map(lambda p, q: jnp.sum((p - q) ** 2), layers, found)
            return 0.5 * sum(tree.leaves(squares))
        if work.algorithm == "ANIL":

            def embed(X: Any) -> Any:
                for weight, bias in layers[:-1]:
                    X = library.nn.relu(X @ weight + bias)
                return X

            head = descend(layers[-1:], own[-1:], embed(X), y)
            return loss(head, embed(X_query), y_query)
        return loss(descend(layers, own, X, y), X_query, y_query)

    def mean_loss(learned: Any) -> Any:
        return library.vmap(after_task, (None, 0, 0, 0, 0))(learned, *rows).mean()

    @library.jit
    def update(learned: Any, first: Any, second: Any, t: Any) -> Any:
        gradients, t = library.grad(mean_loss)(learned), t + 1
        first = tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)

        def move(p: Any, m: Any, v: Any) -> Any:
            size = jnp.sqrt(v / (1 - 0.999**t)) + 1e-8
            return p - work.outer_lr * m / (1 - 0.9**t) / size

        return tree.map(move, learned, first, second), first, second, t

    zeros = tree.map(jnp.zeros_like, learned)
    state = [(learned, zeros, zeros, jnp.zeros(()))]

    def step() -> None:
        state[0] = library.block_until_ready(update(*state[0]))

    return step


PEERS: dict[str, Callable[[Work], Step]] = {
    "learn2learn": learn2learn,
    "higher": higher,
    "TorchOpt": torchopt,
    "JAX jit(vmap)": jax,
}

"""A learned optimiser against tuned Adam and SGD, on problems of its family and of others.

The family is that of Andrychowicz et al. (2016, 3.1): minimise |W theta - y|^2 / 10 with a matrix W
of 10 x 10 and a vector y of independent standard normal numbers, from theta = 0. The recurrent
optimiser is trained through segments of 20 steps, out of 100 in all. The step sizes of Adam, of SGD
and of SGD with momentum are tuned on 256 other problems, for 20 and for 100 steps separately, and
tuned again on 256 problems of each other family. The learned optimiser is not trained again.

    OMP_NUM_THREADS=1 python benchmarks/learned_optimizer.py

It prints the mean loss over 256 unseen problems with its standard error, and the median.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from skmeta.nets import (
    MLP,
    RecurrentOptimizer,
    Support,
    initial_parameters,
    squared_error,
    task_gradients,
    task_losses,
)

STEPS = (20, 100)
N_TEST, SEGMENT = 256, 20


class Problems(NamedTuple):
    """Problems of one kind: the same network on rows of their own."""

    module: nn.Module
    support: Support

    def start(self) -> dict[str, Tensor]:
        """Initial parameters of all problems."""
        params = initial_parameters(self.module, len(self.support.X))
        return {name: param.detach().clone().requires_grad_() for name, param in params.items()}

    def losses(self, params: dict[str, Tensor]) -> Tensor:
        """One loss for each problem."""
        return task_losses(self.module, params, self.support, squared_error)


def quadratics(n_problems: int, seed: int, size: int = 10, spread: float = 0.0) -> Problems:
    """Random quadratics; `spread` is by how many decades the scales of the columns of W differ."""
    rng = torch.Generator().manual_seed(seed)
    W = torch.randn(n_problems, size, size, generator=rng)
    W = W * 10 ** (spread * (torch.rand(n_problems, 1, size, generator=rng) - 0.5))
    y = torch.randn(n_problems, size, 1, generator=rng)
    linear = nn.Linear(size, 1, bias=False)
    nn.init.zeros_(linear.weight)
    return Problems(linear, Support(W, y, torch.ones(n_problems, size, dtype=torch.bool)))


def sine_networks(n_problems: int, seed: int) -> Problems:
    """A network with 20 hidden units on 20 rows of a sine wave, from the same random weights."""
    rng = torch.Generator().manual_seed(seed)
    x = 10 * torch.rand(n_problems, 20, 1, generator=rng) - 5
    phase = np.pi * torch.rand(n_problems, 1, 1, generator=rng)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mlp = MLP(1, 1, hidden_sizes=(20,), activation="tanh")
    return Problems(mlp, Support(x, torch.sin(x - phase), torch.ones(x.shape[:2], dtype=bool)))


FAMILIES: dict[str, Callable[[int, int], Problems]] = {
    "its family": quadratics,
    "30 x 30": lambda n, seed: quadratics(n, seed, size=30),
    "columns of W over 2 decades": lambda n, seed: quadratics(n, seed, spread=2.0),
    "networks on sine waves": sine_networks,
}


def train(n_iterations: int, n_problems: int = 64, seed: int = 0) -> RecurrentOptimizer:
    """Train through segments of the descent, each of which starts where the last one ended."""
    torch.manual_seed(seed)
    learned = RecurrentOptimizer(scale=0.1, n_hidden=20)
    outer = torch.optim.Adam(learned.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(outer, n_iterations)
    for i in range(n_iterations):
        problems = quadratics(n_problems, seed=1_000_000 + i)
        position = learned.start(problems.start())
        for start in range(0, STEPS[-1], SEGMENT):
            # The logarithm makes late steps, whose losses are small, count as much as early ones.
            loss = 0.0
            for step in range(start, start + SEGMENT):
                position = learned(position, _gradients(problems, position.params), step)
                loss = loss + problems.losses(position.params).mean().log() / SEGMENT
            outer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learned.parameters(), 1.0)
            outer.step()
            position = _cut_off(position)
        schedule.step()
    return learned


def _gradients(problems: Problems, params: dict[str, Tensor]) -> dict[str, Tensor]:
    names = list(params)
    return task_gradients(problems.module, params, names, problems.support, squared_error, False)


def _cut_off(position):
    params = {name: param.detach().requires_grad_() for name, param in position.params.items()}
    memory = {name: tensor.detach() for name, tensor in position.memory.items()}
    return position._replace(params=params, memory=memory)


def descend_learned(learned: RecurrentOptimizer, problems: Problems) -> np.ndarray:
    """Losses of shape (n_problems, 2) after 20 and after 100 steps."""
    position, found = learned.start(problems.start()), []
    for step in range(STEPS[-1]):
        position = _cut_off(learned(position, _gradients(problems, position.params), step))
        if step + 1 in STEPS:
            found.append(_values(problems.losses(position.params)))
    return np.stack(found, axis=1)


def descend(
    make: Callable[[list[Tensor]], torch.optim.Optimizer], problems: Problems
) -> np.ndarray:
    """Losses of shape (n_problems, 2) of an ordinary optimiser, which treats problems apart."""
    params, found = problems.start(), []
    optimizer = make(list(params.values()))
    for step in range(STEPS[-1]):
        optimizer.zero_grad()
        problems.losses(params).sum().backward()
        optimizer.step()
        if step + 1 in STEPS:
            found.append(_values(problems.losses(params)))
    return np.stack(found, axis=1)


def _values(losses: Tensor) -> np.ndarray:
    return losses.detach().double().nan_to_num(torch.inf, posinf=torch.inf).numpy()


RATES = np.geomspace(1e-3, 3.0, 15)
OPPONENTS: dict[str, Callable[[float], Callable]] = {
    "SGD": lambda lr: lambda params: torch.optim.SGD(params, lr),
    "SGD, momentum 0.9": lambda lr: lambda params: torch.optim.SGD(params, lr, momentum=0.9),
    "Adam": lambda lr: lambda params: torch.optim.Adam(params, lr),
}


def tune(name: str, problems: Problems) -> list[float]:
    """The step size with the lowest mean loss after 20 and after 100 steps."""
    means = np.array([descend(OPPONENTS[name](lr), problems).mean(axis=0) for lr in RATES])
    return RATES[means.argmin(axis=0)].tolist()


def describe(losses: np.ndarray) -> str:
    """Mean, its standard error, and median."""
    if not np.isfinite(losses).all():
        return f"{np.mean(~np.isfinite(losses)):.0%} diverge ({np.median(losses):8.2g})".rjust(34)
    error = losses.std(ddof=1) / np.sqrt(len(losses))
    return f"{losses.mean():10.3g} +- {error:8.2g} ({np.median(losses):8.2g})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, tune and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=300, help="of 64 problems each")
    parser.add_argument("--seed", type=int, default=0, help="of training")
    parser.add_argument("--test-seed", type=int, default=10_000)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    start = time.process_time()
    learned = train(args.iterations, seed=args.seed)
    print(f"{args}, trained in {time.process_time() - start:.0f} s", flush=True)
    for family, make in FAMILIES.items():
        tuning, test = make(256, args.test_seed + 1), make(N_TEST, args.test_seed)
        print(
            f"\n{family}\n{'':20s} {'step sizes':>14s} {'after 20 steps':>34s} {'after 100':>34s}"
        )
        found = descend_learned(learned, test)
        print(f"{'learned':35s} {describe(found[:, 0])}  {describe(found[:, 1])}", flush=True)
        for name in OPPONENTS:
            rates = tune(name, tuning)
            columns = [
                describe(descend(OPPONENTS[name](lr), test)[:, i]) for i, lr in enumerate(rates)
            ]
            sizes = "{:.2g}, {:.2g}".format(*rates)
            print(f"{name:20s} {sizes:>14s} {'  '.join(columns)}", flush=True)


if __name__ == "__main__":
    main()

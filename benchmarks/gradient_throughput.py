"""How fast gradient-based meta-learning is: training steps, memory, adaptation.

    python benchmarks/gradient_throughput.py --compile --peers

A training step is all of it: inner steps on 25 sine waves of 10 + 10 rows by a network with two
hidden layers of 40 units, meta-gradient, Adam. All contenders take turns in one process on one
thread that is pinned to one core; a figure is the median over rounds of the processor time of a
step, a ratio the median over rounds of the ratios within a round, so that whatever else runs on the
machine weighs on all of them. The reference is learn2learn where `--peers` finds it, otherwise the
plain loop over tasks in `gradient_peers.py`; both are printed. learn2learn has no Reptile, which is
compared with its MAML.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

import torch
from gradient_conv_steps import (
    conv_higher,
    conv_learn2learn,
    conv_loop,
    conv_ours,
    conv_torchopt,
)
from gradient_peers import INSTALL, PEERS, Step, Work, adam, learn2learn, plain_loop

from skmeta import MAMLRegressor
from skmeta.datasets import make_sinusoid_tasks
from skmeta.episodic import EpisodeLoss
from skmeta.gradient_based._losses import ReptileLoss
from skmeta.nets import (
    MAML,
    MLP,
    CompiledEpisode,
    Episode,
    InnerSGD,
    LearnedRate,
    ReptileEpisode,
    Support,
    masked_mean,
    parameter_shapes,
    split_head,
    squared_error,
)

WORKS = [
    Work("MAML", 1),
    Work("MAML", 5),
    Work("FOMAML", 1),
    Work("FOMAML", 5),
    Work("ANIL", 5),
    Work("Reptile", 1),
    Work("MetaSGD", 1),
]
_STAND_IN = "learn2learn's MAML"
_AT_LEAST = 0.02  # seconds that a contender runs for in a round


def ours(work: Work, compiled: bool = False) -> Step:
    """A step of this package's modules, as its estimators take it."""
    net = MLP(n_inputs=1, n_outputs=1)
    lr: float | LearnedRate = work.inner_lr
    if work.algorithm == "MetaSGD":
        lr = LearnedRate(work.inner_lr, parameter_shapes(net), per="parameter")
    body, backbone = split_head(net) if work.algorithm == "ANIL" else (None, net)
    first_order = work.algorithm in ("FOMAML", "Reptile")
    learner = MAML(backbone, squared_error, InnerSGD(lr), work.n_steps, first_order, body=body)
    is_reptile = work.algorithm == "Reptile"
    episode = (ReptileEpisode if is_reptile else Episode)(learner)
    criterion = (ReptileLoss if is_reptile else EpisodeLoss)(squared_error)
    optimizer, (X, y, X_query, y_query) = adam(episode.parameters(), work), work.rows()
    mask = torch.ones(X.shape[:2], dtype=torch.bool)
    inputs = {"X_query": X_query, "X": X, "y": y, "mask": mask, "mask_query": mask}
    targets = {"y": y_query, "mask": mask}
    fast = CompiledEpisode(episode, criterion)

    def step() -> None:
        optimizer.zero_grad()
        if compiled:
            fast(inputs, targets)
        else:
            criterion(episode(**inputs), **targets).backward()
        optimizer.step()

    if compiled:
        step()
        if fast.reason is not None:
            raise NotImplementedError(fast.reason)
    return step


def contenders(work: Work, args: argparse.Namespace) -> dict[str, Step]:
    """Steps by name, each called once, so that whatever is compiled is."""
    makers: dict[str, Callable[[Work], Step]] = {"plain loop": plain_loop, "ours": ours}
    if args.compile:
        makers["ours, compiled"] = partial(ours, compiled=True)
    if args.peers:
        makers |= PEERS
    if args.peers and work.algorithm == "Reptile":  # learn2learn has none; its MAML stands in
        makers[_STAND_IN] = lambda _: learn2learn(Work("MAML", work.n_steps))
    return made({name: partial(make, work) for name, make in makers.items()})


def made(makers: dict[str, Callable[[], Step]]) -> dict[str, Step]:
    """Those that can be had."""
    steps = {}
    for name, make in makers.items():
        start = time.perf_counter()
        try:
            steps[name] = make()
            steps[name]()
        except (ImportError, NotImplementedError) as error:
            print(f"  {name}: left out ({error or 'does not have it'})")
            continue
        if name in ("ours, compiled", "JAX jit(vmap)"):
            print(f"  {name}: compiled in {time.perf_counter() - start:.1f} s")
    return steps


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, compilers aside, on one core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    yield
    os.sched_setaffinity(0, cores)


def processor_time(step: Step, n_calls: int) -> float:
    """Seconds of one call."""
    start = time.process_time()
    for _ in range(n_calls):
        step()
    return (time.process_time() - start) / n_calls


def race(steps: dict[str, Step], n_rounds: int) -> dict[str, list[float]]:
    """Seconds of a step in each round, in which each has its turn."""
    calls = {name: max(1, int(_AT_LEAST / processor_time(s, 2))) for name, s in steps.items()}
    rounds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(n_rounds):
        for name, step in steps.items():
            rounds[name].append(processor_time(step, calls[name]))
    return rounds


def ratio(slow: list[float], fast: list[float]) -> float:
    """How many times as fast, as a median over rounds."""
    return statistics.median(s / f for s, f in zip(slow, fast, strict=True))


def training_steps(args: argparse.Namespace) -> None:
    """The table of training steps."""
    for work in WORKS:
        print(f"{work.algorithm}, {work.n_steps} inner steps", flush=True)
        steps = contenders(work, args)
        with one_core():
            rounds = race(steps, args.rounds)
        for name, seconds in rounds.items():
            line = f"  {name:16s} {1000 * statistics.median(seconds):8.3f} ms"
            for other in ("learn2learn", _STAND_IN, "plain loop", "JAX jit(vmap)"):
                if other in rounds and other != name:
                    line += f"   {ratio(rounds[other], seconds):6.2f} x {other}"
            print(line, flush=True)


def meta_gradient(n_steps: int, recompute: bool, n_tasks: int = 250) -> None:
    """Compute a second-order meta-gradient."""
    learner = MAML(MLP(1, 1), squared_error, InnerSGD(0.01), n_steps, recompute=recompute)
    X, y, X_query, y_query = Work("MAML", n_steps, n_tasks).rows()
    support = Support(X, y, torch.ones(X.shape[:2], dtype=torch.bool))
    output = learner(learner.adapt(support), X_query)
    masked_mean(squared_error(output, y_query), support.mask).mean().backward()


def growth(n_steps: int, recompute: bool) -> float:
    """Megabytes that a fresh process grows by, code that torch loads at first use aside."""
    meta_gradient(1, recompute, n_tasks=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    meta_gradient(n_steps, recompute)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def memory_curve() -> None:
    """Memory of second-order MAML against inner steps, each in a process of its own."""
    print("second-order MAML, 250 tasks: peak megabytes (all steps stored; recompute=True)")
    for n_steps in (1, 2, 5, 10, 20, 50):
        peaks = []
        for recompute in (False, True):
            with ProcessPoolExecutor(1, mp_context=get_context("fork")) as process:
                peaks.append(process.submit(growth, n_steps, recompute).result())
        print(f"  {n_steps:3d} steps {peaks[0]:8.0f} {peaks[1]:8.0f}", flush=True)


def adaptation(args: argparse.Namespace) -> None:
    """Latency of `fit_adapt`, and the rate of `fit_adapt_many`."""
    tasks = make_sinusoid_tasks(10_000, 10, random_state=0)
    meta = MAMLRegressor(n_steps=5, max_epochs=1, random_state=0).fit(tasks[:50])
    some = [(task.X, task.y) for task in tasks[:200]]
    one, many = [], []
    for _ in range(args.rounds):
        one.append(processor_time(lambda: [meta.fit_adapt(X, y) for X, y in some], 1) / len(some))
        many.append(processor_time(lambda: meta.fit_adapt_many(tasks), 1) / len(tasks))
    print("MAMLRegressor, 5 inner steps, tasks of 10 rows")
    print(f"  fit_adapt      {1000 * statistics.median(one):8.3f} ms")
    print(f"  fit_adapt_many {1e6 * statistics.median(many):8.1f} us a task of 10,000", end="")
    print(f"   {ratio(one, many):.1f} x the rate of a loop")


def convolutions(args: argparse.Namespace) -> None:
    """The rows of Conv4."""
    print("MAML, 1 inner step, Conv4-64 on 28 x 28, 5-way 1-shot, 16 tasks", flush=True)
    makers: dict[str, Callable[[], Step]] = {"plain loop": conv_loop, "ours": conv_ours}
    if args.compile:
        makers["ours, compiled"] = partial(conv_ours, compiled=True)
    if args.peers:
        makers |= {
            "learn2learn": conv_learn2learn,
            "higher": conv_higher,
            "TorchOpt": conv_torchopt,
        }
    steps = made(makers)
    with one_core():
        rounds = race(steps, args.rounds)
    for name, seconds in rounds.items():
        print(f"  {name:16s} {1000 * statistics.median(seconds):8.0f} ms", end="")
        print("".join(f"   {ratio(rounds[n], seconds):5.2f} x {n}" for n in rounds if n != name))


def main() -> None:
    """Print all parts."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=INSTALL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--peers", action="store_true", help="other libraries, where installed")
    parser.add_argument("--compile", action="store_true", help="ours compiled, too")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--works", nargs="*", default=None, help="such as MAML-1; all by default")
    parser.add_argument(
        "--parts", nargs="*", default=None, choices=["steps", "memory", "adapt", "conv"]
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, load of the machine {os.getloadavg()[0]:.1f}", flush=True)
    if args.works is not None:
        WORKS[:] = [work for work in WORKS if f"{work.algorithm}-{work.n_steps}" in args.works]
    parts: dict[str, Callable[[], None]] = {
        "steps": lambda: training_steps(args),
        "memory": memory_curve,
        "adapt": lambda: adaptation(args),
        "conv": lambda: convolutions(args),
    }
    for name in args.parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()

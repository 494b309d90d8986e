"""Amortised learners on sine waves, in the setting of the MAML paper (Finn et al., 2017).

The waves, the errors and the coverage are those of `sinusoid_closed_form.py`. Training: 20,000
tasks of 30 rows, of which 0 to 10 are support and 20 query, drawn anew each epoch, in meta-batches
of 32; the learning rate falls along a cosine.

    OMP_NUM_THREADS=1 python benchmarks/sinusoid_amortized.py --learners transformer --epochs 10
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from sinusoid_closed_form import coverage, errors, with_interval
from skorch.callbacks import GradientNormClipping, LRScheduler

from skmeta import HyperNetworkRegressor, NeuralProcessRegressor
from skmeta.datasets import make_sinusoid_tasks

LEARNERS = {
    "mean": NeuralProcessRegressor(encoder="mean"),
    "attention": NeuralProcessRegressor(encoder="attention"),
    "transformer": NeuralProcessRegressor(encoder="transformer"),
    "hypernetwork": HyperNetworkRegressor(),
}


def train(name: str, noise: float, max_epochs: int, seed: int) -> Any:
    """Train one learner; no option but these is set."""
    meta = LEARNERS[name].set_params(
        n_support=10,
        n_query=20,
        max_epochs=max_epochs,
        batch_size=32,
        train_split=None,
        callbacks=[
            LRScheduler("CosineAnnealingLR", T_max=max_epochs),
            GradientNormClipping(1.0),
        ],
        preprocessor=None,
        random_state=seed,
    )
    return meta.fit(make_sinusoid_tasks(20_000, 30, noise=noise, random_state=seed))


def main() -> None:
    """Train and print the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", nargs="*", default=LEARNERS, choices=LEARNERS)
    parser.add_argument("--epochs", type=int, default=20, help="of 625 meta-batches each")
    parser.add_argument("--noise", type=float, default=0.1, help="of the targets, for coverage")
    parser.add_argument("--no-coverage", action="store_true", help="leave the second training out")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, 1 thread, {args}")
    for name in args.learners:
        start, cpu_start = time.perf_counter(), time.process_time()
        meta = train(name, 0.0, args.epochs, args.seed)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        print(f"{name}: trained in {seconds:.0f} s ({cpu_seconds:.0f} s of one core)")
        for n_support in (0, 5, 10):
            mse = with_interval(errors(meta, n_support), 4)
            print(f"  {n_support:2d} shots, mean squared error: {mse}", flush=True)
        if args.no_coverage:
            continue
        noisy = train(name, args.noise, args.epochs, args.seed)
        for n_support in (5, 10):
            for level in (0.5, 0.8, 0.95):
                share = with_interval(100 * coverage(noisy, n_support, args.noise, level), 1)
                what = f"noise {args.noise}, {level:.0%} interval"
                print(f"  {n_support:2d} shots, {what}: {share} %", flush=True)


if __name__ == "__main__":
    main()

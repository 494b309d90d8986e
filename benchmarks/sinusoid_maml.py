"""MAML on sine waves, in the setting of the paper (Finn, Abbeel & Levine, 2017, section 5.1).

Amplitude 0.1 to 5, phase 0 to pi, x in [-5, 5]; 10 support rows; a network with two hidden layers
of 40 rectified units; inner learning rate 0.01; meta-batches of 25 tasks. The error is the mean
over 600 unseen tasks of the mean squared error on 100 query rows, after 0, 1, 5 and 10 inner steps.

    OMP_NUM_THREADS=1 python benchmarks/sinusoid_maml.py

Published for comparison (Meta-SGD paper, Li et al., 2017, one step, 10 shots): MAML 0.77.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from skorch.callbacks import LRScheduler

from skmeta import MAMLRegressor, TaskCollection
from skmeta.datasets import make_sinusoid_tasks


def train(n_steps: int, max_epochs: int, first_order: bool, seed: int) -> MAMLRegressor:
    """Train in the paper's setting on 40,000 sine waves, whose rows are drawn anew each epoch."""
    tasks = make_sinusoid_tasks(40_000, 20, random_state=seed)
    meta = MAMLRegressor(
        inner_lr=0.01,
        n_steps=n_steps,
        first_order=first_order,
        n_support=10,
        n_query=10,
        lr=1e-3,
        max_epochs=max_epochs,
        batch_size=25,
        train_split=None,
        callbacks=[LRScheduler("CosineAnnealingLR", T_max=max_epochs)],
        preprocessor=None,
        normalize_y=False,
        random_state=seed,
    )
    return meta.fit(tasks)


def errors(meta: MAMLRegressor, n_steps: int, seed: int = 10_000) -> np.ndarray:
    """Mean squared error on each of 600 unseen tasks after `n_steps` inner steps."""
    tasks = make_sinusoid_tasks(600, 110, random_state=seed)
    X, y = tasks.X.reshape(600, 110, 1), tasks.y.reshape(600, 110)
    support = TaskCollection(X[:, :10].reshape(-1, 1), y[:, :10].ravel(), np.arange(0, 6001, 10))
    models = meta.set_params(n_adapt_steps=n_steps).fit_adapt_many(support)
    predicted = np.array([model.predict(X[i, 10:]) for i, model in enumerate(models)])
    return ((predicted - y[:, 10:]) ** 2).mean(axis=1)


def main() -> None:
    """Train and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="of 1,600 meta-batches each")
    parser.add_argument("--n-steps", type=int, nargs="*", default=[1, 5])
    parser.add_argument("--first-order", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, 1 thread, {args.epochs} epochs, {args}")
    for n_steps in args.n_steps:
        start = time.perf_counter()
        meta = train(n_steps, args.epochs, args.first_order, args.seed)
        seconds = time.perf_counter() - start
        rate = 40_000 * args.epochs / seconds
        print(f"trained with {n_steps} inner step(s): {seconds:.0f} s, {rate:.0f} tasks/s")
        for after in (0, 1, 5, 10):
            mse = errors(meta, after)
            half_width = 1.96 * mse.std(ddof=1) / np.sqrt(len(mse))
            print(f"  after {after:2d} step(s): {mse.mean():.3f} +- {half_width:.3f}")


if __name__ == "__main__":
    main()

"""Closed-form learners on sine waves, in the setting of the MAML paper (Finn et al., 2017).

Amplitude 0.1 to 5, phase 0 to pi, x in [-5, 5]. Training: 20,000 tasks of 20 rows, of which the
ridge head and `objective="predictive"` take 5 for support and 15 for query, drawn anew each epoch;
the others maximise the marginal likelihood of all 20. The error is the mean over 1,000 unseen tasks
of the mean squared error on 100 query rows, given 0, 5 and 10 support rows.

    OMP_NUM_THREADS=1 python benchmarks/sinusoid_closed_form.py

Errors are with targets without noise, as in the paper. Coverage is the share of query targets
inside the central predictive intervals; for it, a second training of the same length has noise of
deviation 0.1 on all targets, the query's included, and so have the unseen tasks.

Published for comparison (Meta-SGD paper, Li et al., 2017, one step, 10 shots): MAML 0.77.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import LRScheduler

from skmeta import (
    BayesianLinearRegressor,
    DeepKernelRegressor,
    RidgeHeadRegressor,
    TaskCollection,
)
from skmeta.datasets import make_sinusoid_tasks

LEARNERS = {
    "ridge_head": RidgeHeadRegressor(),
    "bayesian_linear": BayesianLinearRegressor(),
    "deep_kernel_rbf": DeepKernelRegressor(kernel="rbf"),
    "deep_kernel_rbf_predictive": DeepKernelRegressor(kernel="rbf", objective="predictive"),
    "deep_kernel_linear": DeepKernelRegressor(kernel="linear"),
    "deep_kernel_spectral": DeepKernelRegressor(kernel="spectral_mixture"),
}
N_TASKS, N_QUERY = 1000, 100


def train(name: str, noise: float, n_support: int, max_epochs: int, seed: int) -> Any:
    """Train one learner; no option but these is set."""
    tasks = make_sinusoid_tasks(20_000, 20, noise=noise, random_state=seed)
    meta = clone(LEARNERS[name]).set_params(
        n_support=n_support,
        n_query=20 - n_support,
        lr=3e-3,
        max_epochs=max_epochs,
        batch_size=32,
        train_split=None,
        callbacks=[LRScheduler("CosineAnnealingLR", T_max=max_epochs)],
        preprocessor=None,
        random_state=seed,
    )
    return meta.fit(tasks)


def adapted(
    meta: Any, n_support: int, noise: float, seed: int = 10_000
) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """Models of unseen tasks, with the query rows of each."""
    n_rows = n_support + N_QUERY
    tasks = make_sinusoid_tasks(N_TASKS, n_rows, noise=noise, random_state=seed)
    X, y = tasks.X.reshape(N_TASKS, n_rows, 1), tasks.y.reshape(N_TASKS, n_rows)
    support = TaskCollection(
        X[:, :n_support].reshape(-1, 1),
        y[:, :n_support].ravel(),
        np.arange(N_TASKS + 1) * n_support,
    )
    models = meta.fit_adapt_many(support)
    yield from zip(models, X[:, n_support:], y[:, n_support:], strict=True)


def errors(meta: Any, n_support: int) -> np.ndarray:
    """Mean squared error on each task."""
    return np.array(
        [np.mean((m.predict(X) - y) ** 2) for m, X, y in adapted(meta, n_support, noise=0.0)]
    )


def coverage(meta: Any, n_support: int, noise: float, level: float) -> np.ndarray:
    """Share of the targets inside the central interval of a level, on each task."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    shares = []
    for model, X, y in adapted(meta, n_support, noise):
        low, high = model.predict_quantiles(X, tails).T
        shares.append(np.mean((low <= y) & (y <= high)))
    return np.array(shares)


def with_interval(values: np.ndarray, digits: int) -> str:
    """Mean over tasks and half the width of its 95 % confidence interval."""
    half_width = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.{digits}f} +- {half_width:.{digits}f}"


def main() -> None:
    """Train and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", nargs="*", default=LEARNERS, choices=LEARNERS)
    parser.add_argument("--epochs", type=int, default=15, help="of 625 meta-batches each")
    parser.add_argument("--n-support", type=int, default=5, help="in training")
    parser.add_argument("--noise", type=float, default=0.1, help="of the coverage experiment")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, 1 thread, {args}")
    for name in args.learners:
        start, cpu_start = time.perf_counter(), time.process_time()
        meta = train(name, 0.0, args.n_support, args.epochs, args.seed)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        print(f"{name}: trained in {seconds:.0f} s ({cpu_seconds:.0f} s of one core)")
        for n_support in (0, 5, 10):
            mse = with_interval(errors(meta, n_support), 6)
            print(f"  {n_support:2d} shots, mean squared error: {mse}")
        if not hasattr(meta, "predict_quantiles"):
            continue
        noisy = train(name, args.noise, args.n_support, args.epochs, args.seed)
        for n_support in (5, 10):
            for level in (0.5, 0.8, 0.95):
                share = with_interval(100 * coverage(noisy, n_support, args.noise, level), 1)
                print(
                    f"  {n_support:2d} shots, noise {args.noise}, {level:.0%} interval: {share} %"
                )


if __name__ == "__main__":
    main()

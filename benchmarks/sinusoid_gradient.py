"""Gradient-based learners on sine waves, in the setting of the MAML paper (Finn et al., 2017, 5.1).

Amplitude 0.1 to 5, phase 0 to pi, x in [-5, 5]; a network with two hidden layers of 40 rectified
units; as many support rows in training as on a new task. Training: 40,000 tasks, whose support and
20 query rows are drawn anew each epoch, in meta-batches of 25. The error is the mean over 1,000
unseen tasks of the mean squared error on 100 query rows, after 0, 1 and 10 inner steps.

    OMP_NUM_THREADS=1 python benchmarks/sinusoid_gradient.py --learners MAML MetaSGD

Published for comparison, after one step (Meta-SGD paper, Li et al., 2017, table 1). Neither it nor
this script says anything of what another network or a longer training would give.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import torch
from skorch.callbacks import LRScheduler

import skmeta
from skmeta import TaskCollection, TrainingDivergedError
from skmeta.datasets import make_sinusoid_tasks

PUBLISHED = {
    ("MAML", 5): 1.13,
    ("MAML", 10): 0.77,
    ("MAML", 20): 0.48,
    ("MetaSGD", 5): 0.90,
    ("MetaSGD", 10): 0.53,
    ("MetaSGD", 20): 0.31,
}

# What is not the default. Targets are not scaled: step sizes mean what they do in the paper.
SETTINGS: dict[str, dict[str, Any]] = {
    "MAML": {"inner_lr": 0.01, "n_steps": 1},
    "MetaSGD": {"inner_lr": 0.01, "n_steps": 1},
    "MetaGradientDescent": {"inner_lr": 0.01, "n_steps": 5},
    "ANIL": {
        "inner_lr": 0.05,
        "n_steps": 5,
        "learn_inner_lr": "layer",
        "inner_lr_per_step": True,
    },
    "BiasMAML": {"inner_lr": 0.05, "n_steps": 1},
    "CAVIA": {"inner_lr": 1.0, "n_steps": 1, "n_context": 5},
    "Reptile": {"inner_lr": 0.02, "n_steps": 10},
    "IMAML": {"inner_lr": 0.01, "n_steps": 10, "proximity": 2.0, "lr": 1e-3},
    "BayesianMAML": {"inner_lr": 0.01, "n_steps": 5, "lr": 1e-3},
    "LearnedOptimizer": {"inner_lr": 0.01, "n_steps": 5, "lr": 1e-3},
}
N_TASKS, N_QUERY = 1000, 100


def train(name: str, n_shots: int, max_epochs: int, lr: float, seed: int, **options: Any) -> Any:
    """Train one learner."""
    tasks = make_sinusoid_tasks(40_000, n_shots + 20, random_state=seed)
    usual = {
        "n_support": n_shots,
        "n_query": 20,
        "lr": lr,
        "max_epochs": max_epochs,
        "batch_size": 25,
        "train_split": None,
        "callbacks": [LRScheduler("CosineAnnealingLR", T_max=max_epochs)],
        "preprocessor": None,
        "normalize_y": False,
        "random_state": seed,
    }
    learner = getattr(skmeta, f"{name}Regressor")
    return learner(**usual | SETTINGS[name] | options).fit(tasks)


def errors(meta: Any, n_shots: int, n_steps: int, seed: int) -> np.ndarray:
    """Mean squared error on each unseen task after `n_steps` inner steps."""
    n_rows = n_shots + N_QUERY
    tasks = make_sinusoid_tasks(N_TASKS, n_rows, random_state=seed)
    X, y = tasks.X.reshape(N_TASKS, n_rows, 1), tasks.y.reshape(N_TASKS, n_rows)
    support = TaskCollection(
        X[:, :n_shots].reshape(-1, 1), y[:, :n_shots].ravel(), np.arange(N_TASKS + 1) * n_shots
    )
    with warnings.catch_warnings():  # more steps than in training may diverge
        warnings.simplefilter("ignore", UserWarning)
        models = meta.set_params(n_adapt_steps=n_steps).fit_adapt_many(support, on_error="warn")
    found = np.full(N_TASKS, np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        for i, model in enumerate(models):
            if model is not None:
                found[i] = ((model.predict(X[i, n_shots:]) - y[i, n_shots:]) ** 2).mean()
    return found


def with_interval(values: np.ndarray) -> str:
    """Mean over tasks and half the width of its 95 % confidence interval."""
    if not np.isfinite(values).all():
        return f"{np.mean(~np.isfinite(values)):.0%} diverge"
    return f"{values.mean():.3f} +- {1.96 * values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def main() -> None:
    """Train and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", nargs="*", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--shots", type=int, nargs="*", default=[5, 10, 20])
    parser.add_argument("--epochs", type=int, default=8, help="of 1,600 meta-batches each")
    parser.add_argument("--lr", type=float, default=3e-3, help="outer, decays to zero; some: 1e-3")
    parser.add_argument("--n-steps", type=int, help="inner, in training; default by learner")
    parser.add_argument("--first-order", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="of training")
    parser.add_argument("--test-seed", type=int, default=10_000, help="of the unseen tasks")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, 1 thread, {args}")
    print(f"{'learner':20s} shots  trained in  {'0 steps':>16s} {'1 step':>16s} {'10 steps':>16s}")
    options: dict[str, Any] = {} if args.n_steps is None else {"n_steps": args.n_steps}
    if args.first_order:
        options["first_order"] = True
    for name in args.learners:
        for n_shots in args.shots:
            start = time.process_time()
            try:
                meta = train(name, n_shots, args.epochs, args.lr, args.seed, **options)
            except TrainingDivergedError as error:  # a result like any other; the rest goes on
                print(f"{name:20s} {n_shots:5d}   training diverged: {error}", flush=True)
                continue
            seconds = time.process_time() - start
            found = [with_interval(errors(meta, n_shots, n, args.test_seed)) for n in (0, 1, 10)]
            published = PUBLISHED.get((name, n_shots))
            note = "" if published is None else f"   published, 1 step: {published:.2f}"
            columns = " ".join(f"{text:>16s}" for text in found)
            print(f"{name:20s} {n_shots:5d} {seconds:8.0f} s  {columns}{note}", flush=True)


if __name__ == "__main__":
    main()

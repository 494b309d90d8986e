"""Bayesian MAML against a deep ensemble of MAMLs of the same cost, on ambiguous sine waves.

Amplitude 0.1 to 5, phase 0 to pi, x in [-5, 5], noise of standard deviation 0.3; three labelled
rows of each wave leave open which one it is. Both train on 10,000 waves with 3 + 20 rows in
meta-batches of 25, 5 inner steps: Bayesian MAML with 5 samples of its initial weights for each task
for 8 epochs, the ensemble with 5 MAMLs from different seeds for 4, which takes as long. The noise
of the ensemble's networks is the root mean squared error of its members on 500 further waves, which
Bayesian MAML does not see.

    OMP_NUM_THREADS=1 python benchmarks/bayesian_maml.py

It prints, over 500 unseen waves with 50 query rows each: log-likelihood of a row under the mixture
of the networks, with the standard error over waves; root mean squared error of the mean; and how
many query rows lie within the central intervals.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from skmeta import BayesianMAMLRegressor, MAMLRegressor, TaskCollection
from skmeta.datasets import make_sinusoid_tasks

N_SHOTS, N_QUERY, NOISE, LEVELS = 3, 50, 0.3, (0.5, 0.8, 0.9, 0.95)


class Waves(NamedTuple):
    """Support of each wave, and its query rows."""

    support: TaskCollection
    X: np.ndarray  # (n_waves, N_QUERY, 1)
    y: np.ndarray  # (n_waves, N_QUERY)


def draw(n_waves: int, seed: int) -> Waves:
    """Waves with three labelled rows each."""
    n_rows = N_SHOTS + N_QUERY
    tasks = make_sinusoid_tasks(n_waves, n_rows, noise=NOISE, random_state=seed)
    X, y = tasks.X.reshape(n_waves, n_rows, 1), tasks.y.reshape(n_waves, n_rows)
    X_support, y_support = X[:, :N_SHOTS].reshape(-1, 1), y[:, :N_SHOTS].ravel()
    support = TaskCollection(X_support, y_support, np.arange(n_waves + 1) * N_SHOTS)
    return Waves(support, X[:, N_SHOTS:], y[:, N_SHOTS:])


def report(name: str, means: np.ndarray, std: np.ndarray, y: np.ndarray) -> None:
    """Print how well mixtures of Gaussians describe query rows.

    `means` has shape (n_networks, n_waves, N_QUERY); `std` broadcasts to it.
    """
    log_density = logsumexp(norm.logpdf(y, means, std), axis=0) - np.log(len(means))
    per_wave = log_density.mean(axis=1)
    error = per_wave.std(ddof=1) / np.sqrt(len(per_wave))
    rmse = np.sqrt(((means.mean(axis=0) - y) ** 2).mean())
    below = norm.cdf((y - means) / std).mean(axis=0)
    covered = [np.mean(np.abs(below - 0.5) < level / 2) for level in LEVELS]
    coverage = ", ".join(
        f"{c:.1%} of {level:.0%}" for c, level in zip(covered, LEVELS, strict=True)
    )
    print(
        f"{name:28s} {per_wave.mean():7.3f} +- {error:.3f}  rmse {rmse:.3f}  {coverage}", flush=True
    )


def main() -> None:
    """Train both and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=8, help="of Bayesian MAML")
    parser.add_argument("--ensemble-epochs", type=int, default=4)
    parser.add_argument("--initial-std", type=float, default=0.02)
    parser.add_argument("--members", type=int, default=5, help="samples, and MAMLs")
    parser.add_argument("--seed", type=int, default=0, help="of training")
    parser.add_argument("--test-seed", type=int, default=10_000)
    args = parser.parse_args()
    print(args)
    tasks = make_sinusoid_tasks(args.tasks, N_SHOTS + 20, noise=NOISE, random_state=args.seed)
    options: dict[str, Any] = {
        "n_support": N_SHOTS,
        "n_query": 20,
        "lr": 3e-3,
        "batch_size": 25,
        "train_split": None,
        "preprocessor": None,
    }
    test, further = draw(500, args.test_seed), draw(500, args.test_seed + 1)

    start = time.process_time()
    bayesian = BayesianMAMLRegressor(
        n_samples=args.members,
        initial_std=args.initial_std,
        max_epochs=args.epochs,
        random_state=args.seed,
        **options,
    ).fit(tasks)
    print(f"Bayesian MAML: trained in {time.process_time() - start:.0f} s, ", end="")
    print(f"noise {bayesian.noise_std_[0]:.2f}")
    models = bayesian.fit_adapt_many(test.support)
    means = np.stack([m.predict_samples(x) for m, x in zip(models, test.X, strict=True)], axis=1)
    report("Bayesian MAML, 20 samples", means, bayesian.noise_std_, test.y)
    report(
        f"Bayesian MAML, {args.members} samples", means[: args.members], bayesian.noise_std_, test.y
    )

    start = time.process_time()
    members = [
        MAMLRegressor(max_epochs=args.ensemble_epochs, random_state=i, **options).fit(tasks)
        for i in range(args.members)
    ]
    print(f"ensemble of MAMLs: trained in {time.process_time() - start:.0f} s, ", end="")
    ends = [_predict(members, waves) for waves in (further, test)]
    std = np.sqrt(((ends[0] - further.y) ** 2).mean())
    print(f"noise {std:.2f}")
    report("ensemble of MAMLs", ends[1], std, test.y)
    report("one MAML", ends[1][:1], std, test.y)


def _predict(members: list, waves: Waves) -> np.ndarray:
    """Predictions of shape (n_members, n_waves, N_QUERY)."""
    return np.array(
        [
            [m.predict(x) for m, x in zip(meta.fit_adapt_many(waves.support), waves.X, strict=True)]
            for meta in members
        ]
    )


if __name__ == "__main__":
    main()

"""What a past of no use does to a search: with the sampler's guard, and without.

The target is a hill over two numbers on log scales and a choice. Its past are twelve searches of
25 random trials each, of one of four kinds: hills at about the same place ("useful"), the same with
the sign of their scores turned ("inverted"), hills in another place ("elsewhere"), random numbers
("noise"). Printed is the regret of the best trial, as a share of the range of the function, mean
and standard error over runs, beside Optuna's TPE, which knows no past:

    OMP_NUM_THREADS=1 python benchmarks/search_guard.py --runs 10

Without the guard is with `caution=0`.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, TPESampler

from skmeta.model_selection import HyperparameterPrior, TransferSampler

SPACE = {
    "C": FloatDistribution(1e-3, 1e3, log=True),
    "gamma": FloatDistribution(1e-4, 1.0, log=True),
    "kernel": CategoricalDistribution(["a", "b"]),
}
N_TRIALS, SHOWN = 30, (1, 3, 5, 10, 20, 30)
N_PAST, N_PAST_TRIALS = 12, 25
KINDS = ("useful", "inverted", "elsewhere", "noise")

Config = dict[str, Any]


def hill(config: Config, top: tuple[float, float], phase: float) -> float:
    """Score of a configuration, where `top` is the best place on scales from 0 to 1."""
    x, y = (np.log10(config["C"]) + 3) / 6, (np.log10(config["gamma"]) + 4) / 4
    height = np.exp(-((x - top[0]) ** 2 / 0.18 + (y - top[1]) ** 2 / 0.1))
    return float(height + 0.3 * (config["kernel"] == "a") - 0.1 * np.sin(7 * x + phase))


def near(rng: np.random.Generator, top: tuple[float, float]) -> tuple[float, float]:
    """A place close to another."""
    return top[0] + 0.05 * rng.normal(), top[1] + 0.05 * rng.normal()


def scorer(kind: str, rng: np.random.Generator) -> Callable[[Config], float]:
    """What one past search of a kind maximised."""
    if kind == "noise":
        return lambda config: float(rng.normal())
    if kind == "elsewhere":
        top = near(rng, (0.2, 0.8))
        return lambda config: hill(config, top, 2.0)
    top, sign = near(rng, (0.75, 0.3)), -1 if kind == "inverted" else 1
    return lambda config: sign * hill(config, top, 1.0)


def draw(rng: np.random.Generator) -> Config:
    """A random configuration."""
    return {
        "C": 10 ** rng.uniform(-3, 3),
        "gamma": 10 ** rng.uniform(-4, 0),
        "kernel": ["a", "b"][rng.integers(2)],
    }


def past(kind: str, seed: int) -> dict[str, tuple[list[Config], np.ndarray]]:
    """Past searches by name."""
    rng, found = np.random.default_rng(seed), {}
    for i in range(N_PAST):
        score = scorer(kind, rng)
        configs = [draw(rng) for _ in range(N_PAST_TRIALS)]
        found[f"past {i}"] = (configs, np.array([score(config) for config in configs]))
    return found


def best_so_far(sampler: BaseSampler, top: tuple[float, float]) -> np.ndarray:
    """Best score after each trial."""

    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(N_TRIALS):
        trial = study.ask(SPACE)
        study.tell(trial, hill(trial.params, top, 1.0))
    return np.maximum.accumulate([trial.value for trial in study.trials])


def one_run(seed: int) -> dict[str, np.ndarray]:
    """Regret after each trial, by past and guard."""
    top = near(np.random.default_rng(seed), (0.75, 0.3))
    places = itertools.product(np.linspace(-3, 3, 80), np.linspace(-4, 0, 80), "ab")
    grid = [{"C": 10**c, "gamma": 10**g, "kernel": k} for c, g, k in places]
    scores = np.array([hill(config, top, 1.0) for config in grid])
    samplers: dict[str, BaseSampler] = {"no past (TPE)": TPESampler(seed=seed)}
    for kind in KINDS:
        studies = past(kind, 100 + seed)
        for name, options in {"guard": {}, "no guard": {"caution": 0.0}}.items():
            prior = HyperparameterPrior(random_state=0, **options).fit_studies(studies, SPACE)
            samplers[f"{kind}, {name}"] = TransferSampler(prior, space=SPACE, seed=seed)
    return {
        name: (scores.max() - best_so_far(sampler, top)) / np.ptp(scores)
        for name, sampler in samplers.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(f"{runs} runs, {N_PAST} past searches of {N_PAST_TRIALS} trials")
    found = defaultdict(list)
    for seed in range(runs):
        for name, regret in one_run(seed).items():
            found[name].append(np.maximum(regret, 0.0)[np.array(SHOWN) - 1])
    print(f"{'regret after':<22}" + "".join(f"{n:>16}" for n in SHOWN))
    for name, regrets in found.items():
        mean, error = np.mean(regrets, axis=0), np.std(regrets, axis=0) / np.sqrt(runs)
        cells = (f"{m:.3f} ({e:.3f})" for m, e in zip(mean, error, strict=True))
        print(f"{name:<22}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main()

"""Replay hyperparameter searches on tables of real evaluations, with a prior over configurations.

    python benchmarks/hpo_replay.py --shared ../shared --table oboe
    python benchmarks/hpo_replay.py --shared ../shared --table pimp
    python benchmarks/hpo_replay.py --shared ../shared --table overhead

`oboe`: the protocol and the baselines are those of `bench/hpo_replay.py` in the shared folder: one
dataset of the table is the target, the rows of other families are the past. The past is complete,
or cut down to 10 datasets, to 30, or to 25 random trials of each dataset.

`pimp`: random forests and AdaBoost on the OpenML100 datasets. Each dataset has its own random
configurations, and a search chooses among those of its target. The past holds 50 trials of each of
the other datasets. Datasets are split at random: settings were chosen on the first half, and the
targets are those of the second.

`overhead`: CPU time to learn a prior from 100 datasets of 50 trials, and to propose one trial.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from skmeta.model_selection import HyperparameterPrior, TransferSampler
from skmeta.model_selection._search._encoding import ConfigurationEncoder
from skmeta.model_selection._search._guard import expected_improvement
from skmeta.model_selection._search._portfolio import greedy_portfolio
from skmeta.model_selection._search._space import UnitSpace

# ---------------------------------------------------------------------- Oboe


def all_sources(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The past as it is."""
    return scores


def few_sources(n: int):
    """A past of `n` random datasets."""

    def reduce(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return scores[rng.choice(len(scores), n, replace=False)]

    return reduce


def few_trials(n: int):
    """A past that holds `n` random trials of each dataset."""

    def reduce(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        order = rng.random(scores.shape).argsort(axis=1).argsort(axis=1)
        return np.where(order < n, scores, np.nan)

    return reduce


PASTS = {
    "full": all_sources,
    "10 sources": few_sources(10),
    "30 sources": few_sources(30),
    "25 trials each": few_trials(25),
}


def prior_search(reduce):
    """A method of the protocol: learn a prior from the past, then follow its proposals."""

    def method(search) -> None:
        sources = reduce(search.sources, search.rng)
        seed = int(search.rng.integers(2**31))
        prior = HyperparameterPrior(random_state=seed).fit(sources, search.configs)
        tried: list[int] = []
        scores: list[float] = []
        while search.trials_left:
            tried.append(prior.propose(tried, scores))
            scores.append(search.evaluate(tried[-1]))

    return method


def replay_oboe(arguments: argparse.Namespace) -> None:
    """Print the protocol's table."""
    sys.path.insert(0, str(arguments.shared / "bench"))
    import hpo_replay as protocol

    table = protocol.load()
    curves = {}
    for past in arguments.past:
        curves[f"HyperparameterPrior, {past}"] = protocol.replay(
            table, prior_search(PASTS[past]), n_targets=arguments.targets, seeds=arguments.seeds
        )
    print(protocol.compare(curves).round(4).to_string())


# ---------------------------------------------------------------------- own pools

_CHECKPOINTS = (1, 3, 5, 10, 25)


def load_pools(folder: Path, name: str) -> dict[int, tuple[list[dict], np.ndarray, np.ndarray]]:
    """Configurations, scores and meta-features of each dataset, in random order."""
    table = pd.read_csv(folder / f"{name}.csv.gz")
    features = pd.read_csv(folder / "metafeatures.csv.gz", index_col=0)
    pools = {}
    for task, part in table.groupby("task_id"):
        scores = part.pop("predictive_accuracy").to_numpy()
        configs = part.drop(columns="task_id").to_dict("records")
        if np.ptp(scores) > 0:
            pools[task] = (configs, scores, features.loc[task].to_numpy(dtype=float))
    order = np.random.default_rng(0).permutation(list(pools))
    return {int(task): pools[task] for task in order}


def some_trials(configs, scores, n: int, rng: np.random.Generator) -> tuple[list[dict], np.ndarray]:
    """A random search of the past."""
    chosen = rng.choice(len(scores), min(n, len(scores)), replace=False)
    return [configs[i] for i in chosen], scores[chosen]


def follow(propose, scores: np.ndarray, n_trials: int) -> list[int]:
    """Trials that a searcher chooses one after the other."""
    tried: list[int] = []
    for _ in range(n_trials):
        tried.append(propose(tried, scores[tried]))
    return tried


def gaussian_process(configs: list[dict], rng: np.random.Generator):
    """Expected improvement under a Gaussian process that knows no past."""
    vectors = ConfigurationEncoder(configs).encode(configs)
    vectors = vectors[:, np.ptp(vectors, axis=0) > 0]
    start = list(rng.permutation(len(configs))[:3])

    def propose(tried: list[int], scores: np.ndarray) -> int:
        if len(tried) < len(start):
            return int(start[len(tried)])
        kernel = ConstantKernel(1.0) * Matern(np.ones(vectors.shape[1]), (0.05, 20.0), nu=2.5)
        model = GaussianProcessRegressor(kernel + WhiteKernel(1e-2, (1e-4, 1.0)), normalize_y=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(vectors[tried], scores)
        gain = expected_improvement(*model.predict(vectors, return_std=True), scores.max())
        gain[tried] = -np.inf
        return int(gain.argmax())

    return propose


def regret(scores: np.ndarray, tried: list[int]) -> np.ndarray:
    """Normalised regret of the best so far."""
    return (scores.max() - np.maximum.accumulate(scores[tried])) / np.ptp(scores)


def replay_pools(arguments: argparse.Namespace, name: str, n_past: int, n_trials: int) -> None:
    """Print the regret of searches among each target's own configurations."""
    pools = load_pools(arguments.shared / "data" / "hpo" / "pimp_openml100_sklearn", name)
    tasks = list(pools)
    rng = np.random.default_rng(1)
    past = {task: some_trials(*pools[task][:2], n_past, rng) for task in tasks}
    curves: dict[str, list[np.ndarray]] = {}
    targets = tasks[len(tasks) // 2 :][: arguments.targets]
    for fold in np.array_split(targets, 5):
        others = [task for task in tasks if task not in fold]
        prior = HyperparameterPrior(random_state=0).fit_studies(
            {task: past[task] for task in others},
            meta_features=[pools[task][2] for task in others],
        )
        for task in fold:
            configs, scores, features = pools[task]
            plain, informed = prior.pool(configs), prior.pool(configs, features)
            searches = prior.past_searches()
            rows = searches.rows(searches.encoder.encode(configs))
            runs = {
                "HyperparameterPrior": follow(plain.propose, scores, n_trials),
                "the same with meta-features": follow(informed.propose, scores, n_trials),
                "greedy portfolio of past surrogates": list(greedy_portfolio(rows, n_trials)),
            }
            for method, tried in runs.items():
                curves.setdefault(method, []).append(regret(scores, tried))
            model = gaussian_process(configs, rng)
            tried = follow(model, scores, n_trials)
            curves.setdefault("Gaussian process, no past", []).append(regret(scores, tried))
            orders = [rng.permutation(len(scores))[:n_trials] for _ in range(20)]
            mean = np.mean([regret(scores, list(order)) for order in orders], axis=0)
            curves.setdefault("random", []).append(mean)
    columns = {
        f"@{k}": {m: np.mean(c, axis=0)[k - 1] for m, c in curves.items()} for k in _CHECKPOINTS
    }
    print(f"{name}: {len(targets)} targets, {n_past} trials of each past dataset")
    print(pd.DataFrame(columns).round(4).to_string())


# ---------------------------------------------------------------------- overhead


def measure_overhead(arguments: argparse.Namespace) -> None:
    """Print what it takes to learn from 100 datasets of 50 trials, and to propose a trial."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pools = load_pools(arguments.shared / "data" / "hpo" / "pimp_openml100_sklearn", "adaboost")
    rng = np.random.default_rng(0)
    past = {task: some_trials(*pool[:2], 50, rng) for task, pool in pools.items()}
    start = time.process_time()
    prior = HyperparameterPrior(random_state=0).fit_studies(past)
    learned = time.process_time() - start
    space = UnitSpace([configs for configs, _ in past.values()]).space
    sampler = TransferSampler(prior, space=space, seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    spent = []
    for _ in range(30):
        start = time.process_time()
        trial = study.ask()
        rate = trial.suggest_float("learning_rate", 0.01, 2.0, log=True)
        spent.append(time.process_time() - start)
        study.tell(trial, -abs(np.log(rate)))
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    print(f"{len(past)} datasets of 50 trials; other work on the machine: {load:.1f} per core")
    print(f"learn the prior: {learned:.1f} s of CPU time")
    print(f"propose a trial: median {1e3 * np.median(spent):.0f} ms of CPU time")


def main() -> None:
    beside = Path(__file__).parents[2] / "shared"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=beside)
    parser.add_argument("--table", choices=["oboe", "pimp", "overhead"], default="oboe")
    parser.add_argument("--past", nargs="+", choices=list(PASTS), default=list(PASTS))
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.table == "oboe":
        replay_oboe(arguments)
    elif arguments.table == "pimp":
        for name in ("rf", "adaboost"):
            replay_pools(arguments, name, n_past=50, n_trials=25)
    else:
        measure_overhead(arguments)


if __name__ == "__main__":
    main()

"""Replay hyperparameter searches on a table of real evaluations, with a prior over configurations.

    python benchmarks/hpo_replay.py --shared ../shared

The protocol and the baselines are those of `bench/hpo_replay.py` in the shared folder: one dataset
of the Oboe table is the target, the rows of other families are the past. The past is complete, or
cut down to 10 datasets, to 30, or to 25 random trials of each dataset.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from skmeta.model_selection import HyperparameterPrior


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


def main() -> None:
    beside = Path(__file__).parents[2] / "shared"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=beside)
    parser.add_argument("--past", nargs="+", choices=list(PASTS), default=list(PASTS))
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()

    sys.path.insert(0, str(arguments.shared / "bench"))
    import hpo_replay as protocol

    table = protocol.load()
    curves = {
        f"HyperparameterPrior, {past}": protocol.replay(
            table, prior_search(PASTS[past]), n_targets=arguments.targets, seeds=arguments.seeds
        )
        for past in arguments.past
    }
    print(protocol.compare(curves).round(4).to_string())


if __name__ == "__main__":
    main()

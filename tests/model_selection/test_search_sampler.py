"""The sampler inside Optuna: transfer, finite and conditional spaces, workers."""

import pickle
import subprocess
import sys
import time

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from skmeta.model_selection import HyperparameterPrior, TransferSampler
from skmeta.model_selection._search._candidates import Candidates, list_space

SPACE = {
    "C": FloatDistribution(1e-3, 1e3, log=True),
    "kernel": CategoricalDistribution(["linear", "rbf", None]),
    "n": IntDistribution(1, 100, log=True),
    "rate": FloatDistribution(0, 1, step=0.1),
}


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def accuracy(place):
    """A conditional objective: `gamma` is there for one kernel alone."""

    def objective(trial):
        C = trial.suggest_float("C", 1e-3, 1e3, log=True)
        score = -((np.log10(C) - place) ** 2)
        if trial.suggest_categorical("kernel", ["linear", "rbf"]) == "rbf":
            score += 1 - (np.log10(trial.suggest_float("gamma", 1e-4, 1, log=True)) + 2) ** 2
        return score

    return objective


def past_studies(n=4, n_trials=25, direction="maximize"):
    studies = []
    for seed in range(n):
        sampler = optuna.samplers.RandomSampler(seed)
        study = optuna.create_study(direction=direction, sampler=sampler)
        sign = 1 if direction == "maximize" else -1
        objective = accuracy(1 + 0.1 * seed)
        study.optimize(lambda t, f=objective, s=sign: s * f(t), n_trials=n_trials)
        studies.append(study)
    return studies


def finite_study(sampler, n_trials):
    study = optuna.create_study(sampler=sampler)
    study.optimize(
        lambda t: t.suggest_int("a", 0, 3) + t.suggest_categorical("b", [0, 1]), n_trials
    )
    return study


def test_it_needs_fewer_trials_than_a_random_search():
    past = past_studies()
    best = []
    for sampler in (TransferSampler(past, seed=0), optuna.samplers.RandomSampler(0)):
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(accuracy(1.2), n_trials=10)
        best.append(study.best_value)
    assert best[0] > 0.9 > best[1]


def mean_regret(make_sampler, n_trials, n_runs=4):
    """Mean over runs of 1 less the best value of an objective whose maximum is 1."""
    best = []
    for seed in range(n_runs):
        study = optuna.create_study(direction="maximize", sampler=make_sampler(seed))
        study.optimize(hill(0.75, 0.3), n_trials)
        best.append(1 - study.best_value)
    return np.mean(best)


def hill(top_C, top_gamma, sign=1):
    """One hill, a quarter of the ranges wide, on a plain; or a hole in it."""

    def objective(trial):
        C = np.log10(trial.suggest_float("C", 1e-3, 1e3, log=True)) / 6 + 0.5
        gamma = np.log10(trial.suggest_float("gamma", 1e-4, 1, log=True)) / 4 + 1
        return sign * np.exp(-8 * ((C - top_C) ** 2 + (gamma - top_gamma) ** 2))

    return objective


def past_of(sign):
    """Random searches on hills (or holes) at about the same place."""
    studies = []
    for seed in range(8):
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.RandomSampler(seed)
        )
        study.optimize(hill(0.7 + 0.01 * seed, 0.3, sign), n_trials=20)
        studies.append(study)
    return studies


def learned(sign, **options):
    return HyperparameterPrior(random_state=0, **options).fit_studies(past_of(sign))


def test_a_misleading_past_is_left_behind():
    """With inverted scores the past's best are the worst, and still nothing is lost for long."""
    useful, inverted = learned(1), learned(-1)
    trusting = learned(-1, caution=0.0)
    no_past = mean_regret(lambda seed: optuna.samplers.TPESampler(seed=seed), 20)
    assert mean_regret(lambda seed: TransferSampler(useful, seed=seed), 4) < no_past
    assert mean_regret(lambda seed: TransferSampler(inverted, seed=seed), 20) < no_past + 0.01
    assert mean_regret(lambda seed: TransferSampler(trusting, seed=seed), 20) > no_past + 0.1


def test_direction_does_not_matter():
    found = []
    for sign, direction in [(1, "maximize"), (-1, "minimize")]:
        sampler = TransferSampler(past_studies(direction=direction), seed=0)
        study = optuna.create_study(direction=direction, sampler=sampler)
        study.optimize(lambda t, s=sign: s * accuracy(1.2)(t), n_trials=6)
        found.append([trial.params for trial in study.trials])
    assert found[0] == found[1]


def test_one_seed_repeats():
    past = past_studies()
    runs = []
    for _ in range(2):
        study = optuna.create_study(direction="maximize", sampler=TransferSampler(past, seed=3))
        study.optimize(accuracy(0.5), n_trials=8)
        runs.append([trial.params for trial in study.trials])
    assert runs[0] == runs[1]


def test_a_finite_space_is_not_repeated_and_then_goes_on():
    past = [finite_study(optuna.samplers.RandomSampler(0), 40)]
    study = finite_study(TransferSampler(past, seed=0), 9)
    assert len({tuple(t.params.values()) for t in study.trials[:8]}) == 8
    assert study.trials[0].value == 0


def test_a_failed_configuration_is_not_tried_again():
    past = [finite_study(optuna.samplers.RandomSampler(0), 6)]
    study = optuna.create_study(sampler=TransferSampler(past, seed=0))

    def fails(trial):
        trial.suggest_int("a", 0, 3)
        trial.suggest_categorical("b", [0, 1])
        return float("nan")

    study.optimize(fails, n_trials=8)
    assert len({tuple(t.params.values()) for t in study.trials}) == 8


def test_workers_do_not_propose_the_same():
    """Eight trials are under way at once, none of them with a score."""
    past = [finite_study(optuna.samplers.RandomSampler(0), 6)]
    study = optuna.create_study(sampler=TransferSampler(past, seed=0))
    trials = [study.ask() for _ in range(8)]
    found = {(t.suggest_int("a", 0, 3), t.suggest_categorical("b", [0, 1])) for t in trials}
    assert len(found) == 8


def test_threads():
    study = optuna.create_study(direction="maximize", sampler=TransferSampler(past_studies()))
    study.optimize(accuracy(1.0), n_trials=12, n_jobs=3)
    assert len({tuple(t.params.items()) for t in study.trials}) == 12


def test_unknown_hyperparameters_are_sampled_at_random():
    study = optuna.create_study(
        direction="maximize", sampler=TransferSampler(past_studies(), seed=0)
    )
    study.optimize(lambda t: accuracy(1.0)(t) + t.suggest_float("new", 0, 1), n_trials=5)
    assert len({t.params["new"] for t in study.trials}) == 5


def test_an_unknown_hyperparameter_does_not_hide_a_repetition():
    past = [finite_study(optuna.samplers.RandomSampler(0), 6)]
    study = optuna.create_study(sampler=TransferSampler(past, seed=0))

    def objective(trial):
        trial.suggest_float("new", 0, 1)
        return trial.suggest_int("a", 0, 3) + trial.suggest_categorical("b", [0, 1])

    study.optimize(objective, n_trials=8)
    assert len({(t.params["a"], t.params["b"]) for t in study.trials}) == 8


def test_it_can_be_pickled():
    sampler = pickle.loads(pickle.dumps(TransferSampler(past_studies(), seed=0)))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(accuracy(1.0), n_trials=2)
    assert len(study.trials) == 2


def test_a_choice_that_came_since():
    choices = ["linear", "rbf", "poly"]
    space = {"kernel": CategoricalDistribution(choices)}
    sampler = TransferSampler(past_studies(), space=space, seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(lambda t: float(t.suggest_categorical("kernel", choices) == "poly"), n_trials=5)
    assert len(study.trials) == 5


def test_candidates_stay_in_the_space():
    rng = np.random.default_rng(0)
    past = [{"C": 1.0, "kernel": None, "n": 7, "rate": 0.3}, {"C": 9.0, "kernel": "gone"}]
    candidates = Candidates(SPACE, [past[:1]], [np.array([1.0])])
    found = candidates.draw(past[:1], SPACE, rng)
    assert len(found) > 80
    for config in found:
        assert set(config) == set(SPACE)
        for name, value in config.items():
            assert SPACE[name]._contains(SPACE[name].to_internal_repr(value))
    assert past[1] not in Candidates(SPACE, [past], [np.ones(2)]).draw([], SPACE, rng)


def test_list_space():
    space = {"rate": FloatDistribution(0, 1, step=0.25), "k": CategoricalDistribution(["a", None])}
    assert len(list_space(space)) == 10
    assert list_space({"rate": FloatDistribution(0, 1)}) is None
    assert list_space({"n": IntDistribution(0, 10**9)}) is None


def test_errors():
    with pytest.raises(ValueError, match="at least two trials"):
        TransferSampler([])
    several = optuna.create_study(directions=["minimize", "maximize"], study_name="both")
    with pytest.raises(ValueError, match="'both' has several objectives"):
        TransferSampler([several])


def test_optuna_is_imported_for_the_sampler_alone():
    code = (
        "import sys, skmeta.model_selection as m;"
        "assert 'optuna' not in sys.modules; m.TransferSampler"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_proposal_is_fast():
    """A hundred past studies of fifty trials; the bound is lenient, machines differ."""
    sampler = TransferSampler(past_studies(100, 50), seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(accuracy(1.0), n_trials=20)
    start = time.perf_counter()
    study.ask().suggest_float("C", 1e-3, 1e3, log=True)  # Optuna proposes when first asked
    assert time.perf_counter() - start < 0.5

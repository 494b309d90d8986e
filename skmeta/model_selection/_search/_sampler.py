"""An Optuna sampler that starts from past studies."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from skmeta.model_selection._search._candidates import Candidates, Space, configuration_key
from skmeta.model_selection._search._encoding import ConfigurationEncoder
from skmeta.model_selection._search._ensemble import expected_regret_reduction
from skmeta.model_selection._search._past import PastSearches

_PROPOSAL = "skmeta:proposal"
# Threads of one process propose in turn, so that each sees the proposals before its own. It is not
# an attribute, because a lock cannot be pickled and a sampler should.
_IN_TURN = threading.Lock()


class TransferSampler(BaseSampler):
    """Optuna sampler with a prior learned from past studies.

    The first trials are a portfolio of what was good in the past; with each result the sampler
    relies more on what past studies like this one say, and on the trials themselves. No
    configuration of a finite space is repeated before all were tried. Trials that other workers
    are running count as if they scored as badly as the worst so far ("constant liar"), so that
    workers spread.

    Parameters
    ----------
    studies : list of optuna.Study
        Past studies with one objective, each in its own direction. Scores of different studies are
        compared, so that they need a common meaning (accuracy, AUC, R²).
    space : dict of str to BaseDistribution, default=None
        The current space. By default that of the past studies; say it where a hyperparameter has
        changed its range or its choices since.
    seed : int, default=None

    Raises
    ------
    ValueError
        If a study has several objectives, or no study has two completed trials.

    References
    ----------
    .. [1] Ginsbourger, Le Riche and Carraro, "Kriging is well-suited to parallelize optimization",
       2010, section 4.2 (constant liar).

    Examples
    --------
    >>> import optuna
    >>> from skmeta.model_selection import TransferSampler
    >>> optuna.logging.set_verbosity(optuna.logging.ERROR)
    >>> def loss(best):
    ...     return lambda trial: (trial.suggest_float("x", -5, 5) - best) ** 2
    >>> past = []
    >>> for seed, best in enumerate([1.9, 2.0, 2.1]):
    ...     study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    ...     study.optimize(loss(best), n_trials=30)
    ...     past.append(study)
    >>> study = optuna.create_study(sampler=TransferSampler(past, seed=0))
    >>> study.optimize(loss(2.05), n_trials=5)
    >>> study.best_value < 0.1
    True
    """

    def __init__(
        self,
        studies: Sequence[Study],
        space: Mapping[str, BaseDistribution] | None = None,
        seed: int | None = None,
    ):
        self._rng = np.random.default_rng(seed)
        self._independent = RandomSampler(seed)
        usable = [trials for trials in map(_completed, studies) if len(trials) > 1]
        if not usable:
            raise ValueError("TransferSampler needs a past study with at least two trials.")
        distributions = {
            name: distribution
            for trials in usable
            for trial, _ in trials
            for name, distribution in trial.distributions.items()
        }
        self._space = distributions | dict(space or {})
        configs = [[trial.params for trial, _ in trials] for trials in usable]
        scores = [np.array([score for _, score in trials]) for trials in usable]
        encoder = ConfigurationEncoder(
            [config for part in configs for config in part], _ranges(self._space)
        )
        self._past = PastSearches(list(zip(configs, scores, strict=True)), encoder)
        self._candidates = Candidates(cast(Space, self._space), configs, scores)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The hyperparameters that past studies know, as this study defines them."""
        own = {
            name: distribution
            for past in study.get_trials(deepcopy=False)
            for name, distribution in past.distributions.items()
            if name in self._space
        }
        return self._space | own

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Propose values for the hyperparameters of `search_space`."""
        with _IN_TURN:
            trials = study.get_trials(deepcopy=False)
            others = [other for other in trials if other.number != trial.number]
            config = self._propose(others, study.direction, search_space)
            # Other workers see it at once, before the objective asks for its values.
            study._storage.set_trial_system_attr(trial._trial_id, _PROPOSAL, config)
        return config

    def _propose(
        self,
        others: list[FrozenTrial],
        direction: StudyDirection,
        space: Mapping[str, BaseDistribution],
    ) -> dict[str, Any]:
        """The next configuration, given all other trials; empty if there is no new one."""
        done, scores = _evidence(others, direction)
        pending = [_params(t) for t in others if not t.state.is_finished() and _params(t)]
        best_first = [done[i] for i in np.argsort(-scores, kind="stable")]
        # A failed trial has no score, but its configuration is not worth another try.
        keys = {configuration_key(_within(_params(t), space)) for t in others}
        drawn = self._candidates.draw(best_first, cast(Space, space), self._rng)
        fresh = [config for config in drawn if configuration_key(config) not in keys]
        if not fresh:
            return {}
        lies = np.full(len(pending), scores.min(initial=np.inf))
        return fresh[self._choose(done + pending, np.concatenate([scores, lies]), fresh)]

    def _choose(self, tried: list[dict], scores: np.ndarray, fresh: list[dict]) -> int:
        """Index of the fresh configuration that should lower the regret most."""
        ensemble = self._past.ensemble(tried + fresh)
        is_lie = ~np.isfinite(scores)  # nothing has a score yet: what past studies expect
        scores = np.where(is_lie, ensemble.rows.mean(axis=0)[: len(tried)], scores)
        rows, weights = ensemble.update(np.arange(len(tried)), scores)
        best = scores.max(initial=-np.inf)
        reduction = expected_regret_reduction(rows, weights, best) + 1e-9 * (weights @ rows)
        return int(reduction[len(tried) :].argmax())

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random value for a hyperparameter that no past study has."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Draw a new seed, as Optuna asks of the copies in parallel workers."""
        self._rng = np.random.default_rng()
        self._independent.reseed_rng()


def _completed(study: Study) -> list[tuple[FrozenTrial, float]]:
    """Trials with a finite value and hyperparameters, with their scores (higher is better)."""
    if len(study.directions) > 1:
        raise ValueError(f"Study {study.study_name!r} has several objectives; one is needed.")
    sign = _sign(study.direction)
    return [
        (trial, sign * trial.value)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if trial.params and trial.value is not None and np.isfinite(trial.value)
    ]


def _evidence(
    trials: Sequence[FrozenTrial], direction: StudyDirection
) -> tuple[list[dict[str, Any]], np.ndarray]:
    scored = [
        (trial.params, _sign(direction) * trial.value)
        for trial in trials
        if trial.state == TrialState.COMPLETE
        and trial.value is not None
        and np.isfinite(trial.value)
    ]
    return [params for params, _ in scored], np.array([score for _, score in scored], dtype=float)


def _params(trial: FrozenTrial) -> dict[str, Any]:
    """Values of a trial, those proposed but not yet asked for included."""
    return trial.system_attrs.get(_PROPOSAL, {}) | trial.params


def _within(params: Mapping[str, Any], space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name in space}


def _sign(direction: StudyDirection) -> float:
    return 1.0 if direction == StudyDirection.MAXIMIZE else -1.0


def _ranges(space: Mapping[str, BaseDistribution]) -> dict[str, tuple[float, float, bool]]:
    return {
        name: (float(d.low), float(d.high), d.log)
        for name, d in space.items()
        if isinstance(d, FloatDistribution | IntDistribution)
    }

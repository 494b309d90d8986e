"""An Optuna sampler that starts from past studies."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from skmeta.model_selection._search._candidates import Candidates, Space, configuration_key
from skmeta.model_selection._search._kernel import ConfigurationKernel
from skmeta.model_selection._search._past import PastSearches, make_encoder
from skmeta.model_selection._search._pool import CandidatePool
from skmeta.model_selection._search._prior import HyperparameterPrior
from skmeta.model_selection._search._studies import PastStudy, read_studies, scored

_PROPOSAL = "skmeta:proposal"
# After so many trials each choice that the past does not know is tried once: nothing speaks for it,
# so that it would hardly be tried otherwise.
_N_BEFORE_NEW = 3
# Threads of one process propose in turn, so that each sees the proposals before its own. It is not
# an attribute, because a lock cannot be pickled and a sampler should.
_IN_TURN = threading.Lock()


class TransferSampler(BaseSampler):
    """Optuna sampler with a prior learned from past studies.

    The first trials are a portfolio of what was good in the past; with each result the sampler
    relies more on what past studies like this one say, and on the trials themselves. From three
    results on, surrogates that know these trials alone take over as far as they predict better than
    the past does (`caution` of the prior). No configuration of a finite space is repeated before
    all were tried. A choice that came since the past studies is tried once after three trials.
    Trials that other workers are running count as if they scored as badly as the worst so far
    ("constant liar"), so that workers spread.

    Parameters
    ----------
    studies : list or dict (by name) of optuna.Study or (configs, scores), or HyperparameterPrior
        Past studies with one objective, each in its own direction; or what was learned from them.
        Scores of different studies may have different locations and scales.
    space : dict of str to BaseDistribution, default=None
        The current space. By default that of the past studies; say it where a hyperparameter has
        changed its range or its choices since, or is new. Old studies are used all the same.
    seed : int, default=None
    meta_features : array-like of shape (n_studies, n_meta_features), default=None
        Those of the past datasets, in the order of `studies`.
    target_meta_features : array-like of shape (n_meta_features,), default=None
        Those of the new dataset, for which past ones like it then weigh more.

    Raises
    ------
    ValueError
        If a study has several objectives, no study has two completed trials, or the space is not
        known.

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
        studies: Any,
        space: Mapping[str, BaseDistribution] | None = None,
        seed: int | None = None,
        *,
        meta_features: Any = None,
        target_meta_features: Any = None,
    ):
        self._rng = np.random.default_rng(seed)
        self._independent = RandomSampler(seed)
        if isinstance(studies, HyperparameterPrior):
            past = studies.past_searches()
            read, known, kernel = past.studies, studies.space_, past.kernel
            self._caution = studies.caution
        else:
            (read, known), kernel = read_studies(studies, meta_features), None
            self._caution = HyperparameterPrior().caution
        self._space = known | dict(space or {})
        if not self._space:
            raise ValueError("The past does not tell the space: give it by `space`.")
        self._learn(read, kernel)
        if target_meta_features is not None and self._past.weights(target_meta_features) is None:
            raise ValueError("target_meta_features needs meta_features of all past studies.")
        self._target_meta_features = target_meta_features

    def _learn(self, studies: Sequence[PastStudy], kernel: ConfigurationKernel | None) -> None:
        encoder = make_encoder(studies, self._space)
        self._past = PastSearches(studies, encoder, kernel)
        self._candidates = Candidates(
            cast(Space, self._space), [s.configs for s in studies], [s.scores for s in studies]
        )

    def add(self, study: Any, *, name: Any = None, meta_features: Any = None) -> None:
        """Add a past study, without learning anew how configurations are alike.

        Parameters
        ----------
        study : optuna.Study or (configs, scores)
        name : hashable, default=None
            By default the name of the study.
        meta_features : array-like of shape (n_meta_features,), default=None

        Raises
        ------
        ValueError
            If there is a study of this name, it has fewer than two trials, or it needs a name.
        """
        if name is None:
            if not isinstance(study, Study):
                raise ValueError("A pair of configurations and scores needs a name.")
            name = study.study_name
        if name in [past.name for past in self._past.studies]:
            raise ValueError(f"There is a study called {name!r} already.")
        read, known = read_studies(
            {name: study}, None if meta_features is None else [meta_features]
        )
        self._space = known | self._space
        self._learn([*self._past.studies, *read], self._past.kernel)

    def remove(self, name: Any) -> None:
        """Remove a past study.

        Parameters
        ----------
        name : hashable

        Raises
        ------
        KeyError
            If there is no study of this name.
        ValueError
            If it is the last one.
        """
        rest = [past for past in self._past.studies if past.name != name]
        if len(rest) == len(self._past.studies):
            raise KeyError(f"No study is called {name!r}.")
        if not rest:
            raise ValueError(f"{name!r} is the only study: a prior needs at least one.")
        self._learn(rest, self._past.kernel)

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
        trials, scores = scored(others, direction)
        done = [trial.params for trial in trials]
        pending = [_params(t) for t in others if not t.state.is_finished() and _params(t)]
        best_first = [done[i] for i in np.argsort(-scores, kind="stable")]
        # A failed trial has no score, but its configuration is not worth another try.
        keys = {configuration_key(_within(_params(t), space)) for t in others}
        drawn = self._candidates.draw(best_first, cast(Space, space), self._rng)
        fresh = [config for config in drawn if configuration_key(config) not in keys]
        if not fresh:
            return {}
        if len(done) + len(pending) >= _N_BEFORE_NEW:
            fresh = self._candidates.with_new_choices(fresh, done + pending) or fresh
        # Tried, pending and fresh configurations, in this order.
        configs = done + pending + fresh
        pool = CandidatePool(self._past, configs, self._target_meta_features, self._caution)
        n_done, n_seen = len(done), len(done) + len(pending)
        chosen = pool.propose(np.arange(n_done), scores, np.arange(n_done, n_seen))
        return fresh[chosen - n_seen]

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


def _params(trial: FrozenTrial) -> dict[str, Any]:
    """Values of a trial, those proposed but not yet asked for included."""
    return trial.system_attrs.get(_PROPOSAL, {}) | trial.params


def _within(params: Mapping[str, Any], space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name in space}

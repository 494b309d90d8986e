"""What past searches are worth: the prior, and the sampler that uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study

from skmeta.model_selection._meta_search._past import align, read_studies
from skmeta.model_selection._meta_search._space import SearchSpace
from skmeta.model_selection._search._prior import HyperparameterPrior
from skmeta.model_selection._search._sampler import TransferSampler


def learn_prior(
    search: Any, studies: Mapping[Any, Study], meta_features: Mapping[Any, np.ndarray]
) -> HyperparameterPrior | None:
    """What past studies say about the space of a search; None if there are none.

    Parameters
    ----------
    search : MetaSearchCV
    studies : dict of name to Study
    meta_features : dict of name to ndarray
        They are used if every study has some.
    """
    if not studies:
        return None
    space = SearchSpace(search.space)
    aligned = align(studies, space, search.estimator.get_params())
    # A study of one trial says nothing of what is better than what.
    aligned = {name: s for name, s in aligned.items() if len(s.get_trials(deepcopy=False)) > 1}
    rows = [meta_features.get(name) for name in aligned]
    seed = search.random_state if isinstance(search.random_state, int) else 0
    return HyperparameterPrior(random_state=seed).fit_studies(
        aligned,
        space.distributions,
        meta_features=None if any(row is None for row in rows) else rows,
    )


def make_sampler(search: Any, space: SearchSpace, X: Any, y: Any, seed: int) -> BaseSampler:
    """The sampler for a new dataset.

    Parameters
    ----------
    search : MetaSearchCV
        A sampler of its own is copied, so that a search does not change it.
    space : SearchSpace
    X, y : dataset
    seed : int
    """
    if not isinstance(search.sampler, str):
        return deepcopy(search.sampler)
    prior = search.prior
    if prior is None:
        return TPESampler(seed=seed)
    if not isinstance(prior, HyperparameterPrior):
        studies = align(read_studies(prior), space, search.estimator.get_params())
        return TransferSampler(studies, space=space.distributions, seed=seed)
    target = None
    if search.meta_features is not None and _has_meta_features(prior):
        target = describe(search.meta_features, X, y)
    return TransferSampler(prior, space=space.distributions, seed=seed, target_meta_features=target)


def describe(meta_features: Callable[[Any, Any], Any], X: Any, y: Any) -> np.ndarray:
    """Meta-features of one dataset as a vector.

    Parameters
    ----------
    meta_features : callable
        Returns the vector, or a tuple that begins with it.
    X, y : dataset
    """
    found = meta_features(X, y)
    return np.asarray(found[0] if isinstance(found, tuple) else found, dtype=np.float64)


def _has_meta_features(prior: HyperparameterPrior) -> bool:
    return all(study.meta_features is not None for study in prior.studies_)

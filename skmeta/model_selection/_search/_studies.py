"""Past searches, whatever they are given as: a name, configurations and their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState


@dataclass(frozen=True)
class PastStudy:
    """What was tried on one dataset.

    Parameters
    ----------
    name : hashable
        The dataset.
    configs : list of dict
    scores : ndarray of shape (n_trials,)
        Higher is better; all finite.
    meta_features : ndarray of shape (n_meta_features,), default=None
    """

    name: Any
    configs: list[dict[str, Any]]
    scores: np.ndarray
    meta_features: np.ndarray | None = None


def read_study(study: Any, name: Any, meta_features: Any = None) -> PastStudy:
    """Read an Optuna study, or a pair of configurations and scores.

    Raises
    ------
    ValueError
        If a study has several objectives, or configurations and scores differ in number.
    """
    if meta_features is not None:
        meta_features = np.asarray(meta_features, dtype=np.float64).reshape(-1)
    if isinstance(study, Study):
        done, scores = completed(study)
        return PastStudy(name, [trial.params for trial in done], scores, meta_features)
    configs, scores = study
    scores = np.asarray(scores, dtype=np.float64).reshape(-1)
    if len(configs) != len(scores):
        raise ValueError(f"Study {name!r} has {len(configs)} configs but {len(scores)} scores.")
    seen = np.isfinite(scores)
    kept = [dict(config) for config, is_seen in zip(configs, seen, strict=True) if is_seen]
    return PastStudy(name, kept, scores[seen], meta_features)


def read_studies(
    studies: Any, meta_features: Any = None
) -> tuple[list[PastStudy], dict[str, BaseDistribution]]:
    """Read past studies and the space they searched.

    Parameters
    ----------
    studies : list or dict (by name) of optuna.Study or of (configs, scores)
    meta_features : array-like of shape (n_studies, n_meta_features), default=None
        In the order of `studies`.

    Returns
    -------
    studies : list of PastStudy
        Those with two trials at least.
    space : dict of str to BaseDistribution
        What Optuna studies know of it; the last study that has a hyperparameter decides.

    Raises
    ------
    ValueError
        If no study has two completed trials.
    """
    if isinstance(studies, Mapping):
        names, listed = [*studies], [*studies.values()]
    else:
        listed = list(studies)
        names = [s.study_name if isinstance(s, Study) else i for i, s in enumerate(listed)]
    rows = [None] * len(listed) if meta_features is None else list(np.asarray(meta_features))
    if len(rows) != len(listed):
        raise ValueError(f"meta_features has {len(rows)} rows but there are {len(listed)} studies.")
    read = [read_study(s, name, m) for s, name, m in zip(listed, names, rows, strict=True)]
    usable = [study for study in read if len(study.scores) > 1]
    if not usable:
        raise ValueError("A past study with at least two trials is needed, got none.")
    space: dict[str, BaseDistribution] = {}
    for study in listed:
        if isinstance(study, Study):
            for trial in completed(study)[0]:
                space |= trial.distributions
    return usable, space


def completed(study: Study) -> tuple[list[FrozenTrial], np.ndarray]:
    """Trials with a finite value and hyperparameters, and their scores (higher is better)."""
    if len(study.directions) > 1:
        raise ValueError(f"Study {study.study_name!r} has several objectives; one is needed.")
    return scored(study.get_trials(deepcopy=False), study.direction)


def scored(
    trials: Sequence[FrozenTrial], direction: StudyDirection
) -> tuple[list[FrozenTrial], np.ndarray]:
    """Those of the trials that have a score, and the scores (higher is better)."""
    sign = 1.0 if direction == StudyDirection.MAXIMIZE else -1.0
    done = [
        (trial, sign * trial.value)
        for trial in trials
        if trial.state == TrialState.COMPLETE
        and trial.params
        and trial.value is not None
        and np.isfinite(trial.value)
    ]
    return [trial for trial, _ in done], np.array([score for _, score in done], dtype=np.float64)

"""Past searches, read from studies or tables and brought into the current space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import narwhals as nw
import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from skmeta.model_selection._meta_search._space import SearchSpace
from skmeta.model_selection._meta_search._study import without_announcement
from skmeta.tasks._table import is_frame

# A positive number that spans more than this factor in a table is compared on a log scale.
_LOG_RATIO = 50.0


def read_studies(
    studies: Any, *, dataset: str = "dataset", score: str = "score"
) -> dict[Any, Study]:
    """Studies by the name of their dataset.

    Parameters
    ----------
    studies : dict of name to Study, list of Study, or data frame
    dataset, score : str
        Columns of a data frame.

    Raises
    ------
    TypeError
        If `studies` is none of these.
    ValueError
        If two studies have the same name, or a frame lacks a column.
    """
    if is_frame(studies):
        return _read_table(studies, dataset, score)
    if isinstance(studies, Study):
        studies = [studies]
    if not isinstance(studies, Mapping):
        if isinstance(studies, str) or not isinstance(studies, Iterable):
            raise TypeError(_expected(studies))
        listed = list(studies)
        if not all(isinstance(study, Study) for study in listed):
            raise TypeError(_expected(listed))
        names = [study.study_name for study in listed]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"Several studies are called {', '.join(repeated)}: give a dict with a name for "
                "each dataset."
            )
        return dict(zip(names, listed, strict=True))
    if not all(isinstance(study, Study) for study in studies.values()):
        raise TypeError(_expected(studies))
    return dict(studies)


def _expected(got: Any) -> str:
    return (
        "studies must be a list of optuna.Study, a dict of them by dataset, or a data frame of "
        f"evaluations, got {got!r:.200}."
    )


def _read_table(table: Any, dataset: str, score: str) -> dict[Any, Study]:
    """One study for each dataset of a table with a row for each evaluation."""
    frame = nw.from_native(table)
    missing = [name for name in (dataset, score) if name not in frame.columns]
    if missing:
        raise ValueError(
            f"The table of evaluations has no column {' and '.join(map(repr, missing))}; it has "
            f"{list(frame.columns)}. Name the columns by dataset= and score=."
        )
    names = [name for name in frame.columns if name.startswith("param_")]
    names = names or [name for name in frame.columns if name not in (dataset, score)]
    rows: dict[Any, list[tuple[dict[str, Any], float]]] = {}
    for row in frame.iter_rows(named=True):
        params = {name.removeprefix("param_"): row[name] for name in names}
        value = row[score]
        scored = rows.setdefault(row[dataset], [])
        if value is not None and np.isfinite(value):
            scored.append(({k: _plain(v) for k, v in params.items() if not _is_gap(v)}, value))
    everything = [params for part in rows.values() for params, _ in part]
    seen = {
        name: [params[name] for params in everything if name in params]
        for name in {name for params in everything for name in params}
    }
    distributions = {name: _covering(values) for name, values in seen.items()}
    return {
        name: _make_study(
            [(params, {k: distributions[k] for k in params}, v) for params, v in part],
            StudyDirection.MAXIMIZE,
        )
        for name, part in rows.items()
    }


def align(
    studies: Mapping[Any, Study], space: SearchSpace, params: Mapping[str, Any]
) -> dict[Any, Study]:
    """Past studies as if they had been run in the current space.

    A hyperparameter that a study did not search over had the estimator's own value then, so that it
    takes this value where the space holds it; one that the space has no more is left out. Ranges
    and choices widen to those of both.

    Parameters
    ----------
    studies : dict of name to Study
    space : SearchSpace
    params : dict
        Parameters of the estimator.
    """
    current = space.distributions
    if current is None:
        return dict(studies)
    defaults = space.encode_defaults(params)
    return {name: _align_study(study, current, defaults) for name, study in studies.items()}


def _align_study(
    study: Study, current: Mapping[str, BaseDistribution], defaults: dict[str, Any]
) -> Study:
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    aligned = []
    for trial in trials:
        params = defaults | {k: v for k, v in trial.params.items() if k in current}
        distributions = {
            name: _union(current[name], trial.distributions.get(name)) for name in params
        }
        aligned.append((params, distributions, trial.value))
    return _make_study(aligned, study.direction)


def _make_study(
    evaluations: Sequence[tuple[dict[str, Any], dict[str, BaseDistribution], Any]],
    direction: StudyDirection,
) -> Study:
    with without_announcement():
        study = optuna.create_study(direction=direction)
    study.add_trials(
        [
            create_trial(params=params, distributions=distributions, value=float(value))
            for params, distributions, value in evaluations
        ]
    )
    return study


def copy_study(study: Study) -> Study:
    """A copy in memory, so that it can be pickled and outlives its storage."""
    if len(study.directions) > 1:
        raise ValueError(f"Study {study.study_name!r} has several objectives; one is needed.")
    with without_announcement():
        copy = optuna.create_study(direction=study.direction)
    copy.add_trials([trial for trial in study.get_trials() if _is_usable(trial)])
    return copy


def _is_usable(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and bool(trial.params)


def _union(current: BaseDistribution, past: BaseDistribution | None) -> BaseDistribution:
    """A distribution that has the values of both, of the kind of the current one."""
    if past is None or past == current:
        return current
    if isinstance(current, CategoricalDistribution):
        choices = past.choices if isinstance(past, CategoricalDistribution) else ()
        return CategoricalDistribution(tuple(dict.fromkeys([*current.choices, *choices])))
    if isinstance(past, CategoricalDistribution):
        return past
    assert isinstance(current, FloatDistribution | IntDistribution)
    assert isinstance(past, FloatDistribution | IntDistribution)
    low, high = min(current.low, past.low), max(current.high, past.high)
    is_log = current.log and low > 0
    if isinstance(current, IntDistribution) and isinstance(past, IntDistribution):
        return IntDistribution(int(low), int(high), log=is_log)
    return FloatDistribution(low, high, log=is_log)


def _covering(values: Sequence[Any]) -> BaseDistribution:
    """A distribution that has all these values."""
    is_number = all(isinstance(v, Real) and not isinstance(v, bool) for v in values)
    if not is_number:
        return CategoricalDistribution(tuple({repr(v): v for v in values}.values()))
    low, high = min(values), max(values)
    is_log = low > 0 and high / low > _LOG_RATIO
    if all(isinstance(v, Integral) for v in values):
        return IntDistribution(int(low), int(high), log=is_log)
    return FloatDistribution(float(low), float(high), log=is_log)


def _is_gap(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

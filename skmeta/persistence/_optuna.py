"""Optuna studies: their trials are stored, wherever the study was kept, and come back in memory.

A file is not to open a database or another server when it is loaded, so it holds no storage.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from skmeta.model_selection._meta_search._study import without_announcement
from skmeta.persistence._exceptions import PersistenceError
from skmeta.persistence._kind import Kind
from skmeta.persistence._reader import Reader
from skmeta.persistence._writer import Writer

_PLAIN = (str, bool, int, float, type(None))  # what a storage of Optuna's holds

# ---------------------------------------------------------------------- writing


def _write_study(study: optuna.Study, writer: Writer) -> dict[str, Any]:
    places: dict[str, int] = {}
    trials = [_describe_trial(trial, places) for trial in study.get_trials(deepcopy=False)]
    return {
        "name": study.study_name,
        "directions": [direction.name for direction in study.directions],
        "distributions": list(places),
        # As a text, since scores may be NaN, for which the document has no word.
        "trials": _as_text(trials),
        "attributes": _as_text(study.user_attrs),
    }


def _describe_trial(trial: FrozenTrial, places: dict[str, int]) -> dict[str, Any]:
    """A trial as JSON; `places` numbers the distributions, which most trials share."""
    return {
        "state": trial.state.name,
        "values": trial.values,
        "times": [
            time and time.isoformat() for time in (trial.datetime_start, trial.datetime_complete)
        ],
        "params": {name: _plain(value) for name, value in trial.params.items()},
        "distributions": {
            name: places.setdefault(_as_json(distribution), len(places))
            for name, distribution in trial.distributions.items()
        },
        "intermediate": list(trial.intermediate_values.items()),
        "attributes": [trial.user_attrs, trial.system_attrs],
    }


def _as_json(distribution: BaseDistribution) -> str:
    for choice in getattr(distribution, "choices", ()):
        _plain(choice)
    return distribution_to_json(distribution)


def _plain(value: Any) -> Any:
    if type(value) not in _PLAIN:
        raise PersistenceError(
            f"A study with the value {value!r:.100} cannot be saved: parameters of a study are "
            "texts, numbers, True, False and None."
        )
    return value


def _as_text(thing: Any) -> str:
    try:
        return json.dumps(thing, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise PersistenceError(
            f"A study cannot be saved, as an attribute of it is not JSON: {error}."
        ) from error


# ---------------------------------------------------------------------- reading


def _read_study(entry: dict[str, Any], reader: Reader) -> optuna.Study:
    distributions = [json_to_distribution(text) for text in entry["distributions"]]
    trials = [_read_trial(trial, distributions, reader) for trial in json.loads(entry["trials"])]
    directions = [StudyDirection[name] for name in entry["directions"]]
    with without_announcement():
        study = optuna.create_study(study_name=entry["name"], directions=directions)
    study.add_trials(trials)
    for name, value in json.loads(entry["attributes"]).items():
        study.set_user_attr(name, value)
    return study


def _read_trial(
    told: dict[str, Any], distributions: list[BaseDistribution], reader: Reader
) -> FrozenTrial:
    start, complete = (time and datetime.fromisoformat(time) for time in told["times"])
    user_attrs, system_attrs = told["attributes"]
    of_trial = {name: distributions[place] for name, place in told["distributions"].items()}
    for distribution in of_trial.values():
        if isinstance(distribution, CategoricalDistribution):
            reader.spend(100 * len(distribution.choices))  # copied and looked through
    return FrozenTrial(
        number=0,  # trials are numbered as they are added
        trial_id=0,
        state=TrialState[told["state"]],
        value=None,
        values=told["values"],
        datetime_start=start,
        datetime_complete=complete,
        params=told["params"],
        distributions=of_trial,
        user_attrs=user_attrs,
        system_attrs=system_attrs,
        intermediate_values=dict(told["intermediate"]),
    )


KINDS = (Kind("optuna:study", lambda t: type(t) is optuna.Study, _write_study, _read_study),)

"""Opening the study of a search, and making sure that it is the study of this search."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np
import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.study import Study

from skmeta.tasks._table import column_names, columns, is_frame

_HEADER = "skmeta:search"
# The layout of what is kept with a study; a storage with a higher one was written by a newer
# version of this package.
_LAYOUT = 1


def open_study(storage: Any, name: str | None, pruner: BasePruner | None) -> Study:
    """Make a study, or go on with the one that has this name.

    Raises
    ------
    ValueError
        If there is a storage but no name.
    RuntimeError
        If the storage cannot be read.
    """
    if storage is not None and name is None:
        raise ValueError(
            f"storage={storage!r} needs a study_name: a search without one could not be found "
            "again."
        )
    try:
        with without_announcement():
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                pruner=pruner or NopPruner(),
                direction="maximize",
                load_if_exists=name is not None,
            )
        # What is damaged shows only when it is read: better now than after hours of trials.
        study.user_attrs, study.get_trials(deepcopy=False)
        return study
    except Exception as error:
        if storage is None:
            raise
        raise RuntimeError(
            f"The study {name!r} cannot be opened in storage={storage!r}, and nothing in it was "
            f"changed. It may be corrupted, or written by a newer version of Optuna: {error}"
        ) from error


def claim_study(study: Study, description: dict[str, Any]) -> None:
    """Write down what a study is about, or check that it is about the same.

    Parameters
    ----------
    study : Study
    description : dict of str to str
        What must not change from one run to the next, by what it is called in a message.

    Raises
    ------
    ValueError
        If the study is about something else, or was not made by `MetaSearchCV`.
    RuntimeError
        If the study is corrupted, or was written by a newer version.
    """
    header = study.user_attrs.get(_HEADER)
    if header is None:
        if study.get_trials(deepcopy=False):
            raise ValueError(
                f"Study {study.study_name!r} was not made by MetaSearchCV, so that its trials have "
                "no scores of folds. Choose another study_name, and learn from this study with "
                "fit_studies."
            )
        study.set_user_attr(_HEADER, {"layout": _LAYOUT, **description})
        return
    if not isinstance(header, dict):
        raise RuntimeError(
            f"Study {study.study_name!r} is corrupted, and nothing in it was changed: its "
            f"attribute {_HEADER!r} must be a dict, got {header!r:.100}."
        )
    if header.get("layout", _LAYOUT + 1) > _LAYOUT:
        raise RuntimeError(
            f"Study {study.study_name!r} was written by a newer version of skmeta (layout "
            f"{header.get('layout')}, this version reads up to {_LAYOUT}). Update skmeta."
        )
    changed = [what for what, value in description.items() if header.get(what) != value]
    if changed:
        details = "; ".join(
            f"{what}: {header.get(what)} before, {description[what]} now"[:400] for what in changed
        )
        raise ValueError(
            f"Study {study.study_name!r} is a search with another {' and '.join(changed)}, so that "
            f"its trials cannot be compared with new ones ({details}). Choose another study_name."
        )


def fingerprint(X: Any, y: Any) -> str:
    """A text that is the same for equal datasets: their shape and a hash of their content."""
    content = [column_names(X), columns(X)] if is_frame(X) else X
    shape = "x".join(map(str, X.shape if hasattr(X, "shape") else np.shape(X)))
    target = None if y is None else np.asarray(y)
    return f"{shape} {joblib.hash((content, target))}"


def hash_splits(splits: Sequence[tuple[Any, Any]]) -> str:
    """A text that is the same for equal folds."""
    return f"{len(splits)} folds {joblib.hash([(np.asarray(a), np.asarray(b)) for a, b in splits])}"


@contextmanager
def without_announcement() -> Iterator[None]:
    """Keep Optuna quiet while a study is made: it logs each at INFO, and a search makes many."""
    handlers = logging.getLogger("optuna").handlers
    for handler in handlers:
        handler.addFilter(_is_serious)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_is_serious)


def _is_serious(record: logging.LogRecord) -> bool:
    return record.levelno > logging.INFO

"""Trials whose worker died: noticed by their silence, and run again."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Thread
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

WORKER = "skmeta:worker"
# A trial that does not count: it was run again, or it repeated another one.
DROPPED = "skmeta:dropped"
# How often a configuration was run again so far, and which trial this one repeats.
_RETRIES = "skmeta:retries"
RETRY_OF = "skmeta:retry of"

# Seconds between two signs of life, and without any before a worker counts as dead. Clocks of
# different machines may differ by a good part of the latter.
_BEAT, _GRACE = 15.0, 120.0
# A configuration that kills every worker (it needs too much memory, say) is given up in the end.
_MAX_RETRIES = 2


@contextmanager
def signs_of_life(trials: Sequence[Trial]) -> Iterator[None]:
    """Show other workers, while the block runs, that these trials are being evaluated."""
    stop = Event()

    def beat() -> None:
        while not stop.wait(_BEAT):
            for trial in trials:
                try:
                    sign(trial)
                except UpdateFinishedTrialError:
                    continue  # this trial of the batch is done

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def sign(trial: Trial) -> None:
    """Write down which process evaluates a trial, and that it was alive just now."""
    trial.set_user_attr(WORKER, _signature())


def is_signed_here(trial: Trial) -> bool:
    """Whether this process has signed a trial."""
    worker = trial.user_attrs.get(WORKER, {})
    here = _signature()
    return all(worker.get(what) == here[what] for what in ("host", "pid"))


def queue(study: Study, params: dict[str, Any], **user_attrs: Any) -> None:
    """Queue a trial with these parameters, signed, so that it has an owner from the start."""
    study.enqueue_trial(params, user_attrs={WORKER: _signature(), **user_attrs})


def _signature() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "beat": time.time()}


def recover_lost_trials(study: Study) -> None:
    """Queue the trials of dead workers again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_silent(trial):
            retry(study, trial)


def retry(study: Study, trial: FrozenTrial | Trial) -> None:
    """Give up a running trial and queue its configuration again, some times at most."""
    n_retries = trial.user_attrs.get(_RETRIES, 0)
    is_queued = n_retries < _MAX_RETRIES
    if not close(study, trial, f"retried, {n_retries + 1}" if is_queued else None):
        return  # another worker was faster
    if is_queued and trial.params:
        queue(study, trial.params, **{_RETRIES: n_retries + 1, RETRY_OF: trial.number})


def close(study: Study, trial: FrozenTrial | Trial, dropped: str | None) -> bool:
    """End a running trial without a score; False if it has ended already.

    Parameters
    ----------
    study : Study
    trial : FrozenTrial or Trial
    dropped : str or None
        Why it does not count as one of the trials of the search; None if it counts.
    """
    storage = study._storage
    try:
        if dropped is not None:
            storage.set_trial_user_attr(trial._trial_id, DROPPED, dropped)
        return storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    except UpdateFinishedTrialError:
        return False


def _is_silent(trial: FrozenTrial) -> bool:
    worker: dict[str, Any] | None = trial.user_attrs.get(WORKER)
    if worker is None:  # someone else's, or it has only just begun
        began = trial.datetime_start
        return began is not None and (datetime.now() - began).total_seconds() > _GRACE
    if time.time() - worker["beat"] > _GRACE:
        return True
    return worker["host"] == socket.gethostname() and not _is_alive(worker["pid"])


def _is_alive(pid: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it is another user's
    return True

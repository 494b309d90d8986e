"""Running calls in parallel, where one that ends its worker process does not end the others."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from joblib.parallel import get_active_backend
from sklearn import get_config
from sklearn.utils.parallel import Parallel

# A function made by scikit-learn's `delayed`, its positional arguments and its keywords.
Call = tuple[Any, tuple[Any, ...], dict[str, Any]]


class WorkerDied(RuntimeError):
    """The process that ran a call ended before the call did."""


def run_calls(
    calls: Sequence[Call], n_jobs: int | None, pre_dispatch: Any = "2*n_jobs", shared: Any = ()
) -> list[Any]:
    """Outcome of each call; an instance of :class:`WorkerDied` for one that ends its worker.

    Parameters
    ----------
    calls : list of Call
        As scikit-learn's `delayed` makes them.
    n_jobs, pre_dispatch
        As for joblib.
    shared : sequence of object
        Large arguments that several calls have in common.

    Returns
    -------
    outcomes : list
    """
    backend, _ = get_active_backend()
    if n_jobs != 1 and hasattr(backend, "client"):  # joblib's Dask backend
        outcomes = _run_on_dask(backend, calls, [x for x in shared if x is not None])
    else:
        outcomes = _run_by_joblib(calls, n_jobs, pre_dispatch)
    if len(calls) == 1:
        return outcomes
    # Calls die with others: of the same pool, or those that lose their data. Alone they do not.
    return [
        run_calls([call], n_jobs, pre_dispatch, shared)[0] if _is_dead(outcome) else outcome
        for call, outcome in zip(calls, outcomes, strict=True)
    ]


def _is_dead(outcome: Any) -> bool:
    return isinstance(outcome, WorkerDied)


def _run_by_joblib(calls: Sequence[Call], n_jobs: int | None, pre_dispatch: Any) -> list[Any]:
    try:
        return list(Parallel(n_jobs=n_jobs, pre_dispatch=pre_dispatch)(calls))
    except BrokenProcessPool as error:
        return [WorkerDied(f"The worker died: {error}")] * len(calls)


def _run_on_dask(backend: Any, calls: Sequence[Call], shared: Sequence[Any]) -> list[Any]:
    """Outcomes by Dask's own means: joblib waits for ever for a call that Dask has given up."""
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    # All workers get what is shared, so that it is not lost with one of them. Names are new each
    # time: Dask may still be dropping what was sent before.
    options = {"broadcast": True, "hash": False}
    sent = backend.client.scatter(list(shared), **options) if shared else []
    places = {id(value): place for value, place in zip(shared, sent, strict=True)}
    futures = []
    for function, args, kwargs in calls:
        configured = function.with_config_and_warning_filters(get_config(), warnings.filters)
        given = [places.get(id(value), value) for value in args]
        named = {name: places.get(id(value), value) for name, value in kwargs.items()}
        futures.append(backend.client.submit(configured, *given, pure=False, **named))
    with backend.retrieval_context():  # a search that is itself a call makes room for its fits
        return [_outcome(future, (KilledWorker, FutureCancelledError)) for future in futures]


def _outcome(future: Any, deaths: tuple[type[Exception], ...]) -> Any:
    try:
        return future.result()
    except deaths as error:
        return WorkerDied(f"The worker died: {error}")

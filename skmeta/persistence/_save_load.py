"""`save` and `load`: one file, and nothing in it that runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sklearn.base import BaseEstimator

from skmeta.persistence._container import read, write
from skmeta.persistence._exceptions import PersistenceError
from skmeta.persistence._names import find
from skmeta.persistence._reader import Reader
from skmeta.persistence._writer import Writer

_LIBRARIES = ("skmeta", "numpy", "scipy", "scikit-learn", "torch", "skorch", "optuna")


def save(estimator: Any, path: Any) -> None:
    """Save an estimator to one file, from which :func:`load` makes it again.

    Numbers are stored as safetensors, everything else as JSON; there is no pickle in the file.
    Whoever reads `path` at any time, even while the saving process is killed, finds the complete
    old or the complete new file.

    Parameters
    ----------
    estimator : estimator
        Any meta-learner, fitted, adapted or unfitted; or another scikit-learn estimator, such as a
        `FewShotClassifier` or a `Pipeline` with a meta-learner in it.
    path : str or path-like
        The file, which is replaced if there is one. A common ending is `.skmeta`.

    Raises
    ------
    PersistenceError
        If the estimator holds what cannot be saved: a lambda or local function, an open file, a
        compiled object of another library.
    OSError
        If the file cannot be written. A file that was there before is unharmed.

    See Also
    --------
    load : Make the estimator again.

    Examples
    --------
    >>> import os, tempfile, skmeta
    >>> from skmeta.datasets import make_linear_tasks
    >>> meta = skmeta.MetaRidgeRegressor().fit(make_linear_tasks(20, random_state=0))
    >>> path = os.path.join(tempfile.mkdtemp(), "meta.skmeta")
    >>> skmeta.save(meta, path)
    >>> skmeta.load(path)
    MetaRidgeRegressor()
    """
    if not isinstance(estimator, BaseEstimator):
        raise PersistenceError(f"estimator must be an estimator, got {type(estimator).__name__}.")
    writer = Writer()
    try:
        root = writer.value(estimator)
    except RecursionError as error:
        raise PersistenceError("The estimator is nested too deeply to be saved.") from error
    document = {
        "libraries": _versions(),
        "names": writer.names,
        "objects": writer.entries,
        "root": root,
    }
    write(path, document, writer.arrays)


def load(path: Any, *, trusted: Iterable[Any] = ()) -> Any:
    """Load an estimator from a file of :func:`save`.

    Nothing in the file is run. It names classes and functions; those of skmeta and scikit-learn,
    torch's modules and optimisers are trusted, any other ones must be allowed.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : iterable of str, class or function, default=()
        Classes and functions of yours, or of other libraries, that the file may name: themselves,
        or their names, as in `["my_package.MyNet"]`. Their code runs: allow what you know.

    Returns
    -------
    estimator : estimator
        Its predictions equal those of the saved one to the bit, with the same libraries on the same
        machine.

    Raises
    ------
    PersistenceError
        If the file is cut off, damaged, of a newer format, or no such file at all; or if it names
        what is not trusted: then the message says which names, and how to allow them.
    OSError
        If there is no file, or it cannot be read.

    See Also
    --------
    save : Save an estimator.

    Notes
    -----
    Memory and time are bounded by a multiple of the size of the file. A loaded estimator does what
    its class and its parameters say: look at the parameters of an estimator of unknown origin, such
    as the path in `checkpoint`, before you fit it again.

    Examples
    --------
    >>> import os, tempfile, skmeta
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(20, random_state=0)
    >>> meta = skmeta.MetaRidgeRegressor().fit(tasks)
    >>> model = meta.fit_adapt(tasks[0].X[:5], tasks[0].y[:5])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.skmeta")
    >>> skmeta.save(model, path)
    >>> again = skmeta.load(path)
    >>> bool((again.predict(tasks[0].X) == model.predict(tasks[0].X)).all())
    True
    """
    document, arrays = read(path)
    names, entries = _list_of(document, "names", str), _list_of(document, "objects", dict)
    if isinstance(trusted, str | type):
        raise TypeError(f"trusted must be a list of classes, functions or names, got {trusted!r}.")
    reader = Reader(find(names, trusted), arrays)
    try:
        reader.read(entries)
        estimator = reader.value(document.get("root"))
    except (PersistenceError, ValueError, TypeError) as error:
        raise PersistenceError(
            f"{path} cannot be loaded. {error}{_versions_then(document)}"
        ) from error
    if not isinstance(estimator, BaseEstimator):
        raise PersistenceError(f"{path} holds a {type(estimator).__name__}, which is no estimator.")
    return estimator


def _list_of(document: dict[str, Any], part: str, kind: type) -> list[Any]:
    things = document.get(part)
    if not isinstance(things, list) or not all(isinstance(thing, kind) for thing in things):
        raise PersistenceError(f"The file has no list of {part}.")
    return things


def _versions() -> dict[str, str]:
    """Versions of Python and of the libraries that are in use."""
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for library in _LIBRARIES:
        module = {"scikit-learn": "sklearn"}.get(library, library)
        if module in sys.modules:
            try:
                versions[library] = version(library)
            except PackageNotFoundError:  # in use, but not installed: a source tree on the path
                versions[library] = str(getattr(sys.modules[module], "__version__", "unknown"))
    return versions


def _versions_then(document: dict[str, Any]) -> str:
    """Where the libraries are others than those that wrote the file: which."""
    then, now = document.get("libraries"), _versions()
    if not isinstance(then, dict):
        return ""
    others = [f"{k} {v!s:.20}, here {now[k]}" for k, v in then.items() if now.get(k, v) != v]
    return f" It was written with {'; '.join(others)}." if others else ""

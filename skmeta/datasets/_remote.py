"""Files of datasets that are fetched: downloaded once, checked, and kept in a folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from numbers import Integral
from pathlib import Path
from typing import Any

from sklearn.datasets import get_data_home
from sklearn.utils._param_validation import Interval

# What every fetcher takes.
FETCH_CONSTRAINTS = {
    "data_home": [str, Path, None],
    "download_if_missing": ["boolean"],
    "n_retries": [Interval(Integral, 0, None, closed="left")],
}
_MODULES = {"PIL": "pillow"}  # where a package is called otherwise than its module


@dataclass(frozen=True)
class RemoteFile:
    """A file of the public, which never changes."""

    name: str
    url: str
    sha256: str


def fetch_file(
    file: RemoteFile, *, data_home: Any, download_if_missing: bool, n_retries: int
) -> Path:
    """Where a file lies on this machine; it is downloaded if it does not lie there yet.

    A download has another name until it is complete and its checksum is right, so no other call,
    in this process or another, ever finds a part of a file.

    Raises
    ------
    OSError
        If the file is neither there nor to be had; the message says what to do.
    """
    path = Path(get_data_home(data_home)) / "skmeta" / file.name
    if _is_intact(path, file):
        return path
    if not download_if_missing:
        state = "is damaged" if path.exists() else "is not there"
        raise OSError(f"{path} {state}, and download_if_missing is False. {_advice(path, file)}")
    _download(path, file, n_retries)
    return path


def import_extra(module: str) -> Any:
    """Import what only fetchers need."""
    try:
        return import_module(module)
    except ImportError as error:
        package = _MODULES.get(module, module)
        raise ImportError(
            f"Fetching this dataset needs {package}: `pip install 'skmeta[fetch]'`."
        ) from error


def _download(path: Path, file: RemoteFile, n_retries: int) -> None:
    pooch = import_extra("pooch")
    from requests.exceptions import RequestException

    store = pooch.create(
        path.parent,
        base_url="",
        registry={file.name: f"sha256:{file.sha256}"},
        urls={file.name: file.url},
        retry_if_failed=n_retries,
    )
    try:
        store.fetch(file.name)
    except (RequestException, ValueError) as error:  # ValueError: the checksum is another
        raise OSError(
            f"{file.url} could not be downloaded: {error} Nothing of it was kept. "
            f"{_advice(path, file)}"
        ) from error


def _is_intact(path: Path, file: RemoteFile) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256


def _advice(path: Path, file: RemoteFile) -> str:
    return (
        f"Without a connection, bring the file from elsewhere: {file.url} belongs at {path} (its "
        f"SHA-256 is {file.sha256}). Or let data_home, or the environment variable "
        "SCIKIT_LEARN_DATA, name a folder that has it as skmeta/" + file.name + "."
    )

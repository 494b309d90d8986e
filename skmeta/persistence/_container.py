"""The file: safetensors that hold arrays and a JSON document, written at once, checked when read.

A safetensors file is a length (8 bytes), a JSON header and the bytes of the tensors. One tensor is
the document. The header's `__metadata__` holds the version of the format and the SHA-256 of the
file; as the checksum is part of what it is taken of, it is taken with zeros in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from contextlib import suppress
from typing import Any
from uuid import uuid4

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save_file

from skmeta.persistence._exceptions import PersistenceError

FORMAT_VERSION = 1
MAX_JSON = (
    64 * 2**20
)  # bytes, of the header and of the document; parsed they take many times as many
_DOCUMENT = "document"
_NO_DIGEST = b"0" * 64
_BLOCK = 2**20

# How safetensors calls what numpy has too. Anything else is stored as bytes.
DTYPES = {
    "BOOL": "bool",
    "I8": "int8",
    "U8": "uint8",
    "I16": "int16",
    "U16": "uint16",
    "I32": "int32",
    "U32": "uint32",
    "I64": "int64",
    "U64": "uint64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
}


# ---------------------------------------------------------------------- writing


def write(path: Any, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write a document and arrays, which are C-contiguous and of the types in `DTYPES`.

    The file appears at once: until it is complete and on disk, it has another name.
    """
    path = os.path.realpath(path)  # a link stays a link
    folder, name = os.path.split(path)
    draft = os.path.join(folder, f".{name}.{uuid4().hex}.tmp")
    try:
        # Made here to learn its rights: safetensors gives a file to its owner alone.
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        rights = stat.S_IMODE(os.stat(path if os.path.exists(path) else draft).st_mode)
        tensors = {**arrays, _DOCUMENT: _as_bytes(document)}
        metadata = {"skmeta_format": str(FORMAT_VERSION), "sha256": _NO_DIGEST.decode()}
        save_file(tensors, draft, metadata=metadata)
        os.chmod(draft, rights)
        _seal(draft)
        os.replace(draft, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        raise
    _sync_folder(folder)


def _as_bytes(document: dict[str, Any]) -> np.ndarray:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > MAX_JSON:
        raise PersistenceError(
            f"The estimator has {len(text) >> 20} MB of what is not an array; a file holds "
            f"{MAX_JSON >> 20} MB of it at most."
        )
    return np.frombuffer(text, dtype=np.uint8)


def _seal(draft: str) -> None:
    """Put the checksum into its place, and the file onto the disk."""
    with open(draft, "r+b") as file:
        header = file.read(8)
        header += file.read(*struct.unpack("<Q", header))
        digest = hashlib.sha256(header)
        while block := file.read(_BLOCK):
            digest.update(block)
        file.seek(_place_of_digest(header, _NO_DIGEST))
        file.write(digest.hexdigest().encode())
        file.flush()
        os.fsync(file.fileno())


def _place_of_digest(header: bytes, digest: bytes) -> int:
    return header.index(b'"sha256":"' + digest + b'"') + len(b'"sha256":"')


def _sync_folder(folder: str) -> None:
    """Make the new name last; not every system can open a folder."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ---------------------------------------------------------------------- reading


def read(path: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the document and the arrays of a file; nothing is taken for granted."""
    data = _read_bytes(path)
    header = _header(path, data)
    metadata = _parse(path, "header", header[8:]).get("__metadata__")
    if not isinstance(metadata, dict) or "skmeta_format" not in metadata:
        raise PersistenceError(f"{path} is a safetensors file, but not one of skmeta.save.")
    _check_version(path, metadata["skmeta_format"])
    _check_digest(path, header, data, metadata.get("sha256"))
    try:
        tensors = deserialize(data)
    except SafetensorError as error:
        raise PersistenceError(f"{path} is damaged: {error}") from error
    arrays = {name: _as_array(path, tensor) for name, tensor in tensors}
    document = arrays.pop(_DOCUMENT, np.empty(0))
    if document.nbytes > MAX_JSON:
        raise PersistenceError(
            f"{path} has a document of {document.nbytes} bytes, above {MAX_JSON}."
        )
    return _parse(path, "document", document.tobytes()), arrays


def _read_bytes(path: Any) -> bytes:
    # A pipe or device is neither waited for nor read to its end, of which it may have none.
    with open(path, "rb", opener=lambda p, flags: os.open(p, flags | _NON_BLOCKING)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PersistenceError(f"{path} is not a regular file.")
        return file.read(status.st_size)


_NON_BLOCKING = getattr(os, "O_NONBLOCK", 0)


def _header(path: Any, data: bytes) -> bytes:
    """The length and the header, with the length checked before anything is made of it."""
    if len(data) < 8:
        raise PersistenceError(f"{path} is not a file of skmeta.save: it has {len(data)} bytes.")
    (length,) = struct.unpack("<Q", data[:8])
    if length > len(data) - 8:
        raise PersistenceError(
            f"{path} is not a file of skmeta.save, or was cut off: it should have a header of "
            f"{length} bytes, and has {len(data) - 8} bytes in all."
        )
    if length > MAX_JSON:
        raise PersistenceError(f"{path} has a header of {length} bytes, above {MAX_JSON}.")
    return data[: 8 + length]


def _parse(path: Any, part: str, text: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PersistenceError(f"{path} has a {part} that is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise PersistenceError(f"{path} has a {part} that is not a JSON object.")
    return parsed


def _check_version(path: Any, version: Any) -> None:
    if not (isinstance(version, str) and version.isascii() and version.isdigit()):
        raise PersistenceError(f"{path} has a format version that is no number: {version!r:.50}.")
    if not 1 <= (number := int(version[:9])) <= FORMAT_VERSION:
        raise PersistenceError(
            f"{path} has version {number} of the format; this skmeta reads versions 1 to "
            f"{FORMAT_VERSION}. Please update skmeta."
        )


def _check_digest(path: Any, header: bytes, data: bytes, told: Any) -> None:
    try:
        place = _place_of_digest(header, told.encode())
    except (AttributeError, ValueError) as error:
        raise PersistenceError(f"{path} has no checksum.") from error
    digest = hashlib.sha256(header[:place] + _NO_DIGEST + header[place + len(_NO_DIGEST) :])
    digest.update(memoryview(data)[len(header) :])
    if digest.hexdigest() != told:
        raise PersistenceError(f"{path} is damaged: its checksum does not match its content.")


def _as_array(path: Any, tensor: dict[str, Any]) -> np.ndarray:
    if tensor["dtype"] not in DTYPES:
        raise PersistenceError(f"{path} has a tensor of the unknown type {tensor['dtype']!r}.")
    # safetensors has checked that the shape fits the bytes, and copied them: they may be written.
    return np.frombuffer(tensor["data"], dtype=DTYPES[tensor["dtype"]]).reshape(tensor["shape"])

"""Pseudo-random numbers that depend on what a row holds, not on where it is stored.

Support and query rows are drawn by sorting these numbers. A draw is therefore the same whatever
the order in which rows and tasks are stored, whichever fold a task falls into, and however many
tasks are drawn together; and a whole meta-batch is drawn without a Python loop.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np

from skmeta.tasks._table import columns

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix64(x: np.ndarray | int) -> np.ndarray:
    """Scramble 64-bit integers: the finaliser of SplitMix64 (Steele, Lea & Flood, 2014).

    numpy's generators hold one state for one stream; here each element is its own stream.
    """
    with np.errstate(over="ignore"):
        z = np.asarray(x, dtype=np.uint64) + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def combine(*parts: np.ndarray | int) -> np.ndarray:
    """Mix several integers (seed, epoch, task, ...) into one; arrays broadcast."""
    mixed: Any = np.uint64(0)
    for part in parts:
        mixed = mix64(mixed ^ np.asarray(part).astype(np.uint64))
    return mixed


def uniform(bits: np.ndarray) -> np.ndarray:
    """Turn scrambled integers into uniform numbers in [0, 1)."""
    return (bits >> np.uint64(11)) * 2.0**-53


def hash_rows(X: Any, y: np.ndarray) -> np.ndarray:
    """A 64-bit number for each row, a function of its values alone.

    Parameters
    ----------
    X : array or data frame of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)

    Returns
    -------
    hashes : ndarray of shape (n_rows,) of uint64
    """
    total = np.zeros(len(y), dtype=np.uint64)
    for j, column in enumerate([*columns(X), *columns(y.reshape(len(y), -1))]):
        total += mix64(_column_bits(column) ^ mix64(j))
    return mix64(total)


def _column_bits(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind in "fiub":
        values = column.astype(np.float64) + 0.0  # adding zero turns -0.0 into 0.0
        values[np.isnan(values)] = np.nan  # one NaN, whatever its payload
        return values.view(np.uint64)
    texts, inverse = np.unique(column.astype(str), return_inverse=True)
    digests = [int.from_bytes(blake2b(t.encode(), digest_size=8).digest(), "little") for t in texts]
    return np.array(digests, dtype=np.uint64)[inverse]

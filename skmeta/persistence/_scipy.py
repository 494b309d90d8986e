"""Sparse matrices, and the frozen distributions that search spaces are made of."""

from __future__ import annotations

from typing import Any

from scipy import sparse, stats
from scipy.stats._distn_infrastructure import rv_frozen, rv_generic

from skmeta.persistence._kind import Kind
from skmeta.persistence._reader import Reader
from skmeta.persistence._writer import Writer

_SPARSE = {
    name: getattr(sparse, name) for name in ("csr_array", "csc_array", "csr_matrix", "csc_matrix")
}


def _write_sparse(matrix: Any, writer: Writer) -> dict[str, Any]:
    parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}
    return {"class": type(matrix).__name__, "shape": matrix.shape, "parts": writer.fields(parts)}


def _read_sparse(entry: dict[str, Any], reader: Reader) -> Any:
    parts = reader.fields(entry["parts"])
    reader.spend(100 * sum(part.nbytes for part in parts.values()))  # checked, maybe copied
    matrix = _SPARSE[entry["class"]](
        (parts["data"], parts["indices"], parts["indptr"]), shape=tuple(entry["shape"])
    )
    matrix.check_format(full_check=True)  # compiled code trusts its indices
    return matrix


def _write_frozen(frozen: Any, writer: Writer) -> dict[str, Any]:
    return {
        "name": frozen.dist.name,
        "args": writer.values(frozen.args),
        "keywords": writer.fields(frozen.kwds),
    }


def _read_frozen(entry: dict[str, Any], reader: Reader) -> Any:
    distribution = getattr(stats, entry["name"])
    if not isinstance(distribution, rv_generic):
        raise ValueError(f"scipy.stats.{entry['name']} is no distribution")
    reader.spend(1_000_000)  # some need a millisecond
    return distribution(*reader.values(entry["args"]), **reader.fields(entry["keywords"]))


def _is_frozen(thing: Any) -> bool:
    # A distribution of the user's own is not found by its name.
    return isinstance(thing, rv_frozen) and type(getattr(stats, thing.dist.name, None)) is type(
        thing.dist
    )


KINDS = (
    Kind("scipy:sparse", lambda t: type(t) in _SPARSE.values(), _write_sparse, _read_sparse),
    Kind("scipy:distribution", _is_frozen, _write_frozen, _read_frozen),
)

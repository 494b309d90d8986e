"""scikit-learn's compiled objects, which are more than their attributes.

Trees, which our own learners hold, are stored as arrays. All others are left to skops, which knows
scikit-learn's types; it is imported only where one is met, as that takes seconds.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from skmeta.persistence._exceptions import PersistenceError
from skmeta.persistence._integrity import check_nodes, require
from skmeta.persistence._kind import Kind
from skmeta.persistence._reader import Reader
from skmeta.persistence._writer import Writer

# ---------------------------------------------------------------------- trees


def _is_tree(thing: Any) -> bool:
    return f"{type(thing).__module__}.{type(thing).__name__}" == "sklearn.tree._tree.Tree"


def _write_tree(tree: Any, writer: Writer) -> dict[str, Any]:
    _, (n_features, n_classes, n_outputs), state = tree.__reduce__()
    return {
        "n_features": n_features,
        "n_outputs": n_outputs,
        "n_classes": writer.value(n_classes),
        "state": writer.fields(state),
    }


def _read_tree(entry: dict[str, Any], reader: Reader) -> Any:
    from sklearn.tree._tree import Tree

    n_classes, state = reader.value(entry["n_classes"]), reader.fields(entry["state"])
    require(n_classes.shape == (entry["n_outputs"],), "each output needs a number of classes")
    require((n_classes > 0) & (n_classes * entry["n_outputs"] <= state["values"].size), "classes")
    require(state["node_count"] == len(state["nodes"]), "there are more or fewer nodes")
    reader.spend(100 * (state["nodes"].nbytes + state["values"].nbytes))  # copied
    tree = Tree(entry["n_features"], n_classes, entry["n_outputs"])
    tree.__setstate__(state)
    left, right = tree.children_left, tree.children_right
    check_nodes(left, right, tree.feature, left == -1, tree.n_features)
    return tree


# ---------------------------------------------------------------------- the others, by skops


def _is_compiled(thing: Any) -> bool:
    # Classes written in Python have a `__dict__` each.
    cls = type(thing)
    return cls.__module__.startswith("sklearn.") and not hasattr(thing, "__dict__")


def _write_by_skops(thing: Any, writer: Writer) -> dict[str, Any]:
    from skops import io as skops

    try:
        # Not compressed: then no file can be larger inside than outside.
        data = skops.dumps(thing, compression=ZIP_STORED)
    except Exception as error:  # whatever a type that skops does not know may raise
        raise PersistenceError(
            f"{type(thing).__name__} cannot be saved by skops: {error}"
        ) from error
    return {"array": writer.array(np.frombuffer(data, dtype=np.uint8))}


def _read_by_skops(entry: dict[str, Any], reader: Reader) -> Any:
    from skops import io as skops

    data = reader.array(entry["array"]).tobytes()
    _check_archive(data)
    if untrusted := skops.get_untrusted_types(data=data):
        raise ValueError(f"skops does not trust {', '.join(untrusted)}")
    thing = skops.loads(data, trusted=[])
    require(_is_compiled(thing), f"{type(thing).__name__} is no compiled type of scikit-learn")
    return thing


def _check_archive(data: bytes) -> None:
    """Check that nothing in a zip archive is larger than the archive."""
    with ZipFile(BytesIO(data)) as archive:
        parts = archive.infolist()
        require([p.compress_type == ZIP_STORED for p in parts], "an archive is compressed")
        require(sum(p.file_size for p in parts) <= len(data), "an archive is larger inside")
        # A loss has a type and a few numbers; whatever has files of its own is not one.
        require([p.filename == "schema.json" for p in parts], "an archive holds other files")
        json.loads(archive.read("schema.json"))


KINDS = (
    Kind("sklearn:tree", _is_tree, _write_tree, _read_tree),
    Kind("sklearn:skops", _is_compiled, _write_by_skops, _read_by_skops),
)

"""Load thousands of damaged and hostile files: each must load, or give a clear error.

    python benchmarks/fuzz_persistence.py --cases 2000

Files of several learners are cut off, get bits flipped, and are changed with a checksum that is
mended afterwards, so that the code behind the checksum has to cope: bits of the whole file, and
values of the document. Then there are files written by hand, each of which attempts something.
What loads is asked to predict. Every family of cases has a process of its own, so that a crash is
seen and counted. The table says what came out, the most memory above the start, and the longest
time of a case.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

import skmeta
from skmeta.datasets import make_linear_tasks
from skmeta.persistence import _container

# ---------------------------------------------------------------------- files to start from


def models() -> dict[str, Any]:
    """Adapted models, small ones of each sort: linear, trees, support vectors, nets, searches."""
    from scipy.stats import loguniform
    from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge

    space = {"alpha": loguniform(0.01, 1), "solver": ["svd", "cholesky"]}
    tasks = make_linear_tasks(8, 12, 3, noise=0.1, random_state=0)
    learners = {
        "linear": skmeta.MetaRidgeRegressor(),
        "tree": skmeta.MetaDecisionTreeRegressor(random_state=0),
        "svm": skmeta.MetaSVR(),
        "net": skmeta.MAMLRegressor(max_epochs=1, random_state=0),
        "boosting": skmeta.PooledRegressor(GradientBoostingRegressor(n_estimators=3)),
        "histogram": skmeta.PooledRegressor(HistGradientBoostingRegressor(max_iter=3)),
        "search": skmeta.MetaSearchCV(Ridge(), space, n_trials=2, cv=2, random_state=0),
    }
    return {
        name: learner.fit(tasks).fit_adapt(tasks[0].X, tasks[0].y)
        for name, learner in learners.items()
    }


def predict(model: Any) -> np.ndarray:
    """What a model says of fixed rows."""
    return model.predict(np.linspace(-1, 1, 12).reshape(4, 3))


# ---------------------------------------------------------------------- damage


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Cut a file off, sometimes with something else behind."""
    tail = rng.randbytes(rng.choice([0, 0, 1, 100]))
    return data[: rng.randrange(len(data))] + tail


def flip(data: bytes, rng: random.Random, start: int = 0) -> bytes:
    """Flip one bit to eight."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(start, len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flip_and_seal(data: bytes, rng: random.Random) -> bytes:
    """Flip bits, and mend the checksum."""
    return seal(flip(data, rng, start=rng.choice([0, 8])))


def change_and_seal(data: bytes, rng: random.Random) -> bytes:
    """Change one value of the document to four, and mend the checksum."""
    header, document, rest = take_apart(data)
    for _ in range(rng.randint(1, 4)):
        _change(document, rng)
    return put_together(header, document, rest)


def noise(data: bytes, rng: random.Random) -> bytes:
    """Random bytes, sometimes behind a plausible length and the beginning of a header."""
    start = rng.choice([b"", struct.pack("<Q", rng.randrange(300)), data[: rng.randrange(200)]])
    return start + rng.randbytes(rng.randrange(1000))


def _change(document: dict[str, Any], rng: random.Random) -> None:
    places = list(_places(document))
    parent, key = rng.choice(places)
    other_parent, other_key = rng.choice(places)
    odd = [None, True, -1, 0, 3, 2**31, 2**63, 10**400, 1e308, "", "x", "<f8", [], {}, [0]]
    odd += [[-1], [10**9], [[0]], "numpy:array", "torch:module", other_parent[other_key]]
    match rng.randrange(4):
        case 0 if isinstance(parent, dict):
            del parent[key]
        case 1 if isinstance(parent, list):
            parent.insert(key, rng.choice(odd))
        case 2 if isinstance(parent[key], int | float):
            parent[key] += rng.choice([-1, 1, 1000])
        case _:
            parent[key] = rng.choice(odd)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    keys = node if isinstance(node, dict) else range(len(node) if isinstance(node, list) else 0)
    for key in keys:
        yield node, key
        yield from _places(node[key])


# ---------------------------------------------------------------------- files by parts


def take_apart(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The header, the document, and the other tensors' bytes."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    begin, end = header["document"]["data_offsets"]
    body = data[8 + length :]
    return header, json.loads(body[begin:end]), body[:begin] + body[end:]


def put_together(header: dict[str, Any], document: Any, rest: bytes) -> bytes:
    """A file with another document, and a checksum that is right."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    begin, end = header["document"]["data_offsets"]
    table = json.loads(json.dumps(header))
    for name, tensor in table.items():
        if name == "document":
            tensor |= {"shape": [len(text)], "data_offsets": [begin, begin + len(text)]}
        elif name != "__metadata__" and tensor["data_offsets"][0] >= end:
            tensor["data_offsets"] = [n + len(text) - end + begin for n in tensor["data_offsets"]]
    return assemble(table, rest[:begin] + text + rest[begin:])


def assemble(header: dict[str, Any], body: bytes = b"") -> bytes:
    """A file of a header and a body, with a checksum that is right."""
    metadata = header.setdefault("__metadata__", {"skmeta_format": "1"})
    metadata["sha256"] = "0" * 64
    text = json.dumps(header, separators=(",", ":")).encode()
    return seal(struct.pack("<Q", len(text)) + text + body)


def seal(data: bytes) -> bytes:
    """Mend the checksum, if there is still a place for it."""
    mark = b'"sha256":"'
    place = data.find(mark) + len(mark)
    if place < len(mark):
        return data
    empty = data[:place] + b"0" * 64 + data[place + 64 :]
    return empty[:place] + sha256(empty).hexdigest().encode() + empty[place + 64 :]


def of_document(objects: list[Any], names: Any = (), **tensors: np.ndarray) -> bytes:
    """A file of entries; the last object is the estimator."""
    document = {"libraries": {}, "names": list(names), "objects": objects}
    document["root"] = [len(objects) - 1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        _container.write(path, document, tensors)
        return path.read_bytes()


# ---------------------------------------------------------------------- hostile files

RIDGE = "sklearn.linear_model.Ridge"


def hostile(folder: Path) -> dict[str, bytes]:
    """Files that each attempt something; what they would do is to make `folder / "owned"`."""
    owned = str(folder / "owned")
    array = {"kind": "numpy:array"}
    cases = {
        **_hostile_headers(),
        **_hostile_documents(),
        **_hostile_names(owned),
        **_hostile_indices(),
        **_hostile_archives(owned),
        **_hostile_studies(),
        "object array by dtype": of_document(
            [array | {"array": "0", "dtype": "|O", "shape": [1]}], **{"0": np.zeros(8, np.uint8)}
        ),
        "a record with an object": of_document(
            [array | {"array": "0", "dtype": [["a", "|O"]], "shape": [1]}],
            **{"0": np.zeros(8, np.uint8)},
        ),
        "empty type": of_document(
            [array | {"array": "0", "dtype": "|V0", "shape": [2**40]}],
            **{"0": np.zeros(80, np.uint8)},
        ),
        "more objects than there are": of_document([array | {"of": [], "shape": [2**40]}]),
    }
    return cases


def _hostile_headers() -> dict[str, bytes]:
    tensor = {"dtype": "F64", "shape": [2**60], "data_offsets": [0, 2**63]}
    nested = {"__metadata__": {"skmeta_format": "1", "sha256": "0" * 64, "x": "[" * 10**5}}
    return {
        "empty": b"",
        "seven bytes": b"\0" * 7,
        "huge header": struct.pack("<Q", 2**63) + b"{}",
        "header of 4 GB": struct.pack("<Q", 2**32) + b"{}" * 100,
        "deep header": struct.pack("<Q", 10**6) + b'{"a":' * 10**5 + b"[" * 5 * 10**5,
        "deep text in the header": assemble(nested),
        "huge tensor": assemble({"document": tensor}),
        "overflowing tensor": assemble({"document": tensor | {"shape": [2**32, 2**32, 8]}}),
        "negative offsets": assemble({"document": tensor | {"data_offsets": [-8, 0]}}),
        "overlapping tensors": assemble(
            {k: {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]} for k in ("document", "0")},
            b"\0" * 8,
        ),
        "bytes behind the end": assemble({}, b"\0" * 100),
        "pickle": b"cposix\nsystem\n(S'true'\ntR.",
        "zip": b"PK\x03\x04" + b"\0" * 100,
        "newer format": assemble({"__metadata__": {"skmeta_format": "2"}}),
        "a format of many digits": assemble({"__metadata__": {"skmeta_format": "9" * 10**6}}),
        "no format": assemble({"__metadata__": {"format": "pt"}}),
    }


def _hostile_documents() -> dict[str, bytes]:
    chain = [{"kind": "builtin:tuple", "of": []}]
    tuples = [*chain, *({"kind": "builtin:tuple", "of": [[i], [i]]} for i in range(60))]
    arrays = [{"kind": "numpy:array", "of": [[i]], "shape": [1]} for i in range(10**5)]
    lists = [{"kind": "builtin:list", "of": [[i]]} for i in range(10**5)]
    partials = [
        {"kind": "builtin:partial", "function": [0], "args": [[i]], "keywords": {}}
        for i in range(10**4)
    ]
    name = {"kind": "builtin:name", "name": 0}
    base, head = of_document([name], [RIDGE]), {"libraries": {}, "names": [], "objects": []}
    header, _, rest = take_apart(base)
    return {
        "no document": assemble({}),
        "document is no JSON": put_together(header, b"os.system", rest),
        "deep JSON": put_together(header, b"[" * 10**6, rest),
        "deep JSON in a list": put_together(header, b'{"a":' * 10**5 + b"1" + b"}" * 10**5, rest),
        "number of many digits": put_together(header, b'{"names":' + b"9" * 10**6 + b"}", rest),
        "no objects": put_together(header, head, rest),
        "objects are a number": put_together(header, head | {"objects": 3}, rest),
        "refers to itself": of_document([{"kind": "builtin:list", "of": [[0]]}]),
        "refers to what comes later": of_document([{"kind": "builtin:list", "of": [[1]]}] * 2),
        "unknown kind": of_document([{"kind": "builtin:pickle", "of": "x"}]),
        "kind of another module": of_document([{"kind": "os:system", "of": "x"}]),
        "a key that takes for ever": of_document(
            [*tuples, {"kind": "builtin:dict", "keys": [[60]], "values": [1]}]
        ),
        "nested lists": of_document([*chain, *lists]),
        "nested arrays": of_document([*chain, *arrays]),
        "nested partials": of_document([name, *partials], [RIDGE]),
        "a million empty lists": of_document([{"kind": "builtin:list", "of": [[]] * 10**6}]),
        "an array used twice": of_document(
            [{"kind": "numpy:array", "array": "0"}] * 2, **{"0": np.zeros(100)}
        ),
        "ten thousand distributions": of_document(
            [{"kind": "scipy:distribution", "name": "norm", "args": [], "keywords": {}}] * 10**4
        ),
        "a distribution that is none": of_document(
            [{"kind": "scipy:distribution", "name": "os", "args": [], "keywords": {}}]
        ),
    }


def _hostile_names(owned: str) -> dict[str, bytes]:
    call = [
        {"kind": "builtin:name", "name": 0},
        {"kind": "builtin:partial", "function": [0], "args": [f"touch {owned}"], "keywords": {}},
    ]
    names = ["os.system", "posix.system", "builtins.eval", "builtins.getattr", "subprocess.Popen"]
    names += ["skmeta.persistence.load", "skmeta.persistence._container.os", "sklearn.os.system"]
    names += ["numpy.load", "numpy.f2py.os.system", "torch.load", "torch.hub.load", "pickle.loads"]
    names += ["joblib.load", "sklearn.utils._joblib.joblib", "sklearn.datasets.fetch_openml"]
    names += [
        "../../etc/passwd",
        "..os.system",
        "skmeta...os",
        "skmeta.tests.x",
        ".",
        "",
        "a" * 10**5,
    ]
    names += ["sklearn.conftest.pytest", "torch.nn.modules.module.torch", "torch.optim.adam.cast"]
    names += [
        "\0.x",
        "skmeta.\0",
        "skmeta.nets.functional_call",
        "skmeta.episodic._estimator.deepcopy",
    ]
    cases = {f"calls {name[:40]!r}": of_document(call, [name]) for name in names}
    state = {"__cuda_dependent_attributes__": [0], "device": "cpu"}
    payload = b"cposix\nsystem\n(S'touch " + owned.encode() + b"'\ntR."
    net = [
        {"kind": "numpy:array", "array": "0"},
        {"kind": "objects:object", "class": 0, "state": state},
    ]
    cases["a net that unpickles"] = of_document(
        net, ["skmeta.episodic._net.EpisodicNet"], **{"0": np.frombuffer(payload, np.uint8)}
    )
    classes = ["sklearn.tree._tree.Tree", "numpy.ndarray", "builtins.type", "torch.optim.Adam"]
    classes += ["skmeta.TaskCollection", "numpy.float64", "torch.nn.modules.rnn.LSTM"]
    for name in classes:
        cases[f"an object of {name}"] = of_document(
            [{"kind": "objects:object", "class": 0, "state": {}}], [name]
        )
    layers = {"num_layers": 2**60, "bidirectional": False, "_all_weights": [0]}
    cases["a net of 2**60 layers"] = of_document(
        [
            {"kind": "builtin:list", "of": [1]},
            {"kind": "builtin:list", "of": [[0]]},
            {"kind": "torch:module", "class": 0, "state": layers | {"_all_weights": [1]}},
        ],
        ["torch.nn.modules.rnn.LSTM"],
    )
    return cases


def _hostile_indices() -> dict[str, bytes]:
    """Indices that point beyond the end, in objects whose compiled code does not look."""
    position = {"key": [0], "pos": 10**6}
    key = {"kind": "numpy:array", "array": "0"}
    random_state = [
        key,
        {"kind": "builtin:dict", "keys": list(position), "values": list(position.values())},
        {"kind": "builtin:dict", "keys": ["bit_generator", "state"], "values": ["MT19937", [1]]},
        {"kind": "numpy:random_state", "state": [2]},
    ]
    sparse = [
        {"kind": "numpy:array", "array": "0"},
        {"kind": "numpy:array", "array": "1"},
        {"kind": "numpy:array", "array": "2"},
        {
            "kind": "scipy:sparse",
            "class": "csr_array",
            "shape": [1, 3],
            "parts": {"data": [0], "indices": [1], "indptr": [2]},
        },
    ]
    return {
        "random numbers from behind the end": of_document(
            random_state, **{"0": np.zeros(624, np.uint32)}
        ),
        "a sparse matrix with a column far away": of_document(
            sparse,
            **{"0": np.ones(1), "1": np.array([10**9], np.int32), "2": np.array([0, 1], np.int32)},
        ),
    }


def _hostile_archives(owned: str) -> dict[str, bytes]:
    """skops files: bombs, calls, and classes that are not compiled."""

    def archive(schema: Any, compression: int = 0, **files: bytes) -> bytes:
        buffer = BytesIO()
        with ZipFile(buffer, "w", compression) as parts:
            text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
            parts.writestr("schema.json", text)
            for name, content in files.items():
                parts.writestr(name, content)
        return of_document(
            [{"kind": "sklearn:skops", "array": "0"}],
            **{"0": np.frombuffer(buffer.getvalue(), np.uint8)},
        )

    def node(module: str, name: str, loader: str, **more: Any) -> dict[str, Any]:
        about = {"__module__": module, "__class__": name, "__loader__": loader}
        return about | {"protocol": 2, "_skops_version": "0.16"} | more

    text = node("builtins", "str", "JsonNode", content=json.dumps(f"touch {owned}"), is_json=True)
    args = node("builtins", "tuple", "TupleNode", content=[text])
    ridge = node("sklearn.linear_model._ridge", "Ridge", "ObjectNode")
    return {
        "zip bomb": archive(b" " * 10**8, ZIP_DEFLATED),
        "archive with files": archive(ridge, **{"../../x.npy": b"x" * 10**6}),
        "archive of os.system": archive(
            node("os", "system", "ConstructorFromReduceNode", content=args)
        ),
        "archive of an estimator": archive(ridge),
        "archive of nothing": archive({}),
        "deep archive": archive(b"[" * 10**6),
        "no archive": of_document(
            [{"kind": "sklearn:skops", "array": "0"}], **{"0": np.zeros(100, np.uint8)}
        ),
    }


def _hostile_studies() -> dict[str, bytes]:
    """Studies that would be long work, or are none."""
    choices = {"name": "CategoricalDistribution", "attributes": {"choices": [*range(10**4)]}}
    trial = {"state": "COMPLETE", "values": [0.0], "times": ["2026-01-01"] * 2, "params": {"x": 1}}
    trial |= {"distributions": {"x": 0}, "intermediate": [], "attributes": [{}, {}]}

    def study(trials: str, distribution: Any = choices, n_directions: int = 1) -> bytes:
        entry = {"kind": "optuna:study", "name": "a", "directions": ["MAXIMIZE"] * n_directions}
        entry |= {"distributions": [json.dumps(distribution)], "trials": trials}
        return of_document([entry | {"attributes": "{}"}])

    return {
        "a study of many choices in many trials": study(json.dumps([trial] * 10**4)),
        "a study of no trials": study("3"),
        "a study of deep trials": study("[" * 10**6),
        "a study of a trial that is not finished": study(json.dumps([trial | {"values": None}])),
        "a study of another distribution": study("[]", {"name": "system", "attributes": {}}),
        "a study in many directions": study("[]", n_directions=10**6),
    }


# ---------------------------------------------------------------------- outcomes


def outcome(path: Path, expected: np.ndarray | None) -> str:
    """What comes of loading a file and predicting."""
    try:
        model = skmeta.load(path)
    except skmeta.PersistenceError:
        return "clear error"
    except Exception as error:
        return f"OTHER {type(error).__name__}: {error}"[:200]
    try:
        said = predict(model)
    except Exception:  # a changed parameter may be wrong, as one that a user sets
        return "another model"
    same = expected is not None and said.shape == expected.shape and np.array_equal(said, expected)
    return "equal" if same else "another model"


DAMAGE: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut off": truncate,
    "bits flipped": flip,
    "noise": noise,
    "bits flipped, sealed": flip_and_seal,
    "document changed, sealed": change_and_seal,
}


def cases(family: str, n_cases: int, folder: Path) -> Iterator[tuple[str, bytes, Any]]:
    """The files of a family, each with what it is called and what the whole file predicts."""
    if family == "by hand":
        for name, data in hostile(folder).items():
            yield name, data, None
        return
    whole = []
    for name, model in models().items():
        skmeta.save(model, folder / name)
        whole.append(((folder / name).read_bytes(), predict(model)))
    for i in range(n_cases):
        data, expected = whole[i % len(whole)]
        yield str(i), DAMAGE[family](data, random.Random(f"{family}{i}")), expected


def work(family: str, n_cases: int, start: int) -> None:
    """Run the cases of a family from `start` on, and print a line of JSON for each."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Libraries are loaded before memory and time are measured.
        for model in models().values():
            skmeta.save(model, folder / "warm")
            predict(skmeta.load(folder / "warm"))
        for i, (case, data, expected) in enumerate(cases(family, n_cases, folder)):
            if i < start:
                continue
            (folder / "case").write_bytes(data)
            print(json.dumps({"begins": i, "case": case}), flush=True)
            memory, begin = _restart_peak(), time.perf_counter()
            result = outcome(folder / "case", expected)
            if (folder / "owned").exists():
                result = "OTHER: code was run"
            line = {"seconds": time.perf_counter() - begin, "memory": _peak() - memory}
            print(json.dumps({"result": result, "case": case} | line), flush=True)


def _restart_peak() -> float:
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    """The most memory in use since the start or restart, in MB; Linux tells."""
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(line.split()[1]) / 1024


def run_family(family: str, n_cases: int) -> None:
    """Run the cases of a family in a process, and in another one after a crash; print a row."""
    results: Counter[str] = Counter()
    start, notes, slowest, largest = 0, [], (0.0, ""), (0.0, "")
    while True:
        command = [sys.executable, __file__, "--cases", str(n_cases)]
        command += ["--family", family, "--start", str(start)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        for line in map(json.loads, done.stdout.splitlines()):
            if "begins" in line:
                last = line
                continue
            kind = line["result"].split(":")[0].split()[0].replace("OTHER", "other")
            results[kind] += 1
            if kind == "other":
                notes.append(f"{line['case']}: {line['result']}")
            slowest = max(slowest, (line["seconds"], line["case"]))
            largest = max(largest, (line["memory"], line["case"]))
        if done.returncode == 0:
            break
        results["crash"] += 1
        notes.append(f"{last['case']}: the process ended with {done.returncode}")
        start = last["begins"] + 1
    counts = [results[k] for k in ("equal", "clear", "another", "other", "crash")]
    row = "".join(f"{n:8}" for n in counts)
    print(f"{family:26}{row}{largest[0]:9.0f}{slowest[0]:9.2f}  {largest[1]}; {slowest[1]}")
    for note in notes[:20]:
        print("   ", note)
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000, help="cases of each family of damage")
    parser.add_argument("--family", help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.family:
        work(options.family, options.cases, options.start)
        return
    heads = ("equal", "error", "another", "other", "crash")
    print(f"{'':26}{''.join(f'{h:>8}' for h in heads)}{'MB':>9}{'seconds':>9}  of which cases")
    for family in (*DAMAGE, "by hand"):
        run_family(family, options.cases)


if __name__ == "__main__":
    main()

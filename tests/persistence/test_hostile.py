"""A file that is damaged or hostile gives a clear error, whatever it is; nothing in it is run.

The cases are those of `benchmarks/fuzz_persistence.py`, which runs thousands of them.
"""

import importlib.util
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import skmeta
from skmeta import PersistenceError
from skmeta.datasets import make_linear_tasks

SOURCE = Path(__file__).parents[2] / "benchmarks" / "fuzz_persistence.py"
N_CASES = 60  # of each damage, for each model


def _load_module():
    spec = importlib.util.spec_from_file_location("fuzz_persistence", SOURCE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_persistence"] = module
    spec.loader.exec_module(module)
    return module


fuzz = _load_module()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    tasks = make_linear_tasks(8, 12, 3, noise=0.1, random_state=0)
    learners = {
        "linear": skmeta.MetaRidgeRegressor(),
        "tree": skmeta.MetaDecisionTreeRegressor(random_state=0),
        "net": skmeta.MAMLRegressor(max_epochs=1, random_state=0),
        "search": skmeta.MetaSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, random_state=0),
    }
    for name, learner in learners.items():
        model = learner.fit(tasks).fit_adapt(tasks[0].X, tasks[0].y)
        skmeta.save(model, folder / name)
    return {path: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_file_that_is_taken_apart_and_put_together_loads(files, tmp_path):
    for path, data in files.items():
        (tmp_path / "file").write_bytes(fuzz.put_together(*fuzz.take_apart(data)))
        loaded, model = skmeta.load(tmp_path / "file"), skmeta.load(path)
        assert np.array_equal(fuzz.predict(loaded), fuzz.predict(model))


@pytest.mark.parametrize("damage", fuzz.DAMAGE)
@pytest.mark.filterwarnings("ignore")  # of a changed version of scikit-learn, of a changed number
def test_damage(damage, files, tmp_path):
    changed, results = tmp_path / "changed", []
    for path, data in files.items():
        expected = fuzz.predict(skmeta.load(path))
        for i in range(N_CASES):
            changed.write_bytes(fuzz.DAMAGE[damage](data, random.Random(i)))
            results.append(fuzz.outcome(changed, expected))
    if damage.endswith("sealed"):
        assert set(results) <= {"clear error", "equal", "another model"}
    else:
        assert set(results) == {"clear error"}


def test_hostile_files(tmp_path):
    path = tmp_path / "file"
    for name, data in fuzz.hostile(tmp_path).items():
        path.write_bytes(data)
        with pytest.raises(PersistenceError) as caught:
            skmeta.load(path)
        assert len(str(caught.value)) < 2000, name
        assert not (tmp_path / "owned").exists(), name


def test_indices_that_compiled_code_would_follow(files, tmp_path):
    """Each node of a tree, each column: what points elsewhere is refused."""
    data = next(data for path, data in files.items() if path.name == "tree")
    header, document, rest = fuzz.take_apart(data)
    tree = next(entry for entry in document["objects"] if entry["kind"] == "sklearn:tree")
    for key, value in (("n_features", 1), ("n_outputs", 2), ("n_features", 10**9)):
        changed = tree[key]
        tree[key] = value
        (tmp_path / "file").write_bytes(fuzz.put_together(header, document, rest))
        with pytest.raises(PersistenceError):
            skmeta.load(tmp_path / "file")
        tree[key] = changed


def test_support_vectors_that_do_not_fit(tmp_path):
    from sklearn.svm import SVR

    model = SVR().fit(np.eye(4), np.arange(4.0))
    model._n_support = np.array([10**6, 0], dtype=np.int32)
    skmeta.save(model, tmp_path / "file")
    with pytest.raises(PersistenceError, match="support vectors"):
        skmeta.load(tmp_path / "file")


def test_an_unreadable_path(tmp_path):
    with pytest.raises(FileNotFoundError):
        skmeta.load(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        skmeta.load(tmp_path)
    with pytest.raises(PersistenceError, match="regular"):
        skmeta.load("/dev/zero")

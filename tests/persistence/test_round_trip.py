"""What can be saved besides the learners themselves, and what is said of what cannot."""

from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from scipy.stats import loguniform
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestRegressor,
)
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

import skmeta
from skmeta.datasets import make_linear_tasks
from skmeta.nets import MLP

TASKS = make_linear_tasks(8, 12, 3, noise=0.1, random_state=0)
X, Y = TASKS[0].X, TASKS[0].y


class Holder(BaseEstimator):
    """An estimator with one parameter, which may be anything."""

    def __init__(self, thing=None):
        self.thing = thing


def again(estimator, folder, trusted=()):
    skmeta.save(estimator, folder / "file")
    return skmeta.load(folder / "file", trusted=trusted)


def thing_again(thing, folder):
    return again(Holder(thing), folder, trusted=[Holder]).thing


# ---------------------------------------------------------------------- values


@pytest.mark.parametrize(
    "thing",
    [
        None,
        True,
        0,
        -(10**30),
        0.1,
        1e-320,
        float("inf"),
        "",
        "ünï\0code\ud800",
        [],
        [1, [2.5, None]],
        (1, ("a",)),
        pytest.param({1, "a"}, id="a set (whose repr changes from process to process)"),
        frozenset({2.5}),
        {"a": 1, 2: [3], (4, "b"): None, None: 0.5},
        slice(1, None, 2),
        np.float32,
        np.log1p,
        int,
        torch.float16,
        torch.Size([2, 3]),
        torch.device("cpu"),
        np.dtype("<f8"),
        np.dtype([("a", "<i4"), ("b", "<U3")]),
        np.float64(0.1),
        np.int8(-3),
        np.str_("ab"),
        np.str_(""),
        np.datetime64("2020-02-29"),
    ],
    ids=repr,
)
def test_a_value(thing, tmp_path):
    loaded = thing_again(thing, tmp_path)
    assert loaded == thing
    assert type(loaded) is type(thing)


def test_nan(tmp_path):
    assert np.isnan(thing_again(float("nan"), tmp_path))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
        np.arange(5, dtype=">i4"),
        np.array(3.5),
        np.empty((0, 3)),
        np.array(["a", "bcd"]),
        np.array([b"x", b"yz"]),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.array([1 + 2j]),
        np.array([(1, "a")], dtype=[("n", "<i8"), ("s", "<U2")]),
        np.array([None, "a", 2.5, [1, 2]], dtype=object),
        np.array([["a", None], [1, 2]], dtype=object),
        np.ones(1000, dtype=np.float16),
        np.zeros(3, dtype=bool),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_an_array(array, tmp_path):
    loaded = thing_again(array, tmp_path)
    assert_array_equal(loaded, array)
    assert (loaded.dtype, loaded.shape) == (array.dtype, array.shape)
    assert loaded.flags.writeable
    assert loaded.flags.f_contiguous == array.flags.f_contiguous or not array.flags.forc


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0).reshape(2, 3),
        torch.arange(6.0).reshape(2, 3).T,
        torch.tensor(2.5, dtype=torch.bfloat16),
        torch.ones(3, 4, dtype=torch.bfloat16),
        torch.ones(2, 1).expand(2, 3),
        torch.ones(3, requires_grad=True),
        torch.empty(0, 3, dtype=torch.int64),
        torch.nn.Parameter(torch.ones(2)),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{tuple(tensor.shape)}",
)
def test_a_tensor(tensor, tmp_path):
    loaded = thing_again(tensor, tmp_path)
    assert type(loaded) is type(tensor)
    assert loaded.dtype == tensor.dtype
    assert loaded.requires_grad == tensor.requires_grad
    assert torch.equal(loaded, tensor)


def test_random_numbers_go_on(tmp_path):
    for source in (np.random.RandomState(3), np.random.default_rng(3)):
        source.normal(size=3)
        assert_array_equal(thing_again(source, tmp_path).normal(size=9), source.normal(size=9))


def test_sparse_matrices_and_distributions(tmp_path):
    matrix = sparse.random_array((5, 4), density=0.5, format="csr", rng=0)
    assert (thing_again(matrix, tmp_path) != matrix).nnz == 0
    space = thing_again({"C": loguniform(1e-3, 1e3)}, tmp_path)
    assert space["C"].rvs(random_state=0) == loguniform(1e-3, 1e3).rvs(random_state=0)


def test_what_is_shared_stays_shared(tmp_path):
    array = np.arange(3.0)
    first, second, nested = thing_again([array, array, {"x": (array,)}], tmp_path)
    assert first is second is nested["x"][0]


# ---------------------------------------------------------------------- estimators


@pytest.mark.parametrize(
    "regressor",
    [
        Ridge(),
        RandomForestRegressor(n_estimators=3, random_state=0),
        GradientBoostingRegressor(n_estimators=3, random_state=0),
        make_pipeline(StandardScaler(), Ridge()),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_parts_of_scikit_learn(regressor, tmp_path):
    model = skmeta.PooledRegressor(regressor).fit(TASKS)
    assert_array_equal(again(model, tmp_path).predict(X), model.predict(X))


def test_histograms_of_categories(tmp_path):
    table = np.column_stack([np.arange(60) % 4, np.linspace(-1, 1, 60)])
    model = HistGradientBoostingClassifier(categorical_features=[0], max_iter=3)
    model.fit(table, np.arange(60) % 3)
    assert_array_equal(again(model, tmp_path).predict_proba(table), model.predict_proba(table))


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_support_vectors(kernel, tmp_path):
    for y in (np.arange(12) % 2, np.arange(12) % 3):
        model = SVC(kernel=kernel).fit(X, y)
        loaded = again(model, tmp_path)
        assert_array_equal(loaded.decision_function(X), model.decision_function(X))


def test_views_and_pipelines(tmp_path):
    meta = skmeta.MetaRidgeRegressor().fit(TASKS)
    few_shot = skmeta.FewShotRegressor(meta)
    pipe = make_pipeline(StandardScaler(), few_shot).fit(X, Y)
    table = np.column_stack([TASKS.row_task, TASKS.X])
    taskwise = skmeta.TaskwiseRegressor(skmeta.MetaRidgeRegressor(), task=0).fit(table, TASKS.y)
    assert_array_equal(
        again(few_shot, tmp_path).fit(X, Y).predict(X), few_shot.fit(X, Y).predict(X)
    )
    assert_array_equal(again(pipe, tmp_path).predict(X), pipe.predict(X))
    assert_array_equal(again(taskwise, tmp_path).predict(table), taskwise.predict(table))


def test_a_data_frame_leaves_its_names(tmp_path):
    pd = pytest.importorskip("pandas")
    df = pd.DataFrame(TASKS.X, columns=["dose", "age", "weight"])
    df["ward"] = np.where(df["dose"] > 0, "north", None)
    meta = skmeta.MetaRidgeRegressor().fit(df, TASKS.y, task_id=TASKS.row_task)
    loaded = again(meta, tmp_path)
    assert_array_equal(loaded.predict(df), meta.predict(df))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(df.rename(columns={"age": "years"}))


def test_a_module_of_our_own_and_of_torch(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    for module in (partial(MLP, hidden_sizes=(4,)), net, MLP):
        meta = skmeta.RidgeHeadRegressor(module=module, max_epochs=1, random_state=0).fit(TASKS)
        assert_array_equal(again(meta, tmp_path).predict(X), meta.predict(X))


def test_a_kept_stream_is_saved_too(tmp_path):
    meta = skmeta.MAMLRegressor(max_epochs=1, buffer_size=4, random_state=0).partial_fit(TASKS[:3])
    loaded = again(meta, tmp_path)
    assert_array_equal(
        loaded.partial_fit(TASKS[3:]).predict(X), meta.partial_fit(TASKS[3:]).predict(X)
    )


# ---------------------------------------------------------------------- what cannot be saved


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (FunctionTransformer(lambda X: X), "Lambdas and local functions"),
        (KNeighborsRegressor(algorithm="kd_tree").fit(X, Y), "KDTree cannot be saved"),
        (Holder(open), "cannot be saved"),
        (Holder(b"bytes"), "bytes cannot be saved"),
        (Holder(iter(range(3))), "range_iterator cannot be saved"),
        ({"not": "an estimator"}, "must be an estimator"),
    ],
)
def test_what_cannot_be_saved(estimator, words, tmp_path):
    path = tmp_path / "file"
    path.write_text("as it was")
    if words == "cannot be saved":  # builtins.open can be named, but is not trusted
        skmeta.save(estimator, tmp_path / "other")
        with pytest.raises(skmeta.PersistenceError, match="open"):
            skmeta.load(tmp_path / "other")
        return
    with pytest.raises(skmeta.PersistenceError, match=words):
        skmeta.save(estimator, path)
    assert path.read_text() == "as it was"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_holds_itself(tmp_path):
    loop = Holder([])
    loop.thing.append(loop)
    with pytest.raises(skmeta.PersistenceError, match="holds itself"):
        skmeta.save(loop, tmp_path / "file")
    deep = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(skmeta.PersistenceError, match="too deeply"):
        skmeta.save(Holder(deep), tmp_path / "file")


def test_kernels_are_objects_too(tmp_path):
    kernel = thing_again(RBF(2.0) + WhiteKernel(0.1), tmp_path)
    assert kernel == RBF(2.0) + WhiteKernel(0.1)
    assert_array_equal(kernel(X), (RBF(2.0) + WhiteKernel(0.1))(X))


def test_a_classifier_with_weights_of_classes(tmp_path):
    model = LogisticRegression(class_weight={0: 1.0, 1: 2.0}).fit(X, np.arange(12) % 2)
    assert again(model, tmp_path).get_params() == model.get_params()

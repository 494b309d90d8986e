"""Meta-features: known values, robustness, and one set of names for all datasets."""

import builtins
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from skmeta.model_selection import metafeatures


def described(X, y, **options):
    values, names = metafeatures(X, y, **options)
    assert values.dtype == np.float64
    assert values.shape == (len(names),)
    return dict(zip(names, values, strict=True))


def mixed_table(n_rows=60):
    return pd.DataFrame(
        {
            "number": [1.0, None, 3.0] * (n_rows // 3),
            "word": ["x", "y", None] * (n_rows // 3),
            "same": [1.0] * n_rows,
            "empty": [np.nan] * n_rows,
        }
    )


class TestKnownValues:
    def test_sizes_and_shares(self):
        found = described(mixed_table(), ["u", "v"] * 30, groups=["simple"])
        assert_allclose(np.exp(found["log_rows"]), 60)
        assert_allclose(np.exp(found["log_columns"]), 4)
        assert_allclose(np.exp(found["log_classes"]), 2)
        assert found["share_categorical"] == 0.25
        assert_allclose(found["share_missing"], (20 + 20 + 60) / 240)
        assert found["share_constant"] == 0.5
        assert found["minority_share"] == 0.5

    def test_shape_of_a_distribution(self):
        x = np.random.default_rng(0).normal(size=(5000, 1))
        found = described(x, x[:, 0] ** 2, groups=["statistical"], max_rows=5000)
        assert found["log_kurtosis"] == pytest.approx(np.log(3), abs=0.05)
        assert found["log_skewness"] == pytest.approx(0, abs=0.05)
        assert found["target_skewness"] == pytest.approx(np.sqrt(8), rel=0.2)

    def test_correlation_and_components(self):
        z = np.random.default_rng(0).normal(size=(1000, 1))
        found = described(np.hstack([z, -z, 2 * z, z + 1]), z[:, 0] > 0, groups=["statistical"])
        assert found["mean_correlation"] == pytest.approx(1)
        assert found["share_components"] == 0.25

    def test_information(self):
        """A copy of the target tells all of it, an independent column nothing."""
        rng = np.random.default_rng(0)
        y = rng.integers(0, 2, 1000)
        found = described(np.column_stack([y, rng.random(1000)]), y, groups=["information"])
        assert found["target_entropy"] == pytest.approx(1, abs=0.01)
        assert found["max_information"] == pytest.approx(1, abs=0.01)
        assert found["mean_information"] == pytest.approx(0.5, abs=0.01)

    def test_landmarkers(self):
        """A step is easy for a stump, a line for ridge, and noise for nobody."""
        rng = np.random.default_rng(0)
        x = rng.uniform(-1, 1, size=(300, 1))
        step = described(x, x[:, 0] > 0.2, groups=["landmarking"])
        line = described(x, 3 * x[:, 0], groups=["landmarking"])
        noise = described(x, rng.normal(size=300), groups=["landmarking"])
        assert step["stump_skill"] > 0.95
        assert line["linear_skill"] > 0.95 > line["stump_skill"]
        assert np.isnan(line["naive_bayes_skill"])
        assert noise["linear_skill"] < 0.1
        assert noise["nearest_skill"] >= -1


class TestRobustness:
    def test_names_are_the_same_for_all(self):
        found = [
            metafeatures(*load_iris(return_X_y=True)).names,
            metafeatures(*load_diabetes(return_X_y=True)).names,
            metafeatures(mixed_table(), ["u", "v"] * 30).names,
        ]
        assert found[0] == found[1] == found[2]

    def test_kind_of_the_target(self):
        X, y = load_diabetes(return_X_y=True)
        assert described(X, y, groups=["simple"])["is_classification"] == 0
        assert described(X, y.astype(int), groups=["simple"])["is_classification"] == 0
        assert described(X, y > 100, groups=["simple"])["is_classification"] == 1
        chosen = described(X, y.astype(int), groups=["simple"], kind="classification")
        assert chosen["is_classification"] == 1

    @pytest.mark.parametrize(
        ("X", "y"),
        [
            (np.ones((5, 2)), np.arange(5) / 3),
            (np.ones((5, 2)), np.ones(5)),
            (np.random.default_rng(0).random((5, 2)), list("abcde")),
            (np.full((4, 1), np.nan), [0, 1, 0, 1]),
            (mixed_table(3), [0.1, 0.2, 0.3]),
        ],
    )
    def test_degenerate_tables(self, X, y):
        found = described(X, y)
        assert np.isfinite(found["log_rows"])
        assert not np.isinf(list(found.values())).any()

    def test_units_and_order_of_columns_do_not_matter(self):
        X, y = load_breast_cancer(return_X_y=True)
        scaled = X[:, ::-1] * 2.0 ** np.arange(X.shape[1]) + 0.0
        one, other = described(X, y), described(scaled, y)
        for name in set(one) - {"share_integer"}:
            assert other[name] == pytest.approx(one[name], abs=0.02, nan_ok=True), name

    @settings(max_examples=15, deadline=None)
    @given(st.integers(2, 30), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**16))
    def test_any_table(self, n_rows, n_columns, n_classes, seed):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n_rows, n_columns)).round(1)
        X[rng.random(X.shape) < 0.2] = np.nan
        found = described(X, rng.integers(n_classes, size=n_rows).astype(str))
        assert not np.isinf(list(found.values())).any()

    def test_it_repeats(self):
        X = np.random.default_rng(0).normal(size=(3000, 3))
        found = [metafeatures(X, X[:, 0] > 0).values for _ in range(2)]
        assert_array_equal(*found)

    def test_it_is_fast(self):
        """A lenient bound: machines differ."""
        X = np.random.default_rng(0).normal(size=(20_000, 30))
        start = time.perf_counter()
        metafeatures(X, X[:, 0] + X[:, 1] > 0)
        assert time.perf_counter() - start < 5


class TestPymfe:
    def test_its_meta_features(self):
        pytest.importorskip("pymfe", reason="pymfe is not installed")
        values, names = metafeatures(*load_iris(return_X_y=True), source="pymfe")
        found = dict(zip(names, values, strict=True))
        assert found["nr_inst"] == 150
        assert found["nr_class"] == 3

    def test_a_clear_error_without_it(self, monkeypatch):
        plain = builtins.__import__

        def without(name, *args, **kwargs):
            if name.startswith("pymfe"):
                raise ImportError(name)
            return plain(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(ImportError, match="pip install pymfe"):
            metafeatures(*load_iris(return_X_y=True), source="pymfe")

    def test_regression(self):
        pytest.importorskip("pymfe", reason="pymfe is not installed")
        with pytest.raises(ValueError, match="knows classification only"):
            metafeatures(*load_diabetes(return_X_y=True), source="pymfe")


def test_errors():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"groups must be among .* got \['size'\]"):
        metafeatures(X, y, groups=["size"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        metafeatures(X, y[:-1])
    with pytest.raises(ValueError, match="'source' parameter"):
        metafeatures(X, y, source="else")
    with pytest.raises(ValueError, match="NaN"):
        metafeatures(X, np.where(y == 0, np.nan, y))

"""The default preprocessor on real tables."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmeta.base import TablePreprocessor


@parametrize_with_checks([TablePreprocessor()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def _frame(library):
    columns = {
        "age": [20, 30, 40, 50],
        "dose": [1.0, None, 3.0, None],
        "smokes": [True, False, True, True],
        "ward": ["a", None, "b", "a"],
    }
    return library.DataFrame(columns)


@pytest.mark.parametrize("library", [pd, pl])
def test_numbers_and_strings(library):
    X = _frame(library)
    encoder = TablePreprocessor().fit(X)
    assert_array_equal(encoder.is_categorical_, [False, False, False, True])
    Z = encoder.transform(X)
    assert Z.dtype == float
    names = ["age", "dose", "smokes", "missingindicator_dose", "ward_a", "ward_b", "ward_None"]
    assert_array_equal(encoder.get_feature_names_out(), names)
    assert_allclose(Z[:, :4].mean(axis=0), 0, atol=1e-12)
    assert_array_equal(Z[:, 4:], [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "category", "string"])
def test_pandas_own_types_with_gaps(dtype):
    values = {
        "category": ["a", None, "b"],
        "string": ["a", None, "b"],
        "boolean": [True, None, False],
    }
    column = pd.array(values.get(dtype, [1, None, 3]), dtype=dtype)
    Z = TablePreprocessor().fit_transform(pd.DataFrame({"x": column}))
    assert np.isfinite(Z).all()
    assert Z.shape == (3, 3 if dtype in ("category", "string") else 2)


def test_object_columns_with_every_kind_of_gap():
    X = np.array([["a", 1.0], [None, None], ["b", pd.NA], [np.nan, 2]], dtype=object)
    encoder = TablePreprocessor().fit(X)
    assert_array_equal(encoder.is_categorical_, [True, False])
    Z = encoder.transform(X)
    assert_array_equal(Z[1, 2:], Z[3, 2:])  # None and NaN are the same gap


def test_unseen_and_rare_categories():
    X = pd.DataFrame({"ward": ["a"] * 9 + ["b"] * 8 + list("cdef")})
    encoder = TablePreprocessor(max_categories=3).fit(X)
    Z = encoder.transform(pd.DataFrame({"ward": ["a", "c", "unseen", None]}))
    assert_array_equal(Z, [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (pd.DataFrame({"day": pd.to_datetime(["2020-01-01"])}), TypeError, "'day' holds dates"),
        (pd.DataFrame({"x": [np.inf]}), ValueError, "'x' of X contains infinity"),
        (np.array([["a"], [{"b": 1}]], dtype=object)[1:], TypeError, "string or a real number"),
    ],
)
def test_what_cannot_be_encoded(X, error, message):
    with pytest.raises(error, match=message):
        TablePreprocessor().fit(X)


def test_a_string_where_numbers_were():
    encoder = TablePreprocessor().fit(pd.DataFrame({"x": [1.0, 2.0]}))
    with pytest.raises(ValueError, match="Column 'x' held numbers in training"):
        encoder.transform(pd.DataFrame({"x": ["high"]}))

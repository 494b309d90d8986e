"""Weights at numbers of shots that were not tried."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skmeta import MetaRidgeRegressor, MetaStackingRegressor
from skmeta.datasets import make_linear_tasks
from skmeta.ensemble._between_shots import extrapolate, interpolate

IGNORES = np.array([True, False, False])


def test_interpolation_passes_through_the_knots_and_stays_at_the_ends():
    shots, values = np.array([0, 5, 10]), np.array([[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]])
    for n_rows, row in zip(shots, values, strict=True):
        np.testing.assert_allclose(interpolate(n_rows, shots, values), row)
    np.testing.assert_allclose(interpolate(99, shots, values), values[-1])
    assert 0.2 < interpolate(7, shots, values)[0] < 0.5


def test_what_ignores_the_support_is_worth_a_number_of_rows():
    # Half the weight at 5 rows: worth 5 rows, so a fifth of the weight at 20.
    found = extrapolate(np.array([0.5, 0.25, 0.25]), IGNORES, growth=20 / 5)
    np.testing.assert_allclose(found, [0.2, 0.4, 0.4])


@pytest.mark.parametrize("weights", [[1.0, 0.0, 0.0], [0.0, 0.3, 0.7], [0.0, 0.0, 0.0]])
def test_what_has_no_or_all_weight_keeps_it(weights):
    np.testing.assert_array_equal(extrapolate(np.array(weights), IGNORES, 9.0), weights)


@given(
    weights=st.lists(st.floats(0.01, 2), min_size=3, max_size=3).map(np.array),
    growth=st.floats(1, 1e6),
)
def test_the_sum_stays_and_the_share_falls(weights, growth):
    found = extrapolate(weights, IGNORES, growth)
    assert found.sum() == pytest.approx(weights.sum())
    assert found[0] <= weights[0] * (1 + 1e-12)
    assert found[1] / found[2] == pytest.approx(weights[1] / weights[2])


def test_a_mixture_trusts_more_rows_than_it_was_tried_on():
    tasks = make_linear_tasks(n_tasks=30, n_rows=30, random_state=0)
    meta = MetaStackingRegressor([("ridge", MetaRidgeRegressor())], shots=[2]).fit(tasks[:20])
    meta.weights_ = np.array([[0.5, 0.5]])  # as if the pooled model were as good
    new = tasks[25]
    near, far = (meta.fit_adapt(new.X[:k], new.y[:k]) for k in (2, 18))
    np.testing.assert_allclose(near._weights, [0.5, 0.5])
    np.testing.assert_allclose(far._weights, [0.1, 0.9])

"""Sums over the rows of linear tasks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from linear_tasks import ragged
from numpy.testing import assert_allclose, assert_array_equal

from skmeta.linear_model._learn_prior import learn_prior
from skmeta.linear_model._statistics import LinearStatistics


class TestLinearStatistics:
    def test_sums_over_each_task(self):
        Z, y, offsets = ragged()
        statistics = LinearStatistics.from_rows(Z, y, offsets)
        for t, (start, stop) in enumerate(pairwise(offsets)):
            rows, targets = Z[start:stop], y[start:stop]
            assert_allclose(statistics.gram[t], rows.T @ rows, atol=1e-12)
            assert_allclose(statistics.moment[t], rows.T @ targets, atol=1e-12)
            assert_allclose(statistics.energy[t], targets @ targets, atol=1e-12)
        assert_array_equal(statistics.n_rows, np.diff(offsets))

    def test_small_blocks_change_nothing(self, monkeypatch):
        Z, y, offsets = ragged()
        whole = LinearStatistics.from_rows(Z, y, offsets)
        before = learn_prior(whole)
        monkeypatch.setattr("skmeta.linear_model._blocks.BLOCK", 20)
        assert_allclose(LinearStatistics.from_rows(Z, y, offsets).gram, whole.gram, rtol=1e-12)
        assert_allclose(learn_prior(whole).prior.covariance, before.prior.covariance, rtol=1e-6)

    def test_appended_tasks(self):
        Z, y, offsets = ragged()
        both = LinearStatistics.from_rows(Z, y, offsets)
        cut = offsets[3]
        first = LinearStatistics.from_rows(Z[:cut], y[:cut], offsets[:4])
        second = LinearStatistics.from_rows(Z[cut:], y[cut:], offsets[3:] - cut)
        joined = first + second
        assert len(joined) == len(both)
        assert_allclose(joined.gram, both.gram)
        assert_array_equal(joined[3:].n_rows, second.n_rows)

    def test_different_features_do_not_append(self):
        narrow = LinearStatistics.from_rows(np.ones((1, 1)), np.ones(1), [0, 1])
        wide = LinearStatistics.from_rows(np.ones((1, 2)), np.ones(1), [0, 1])
        with pytest.raises(ValueError, match="same number of features: got 1 and 2"):
            narrow + wide

    @pytest.mark.parametrize(
        ("Z", "y", "offsets", "message"),
        [
            (np.ones(3), np.ones(3), [0, 3], "Z must be 2-D"),
            (np.ones((3, 1)), np.ones(2), [0, 3], "one value per row"),
            (np.ones((3, 1)), np.ones(3), [0, 2], "from 0 to the number of rows, 3"),
            (np.ones((3, 1)), np.ones(3), [], "from 0 to the number of rows, 3"),
            (np.ones((3, 1)), np.ones(3), [0, 2, 1, 3], "must not decrease"),
        ],
    )
    def test_bad_rows(self, Z, y, offsets, message):
        with pytest.raises(ValueError, match=message):
            LinearStatistics.from_rows(Z, y, offsets)

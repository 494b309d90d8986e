import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from skmeta.datasets import make_prior_tables


def test_shapes_widths_and_classes():
    tables = make_prior_tables(60, n_features=(3, 8), n_classes=(2, 4), n_rows=30, random_state=0)
    assert len(tables) == 60
    assert not tables.shared_target
    assert set(tables.widths) == set(range(3, 9))
    assert set(tables.sizes) == {30}
    assert {int(task.y.max()) + 1 for task in tables} == {2, 3, 4}
    assert all(np.isfinite(task.X).all() for task in tables)


def test_one_seed_one_result():
    first, longer = (make_prior_tables(n, n_rows=20, random_state=3) for n in (5, 8))
    for a, b in zip(first, longer, strict=False):
        assert_array_equal(a.X, b.X)
        assert_array_equal(a.y, b.y)
    other = make_prior_tables(5, n_rows=20, random_state=4)
    assert other[0].X.shape != first[0].X.shape or not np.allclose(other[0].X, first[0].X)


@pytest.mark.parametrize("mechanism", ["graph", "trees"])
def test_classes_are_balanced(mechanism):
    tables = make_prior_tables(60, n_rows=60, mechanism=mechanism, random_state=0)
    for task in tables:
        counts = np.bincount(task.y)
        assert counts.min() >= 2
        assert counts.max() <= 3.2 * counts.mean()


def test_the_smallest_tables():
    for task in make_prior_tables(30, 1, 6, n_rows=12, random_state=0):
        assert_array_equal(np.unique(task.y), np.arange(6))


def test_numbers_are_standardised():
    for task in make_prior_tables(10, n_classes=None, random_state=0):
        assert_allclose([task.y.mean(), task.y.std()], [0.0, 1.0], atol=1e-9)


@pytest.mark.parametrize("mechanism", ["graph", "trees"])
@pytest.mark.parametrize("n_classes", [(2, 4), None])
def test_there_is_something_to_learn(mechanism, n_classes):
    """In most tables, though not in all, a forest beats the majority, or the mean."""
    forest = RandomForestRegressor if n_classes is None else RandomForestClassifier
    gains = []
    for task in make_prior_tables(
        20, n_classes=n_classes, n_rows=200, mechanism=mechanism, random_state=0
    ):
        model = forest(n_estimators=20, random_state=0).fit(task.X[:150], task.y[:150])
        trivial = 0.0 if n_classes is None else np.bincount(task.y[150:]).max() / 50
        gains.append(model.score(task.X[150:], task.y[150:]) - trivial)
    assert np.mean(np.array(gains) > 0.02) > 0.6
    assert np.mean(gains) < 0.7  # and it is not trivial


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_features": (5, 3)}, "n_features"),
        ({"n_features": (1.5, 3)}, "n_features"),
        ({"n_classes": (1, 3)}, "n_classes"),
        ({"n_classes": (2, 3, 4)}, "n_classes"),
        ({"n_rows": 8}, "n_rows=8 for 6 classes"),
        ({"mechanism": "forest"}, "mechanism"),
    ],
)
def test_clear_errors(options, message):
    with pytest.raises(ValueError, match=message):
        make_prior_tables(2, **options)

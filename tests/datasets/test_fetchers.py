"""What fetchers make of small files in the format of the public ones."""

import re

import numpy as np
import pandas as pd
import pytest
from remote_files import movielens_zip, omniglot_zip, serving

from skmeta import MetaRidgeRegressor, PrototypeClassifier, make_n_way_tasks
from skmeta.datasets import _movielens, _omniglot, fetch_movielens, fetch_omniglot


@pytest.fixture
def omniglot(tmp_path, monkeypatch):
    """Where small alphabets lie; only the first call can download them."""
    with serving(omniglot_zip()) as site:
        monkeypatch.setitem(_omniglot.FILES, "background", site.file("omniglot.zip"))
        fetch_omniglot(data_home=tmp_path)
    return tmp_path


def test_omniglot_has_a_task_for_each_alphabet(omniglot):
    tasks = fetch_omniglot(data_home=omniglot)
    assert tasks.names.tolist() == ["Arcadian", "Greek"]
    assert tasks.sizes.tolist() == [6, 4]
    assert tasks[1].y.tolist() == [3, 3, 4, 4]
    assert not tasks.shared_target
    assert tasks.X.dtype == np.float32


def test_omniglot_is_ink_on_paper(omniglot):
    large = fetch_omniglot(data_home=omniglot, image_size=105)[0]
    assert np.unique(large.X).tolist() == [0, 1]
    first = large.X[0].reshape(105, 105)
    assert first.sum() == 15 * 94
    assert first[15:30, 1:95].all()
    small = fetch_omniglot(data_home=omniglot, image_size=21)[0]
    areas = first.reshape(21, 5, 21, 5).mean(axis=(1, 3))
    assert np.abs(small.X[0].reshape(21, 21) - areas).max() <= 0.5 / 255 + 1e-6


def test_omniglot_gives_n_way_tasks(omniglot):
    alphabets = fetch_omniglot(data_home=omniglot, image_size=7)
    tasks = make_n_way_tasks(
        alphabets.X, alphabets.y, n_way=5, n_support=1, n_query=1, n_tasks=3, random_state=0
    )
    meta = PrototypeClassifier(max_epochs=1, train_split=None, random_state=0).fit(tasks)
    support, query = tasks[0].X[:5], tasks[0].X[5:]
    assert meta.fit_adapt(support, np.arange(5)).predict(query).shape == (5,)


@pytest.fixture
def movielens(tmp_path, monkeypatch):
    with serving(movielens_zip()) as site:
        monkeypatch.setattr(_movielens, "FILE", site.file("movielens.zip"))
        fetch_movielens(data_home=tmp_path)
    return tmp_path


def test_movielens_has_a_task_for_each_user(movielens):
    tasks = fetch_movielens(data_home=movielens)
    assert tasks.names.tolist() == [1, 2]
    assert tasks[0].y.tolist() == [4, 2]  # in the order of rating, not of the file
    expected = pd.DataFrame(
        {
            "year": [1994.0, np.nan],
            "unknown": [0, 1],
            "Action": [0, 0],
            "Drama": [1, 0],
            "age": [24, 24],
            "gender": ["M", "M"],
            "occupation": ["technician", "technician"],
        }
    )
    pd.testing.assert_frame_equal(tasks[0].X.reset_index(drop=True), expected)
    assert tasks[1].X["year"].tolist() == [1995.0, 1994.0]


def test_movielens_numbers_its_films(movielens):
    tasks = fetch_movielens(data_home=movielens, movie_numbers=True)
    assert tasks.X["movie"].tolist() == [2, 3, 1, 2]


def test_learners_take_movielens(movielens):
    tasks = fetch_movielens(data_home=movielens)
    model = MetaRidgeRegressor().fit(tasks).fit_adapt(tasks[0].X, tasks[0].y)
    assert model.predict(tasks[1].X).shape == (2,)


@pytest.mark.parametrize(
    "file", [*_omniglot.FILES.values(), _movielens.FILE], ids=lambda file: file.name
)
def test_addresses_and_checksums_are_whole(file):
    assert re.fullmatch(r"https://[\w./-]+\.zip", file.url)
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)


@pytest.mark.parametrize(
    ("fetch", "options"),
    [
        (fetch_omniglot, {"subset": "test"}),
        (fetch_omniglot, {"image_size": 106}),
        (fetch_movielens, {"n_retries": -1}),
    ],
)
def test_bad_options_are_errors(fetch, options):
    with pytest.raises(ValueError, match=f"The '{next(iter(options))}' parameter"):
        fetch(**options)

"""MovieLens 100K: ratings of films, each user a task."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from sklearn.utils._param_validation import validate_params

from skmeta.datasets._remote import FETCH_CONSTRAINTS, RemoteFile, fetch_file, import_extra
from skmeta.tasks import TaskCollection

# SHA-256 as published in tensorflow_datasets/url_checksums/movielens.txt; the file has been the
# same since 1998.
FILE = RemoteFile(
    "ml-100k.zip",
    "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
    "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
)
_OF_MOVIE = ["movie", "title", "released", "on_video", "url"]  # and a column for each genre


@validate_params(
    {"movie_numbers": ["boolean"], **FETCH_CONSTRAINTS}, prefer_skip_nested_validation=True
)
def fetch_movielens(
    *,
    movie_numbers: bool = False,
    data_home: Any = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
) -> TaskCollection:
    """Ratings of films from one to five, to recommend films to a new user (MovieLens 100K).

    =================   ==============================================
    Tasks               943 users
    Rows                100,000 ratings, 20 to 737 of each user
    Features            23, of mixed types, with gaps
    Download            4.9 MB
    Terms               research; see the README in the file
    =================   ==============================================

    A row is a film that a user has rated: the year of its release and its genres, and the user's
    age, gender and occupation. The rows of a user are in the order of rating, so the first ones
    are what is known of a new user.

    Parameters
    ----------
    movie_numbers : bool, default=False
        Whether to add a column `movie`, which numbers the films: for popularity and matrix
        factorisation. It is no feature for a learner.
    data_home : str, path-like or None, default=None
        Folder for downloads, as for scikit-learn's fetchers: by default `~/scikit_learn_data`, or
        what the environment variable `SCIKIT_LEARN_DATA` says. Files lie in its folder `skmeta`.
    download_if_missing : bool, default=True
        If False, a file that is not there is an error.
    n_retries : int, default=3
        How often a download is tried again.

    Returns
    -------
    tasks : TaskCollection
        Its `X` is a pandas data frame. The tasks are named by the users' numbers.

    Raises
    ------
    OSError
        If the file is neither there nor to be had. The message says how to bring it by hand.
    ImportError
        If pandas or, to download, pooch is missing: `pip install 'skmeta[fetch]'`.

    References
    ----------
    .. [1] Harper & Konstan (2015). The MovieLens datasets: history and context. ACM Transactions
       on Interactive Intelligent Systems 5 (4). https://grouplens.org/datasets/movielens/100k/

    Examples
    --------
    >>> from skmeta.datasets import fetch_movielens
    >>> fetch_movielens()  # doctest: +SKIP
    TaskCollection(n_tasks=943, n_rows=100000, n_features=23)
    """
    pandas = import_extra("pandas")
    path = fetch_file(
        FILE,
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
    )
    ratings = _read(pandas, path, "u.data", "\t", ["user", "movie", "rating", "time"])
    users = _read(pandas, path, "u.user", "|", ["user", "age", "gender", "occupation", "zip"])
    genres = _read(pandas, path, "u.genre", "|", ["genre", "number"])["genre"]
    movies = _read(pandas, path, "u.item", "|", [*_OF_MOVIE, *genres])
    movies.insert(0, "year", pandas.to_numeric(movies["released"].str[-4:]))

    rows = ratings.sort_values(["user", "time", "movie"])
    rows = rows.merge(movies, on="movie", how="left").merge(users, on="user", how="left")
    unused = {"time", "zip", *_OF_MOVIE} - ({"movie"} if movie_numbers else set())
    return TaskCollection.from_frame(rows.drop(columns=list(unused)), target="rating", task="user")


def _read(pandas: Any, path: Path, name: str, separator: str, columns: list[str]) -> Any:
    """Read a table that has no line of names."""
    with ZipFile(path) as archive, archive.open(f"ml-100k/{name}") as file:
        # Titles may hold quotes.
        return pandas.read_csv(
            file, sep=separator, names=columns, encoding="latin-1", quoting=csv.QUOTE_NONE
        )

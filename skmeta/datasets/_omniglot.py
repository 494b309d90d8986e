"""Omniglot: 1623 handwritten characters of 50 alphabets, each drawn by 20 people."""

from __future__ import annotations

from numbers import Integral
from pathlib import PurePosixPath
from typing import Any
from zipfile import ZipFile

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skmeta.datasets._remote import FETCH_CONSTRAINTS, RemoteFile, fetch_file, import_extra
from skmeta.tasks import TaskCollection
from skmeta.tasks._layout import offsets_of

# SHA-256 as published in tensorflow_datasets/url_checksums/omniglot.txt and, independently, in
# torchvision's prototype of this dataset.
_URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
FILES = {
    "background": RemoteFile(
        "omniglot_images_background.zip",
        f"{_URL}/images_background.zip",
        "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
    ),
    "evaluation": RemoteFile(
        "omniglot_images_evaluation.zip",
        f"{_URL}/images_evaluation.zip",
        "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
    ),
}


@validate_params(
    {
        "subset": [StrOptions({"background", "evaluation"})],
        "image_size": [Interval(Integral, 1, 105, closed="both")],
        **FETCH_CONSTRAINTS,
    },
    prefer_skip_nested_validation=True,
)
def fetch_omniglot(
    *,
    subset: str = "background",
    image_size: int = 28,
    data_home: Any = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
) -> TaskCollection:
    """Handwritten characters of many alphabets, to learn to tell characters apart.

    =================   ==============================================
    Alphabets           30 (background), 20 (evaluation)
    Characters          964 (background), 659 (evaluation)
    Images              20 of each character, by 20 people
    Download            9.5 MB (background), 6.5 MB (evaluation)
    Licence             MIT
    =================   ==============================================

    A task is an alphabet, a class a character of it. For tasks of other sizes, hand the rows of
    all alphabets to :func:`~skmeta.make_n_way_tasks`, as below.

    Parameters
    ----------
    subset : {"background", "evaluation"}, default="background"
        The authors' split: alphabets to learn from, or new ones to test on.
    image_size : int, default=28
        Height and width of an image, in pixels, at most the original 105. An image is shrunk by
        averaging over areas.
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
        Its `X` has a row of `image_size` x `image_size` numbers for each image, of type float32,
        from 0 (paper) to 1 (ink); `y` numbers the characters of the subset through all alphabets.

    Raises
    ------
    OSError
        If a file is neither there nor to be had. The message says how to bring it by hand.
    ImportError
        If pillow or, to download, pooch is missing: `pip install 'skmeta[fetch]'`.

    References
    ----------
    .. [1] Lake, Salakhutdinov & Tenenbaum (2015). Human-level concept learning through
       probabilistic program induction. Science 350, 1332-1338.
       https://github.com/brendenlake/omniglot

    Examples
    --------
    >>> from skmeta import make_n_way_tasks
    >>> from skmeta.datasets import fetch_omniglot
    >>> alphabets = fetch_omniglot()  # doctest: +SKIP
    >>> alphabets.names[:2].tolist()  # doctest: +SKIP
    ['Alphabet_of_the_Magi', 'Anglo-Saxon_Futhorc']
    >>> tasks = make_n_way_tasks(alphabets.X, alphabets.y, n_way=5)  # doctest: +SKIP
    """
    image = import_extra("PIL.Image")
    path = fetch_file(
        FILES[subset],
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
    )
    with ZipFile(path) as archive:
        # images_background/Greek/character01/0394_01.png
        names = sorted(
            name
            for name in archive.namelist()
            if name.startswith(f"images_{subset}/") and name.endswith(".png")
        )
        X = np.empty((len(names), image_size**2), dtype=np.float32)
        for row, name in enumerate(names):
            with archive.open(name) as file, image.open(file) as drawing:
                paper = drawing.convert("L").resize((image_size, image_size), image.Resampling.BOX)
                X[row] = 1 - np.asarray(paper, dtype=np.float32).ravel() / 255
    folders = [PurePosixPath(name).parent for name in names]
    y = np.unique([str(folder) for folder in folders], return_inverse=True)[1]
    alphabets, sizes = np.unique([folder.parent.name for folder in folders], return_counts=True)
    return TaskCollection(X, y, offsets_of(sizes), names=alphabets, shared_target=False)

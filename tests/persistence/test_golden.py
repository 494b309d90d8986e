"""Files of older versions load, and predict what they predicted then."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import InconsistentVersionWarning

import skmeta

FILES = sorted((Path(__file__).parents[1] / "golden").glob("format_*/*.skmeta"))


def test_there_are_golden_files():
    assert len(FILES) >= 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_golden_file(path):
    assert path.stat().st_size < 40_000
    expected = json.loads((path.parent / "predictions.json").read_text())[path.stem]
    with warnings.catch_warnings():
        # scikit-learn warns of its parts that another version of it has saved.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        model = skmeta.load(path)
    query = np.linspace(-2, 2, 15).reshape(5, 3)
    # Other versions of libraries, and other processors, round in another way.
    assert_allclose(model.predict(query), expected, rtol=1e-5, atol=1e-6)

"""Meta-features of the library pymfe, which is not installed with this one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from skmeta.model_selection._metafeatures._dataset import Dataset

_GROUPS = ("general", "statistical", "info-theory", "landmarking")


def extract_with_pymfe(
    dataset: Dataset, groups: Sequence[str] | None, rng: np.random.RandomState
) -> dict[str, float]:
    """Means and deviations that pymfe finds in the encoded table.

    Raises
    ------
    ImportError
        If pymfe is not installed.
    ValueError
        If the dataset is one of regression, which pymfe does not know.
    """
    try:
        from pymfe.mfe import MFE
    except ImportError as error:
        raise ImportError(
            "source='pymfe' needs the package pymfe: install it (`pip install pymfe`), or use "
            "source='skmeta'."
        ) from error
    if not dataset.is_classification:
        raise ValueError("source='pymfe' knows classification only; use source='skmeta'.")
    extractor = MFE(
        groups=list(groups or _GROUPS), suppress_warnings=True, random_state=rng.randint(2**31 - 1)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it divides by zero where a column is constant
        extractor.fit(dataset.encoded, dataset.target, transform_cat=None)
        names, values = extractor.extract()
    numbers = np.array(values, dtype=np.float64)
    return dict(zip(names, np.where(np.isfinite(numbers), numbers, np.nan), strict=True))

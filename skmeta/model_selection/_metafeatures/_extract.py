"""`metafeatures`: describe a dataset by a short vector of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skmeta.model_selection._metafeatures._dataset import Dataset, read_dataset
from skmeta.model_selection._metafeatures._information import information
from skmeta.model_selection._metafeatures._landmarkers import landmarking
from skmeta.model_selection._metafeatures._pymfe import extract_with_pymfe
from skmeta.model_selection._metafeatures._simple import simple, statistical

GROUPS = ("simple", "statistical", "information", "landmarking")


class MetaFeatures(NamedTuple):
    """Meta-features of one dataset.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmeta.model_selection import metafeatures
    >>> found = metafeatures(*load_iris(return_X_y=True))
    >>> len(found.values) == len(found.names)
    True
    """

    #: ndarray of shape (n_meta_features,); NaN where a meta-feature has no meaning
    values: np.ndarray
    #: list of str, the same for all datasets
    names: list[str]


@validate_params(
    {
        "X": "no_validation",
        "y": ["array-like"],
        "kind": [StrOptions({"auto", "classification", "regression"})],
        "groups": ["array-like"],
        "source": [StrOptions({"skmeta", "pymfe"})],
        "max_rows": [Interval(Integral, 2, None, closed="left")],
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def metafeatures(
    X: Any,
    y: Any,
    *,
    kind: str = "auto",
    groups: Sequence[str] = GROUPS,
    source: str = "skmeta",
    max_rows: int = 1000,
    n_splits: int = 3,
    random_state: Any = 0,
) -> MetaFeatures:
    """Describe a dataset by a short vector, so that similar datasets can be found.

    The names are the same for all datasets, whether of classification or regression, with numbers
    or categories; a meta-feature that has no meaning for a dataset (the skewness of columns where
    none holds numbers) is NaN. Those of the source `"skmeta"` do not depend on the units of the
    columns, nor on the order of columns.

    ============== ================================================================================
    group          meta-features
    ============== ================================================================================
    `simple`       log of rows, columns, classes and rows per column; shares of categorical columns,
                   of gaps, of constant columns, of the rarest class
    `statistical`  skewness, tails, integers and distinct values of columns; correlation between
                   columns; share of principal components for 95 % of the variance; shape of the
                   target
    `information`  entropy of target and columns; mutual information of a column with the target,
                   mean and greatest, as a share of the target's entropy
    `landmarking`  cross-validated skill of a decision stump, a small tree, one nearest neighbour, a
                   ridge model and naive Bayes: 0 for a constant guess, 1 for no error
    ============== ================================================================================

    Parameters
    ----------
    X : array-like or data frame of shape (n_rows, n_features)
        Numbers, strings, categories, gaps.
    y : array-like of shape (n_rows,)
    kind : {"auto", "classification", "regression"}, default="auto"
        What the target is. By default it is regression if numbers are not whole, or if more than
        ten and more than a tenth of the rows are distinct.
    groups : sequence of str, default=("simple", "statistical", "information", "landmarking")
        With `source="pymfe"`, groups of that library.
    source : {"skmeta", "pymfe"}, default="skmeta"
        The set above, or that of the library pymfe (classification only).
    max_rows : int, default=1000
        A larger table is described by a random sample of so many rows.
    n_splits : int, default=3
        Folds of the landmarkers.
    random_state : int, RandomState instance or None, default=0
        Sample and folds. The same for all datasets that are compared.

    Returns
    -------
    values : ndarray of shape (n_meta_features,)
    names : list of str

    Raises
    ------
    ImportError
        If `source="pymfe"` and pymfe is not installed.
    ValueError
        If a group is unknown, the target has gaps, or `source="pymfe"` for regression.

    References
    ----------
    .. [1] Vanschoren, "Meta-learning", in "Automated Machine Learning", 2019, table 2.1.
    .. [2] Pfahringer, Bensusan and Giraud-Carrier, "Meta-learning by landmarking various learning
       algorithms", ICML 2000.
    .. [3] Alcobaça et al., "MFE: Towards reproducible meta-feature extraction", JMLR 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmeta.model_selection import metafeatures
    >>> values, names = metafeatures(*load_iris(return_X_y=True), groups=["simple"])
    >>> dict(zip(names, values.round(2).tolist()))["log_classes"]
    1.1
    """
    rng = check_random_state(random_state)
    if source == "pymfe":
        dataset = read_dataset(X, y, kind, max_rows, rng)
        found = extract_with_pymfe(dataset, None if groups is GROUPS else groups, rng)
    else:
        unknown = sorted(set(groups) - set(GROUPS))
        if unknown:
            raise ValueError(f"groups must be among {list(GROUPS)}, got {unknown}.")
        dataset = read_dataset(X, y, kind, max_rows, rng)
        found = _extract(dataset, groups, n_splits, rng)
    return MetaFeatures(np.array([*found.values()], dtype=np.float64), [*found])


def _extract(
    dataset: Dataset, groups: Sequence[str], n_splits: int, rng: np.random.RandomState
) -> dict[str, float]:
    found: dict[str, float] = {}
    if "simple" in groups:
        found |= simple(dataset)
    if "statistical" in groups:
        found |= statistical(dataset)
    if "information" in groups:
        found |= information(dataset)
    if "landmarking" in groups:
        found |= landmarking(dataset, n_splits, int(rng.randint(2**31 - 1)))
    return found

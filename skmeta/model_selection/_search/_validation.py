"""Checks of what a prior is fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_array

NO_META_FEATURES = "meta_features needs a prior that was fitted with meta_features."


def check_scores(scores: Any, configs: Sequence[Mapping[str, Any]] | None) -> np.ndarray:
    scores = check_array(
        scores, dtype=np.float64, ensure_all_finite="allow-nan", input_name="scores"
    )
    if configs is not None and len(configs) != scores.shape[1]:
        raise ValueError(f"scores has {scores.shape[1]} columns but configs {len(configs)} items.")
    empty = np.flatnonzero(np.isnan(scores).all(axis=1))
    if len(empty):
        raise ValueError(f"Datasets without any score: rows {empty.tolist()} of scores.")
    return scores


def check_meta_features(meta_features: Any, n_datasets: int) -> list[np.ndarray | None]:
    """One row for each dataset, or None for each."""
    if meta_features is None:
        return [None] * n_datasets
    rows = check_array(
        meta_features,
        dtype=np.float64,
        ensure_all_finite="allow-nan",
        input_name="meta_features",
    )
    if len(rows) != n_datasets:
        raise ValueError(f"meta_features has {len(rows)} rows but there are {n_datasets} datasets.")
    return list(rows)


def check_distinct(names: Sequence[Any]) -> None:
    repeated = sorted({str(name) for name in names if list(names).count(name) > 1})
    if repeated:
        raise ValueError(f"Several datasets are called {', '.join(repeated)}.")

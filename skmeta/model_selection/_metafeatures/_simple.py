"""Simple and statistical meta-features: sizes, gaps, and the shape of the columns."""

from __future__ import annotations

import numpy as np
from scipy.stats import kurtosis, skew

from skmeta.model_selection._metafeatures._dataset import Dataset


def simple(dataset: Dataset) -> dict[str, float]:
    """Sizes on a log scale, and shares of kinds of columns and cells."""
    n_columns = max(dataset.n_columns, 1)
    n_gaps = np.isnan(dataset.numbers).sum() + (dataset.categories < 0).sum()
    n_constant = sum(map(_is_constant, [*dataset.numbers.T, *dataset.categories.T]))
    features = {
        "log_rows": np.log(dataset.n_rows),
        "log_columns": np.log(n_columns),
        "log_rows_per_column": np.log(dataset.n_rows / n_columns),
        "share_categorical": dataset.categories.shape[1] / n_columns,
        "share_missing": n_gaps / (n_columns * len(dataset.target)),
        "share_constant": n_constant / n_columns,
        "is_classification": float(dataset.is_classification),
        "log_classes": np.nan,
        "minority_share": np.nan,
    }
    if dataset.is_classification:
        counts = np.bincount(dataset.target)
        features["log_classes"] = np.log(len(counts))
        features["minority_share"] = counts.min() / counts.sum()
    return features


def statistical(dataset: Dataset) -> dict[str, float]:
    """Skewness, tails and correlation of the columns that hold numbers, and of the target."""
    columns = [c[np.isfinite(c)] for c in dataset.numbers.T]
    columns = [c for c in columns if len(c) > 1 and np.ptp(c) > 0]
    target = dataset.target
    is_varied_number = not dataset.is_classification and np.ptp(target) > 0
    return {
        # Logs, since a single column with a heavy tail would decide the mean.
        "log_skewness": _mean([np.log1p(abs(skew(c))) for c in columns]),
        "log_kurtosis": _mean([np.log(kurtosis(c, fisher=False)) for c in columns]),
        "share_integer": _mean([float(np.all(c == np.round(c))) for c in columns]),
        "log_distinct": _mean([np.log(len(np.unique(c))) for c in columns]),
        "mean_correlation": _mean_correlation(dataset.encoded),
        "share_components": _share_of_components(dataset.encoded),
        "target_skewness": float(skew(target)) if is_varied_number else np.nan,
        "target_log_kurtosis": (
            float(np.log(kurtosis(target, fisher=False))) if is_varied_number else np.nan
        ),
    }


def _is_constant(column: np.ndarray) -> bool:
    seen = column[np.isfinite(column)] if column.dtype.kind == "f" else column
    return len(seen) == 0 or bool(np.all(seen == seen[0]))


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else np.nan


def _varied(encoded: np.ndarray) -> np.ndarray:
    """Standardised columns without the constant ones."""
    deviation = encoded.std(axis=0)
    varied = encoded[:, deviation > 1e-12]
    return (varied - varied.mean(axis=0)) / deviation[deviation > 1e-12]


def _mean_correlation(encoded: np.ndarray) -> float:
    """Mean absolute correlation between two columns."""
    z = _varied(encoded)
    n_columns = z.shape[1]
    if n_columns < 2:
        return np.nan
    correlation = np.abs(z.T @ z) / len(z)
    return float((correlation.sum() - np.trace(correlation)) / (n_columns * (n_columns - 1)))


def _share_of_components(encoded: np.ndarray) -> float:
    """Principal components that hold 95 % of the variance, relative to the number of columns."""
    z = _varied(encoded)
    if not z.shape[1]:
        return np.nan
    variance = np.linalg.svd(z, compute_uv=False) ** 2
    n_needed = np.searchsorted(np.cumsum(variance) / variance.sum(), 0.95) + 1
    return float(min(n_needed, len(variance)) / z.shape[1])

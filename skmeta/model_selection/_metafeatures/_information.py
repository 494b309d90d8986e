"""Information-theoretic meta-features: what columns say about the target, in shares of its entropy.

Numbers are cut into bins of equally many rows.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from skmeta.model_selection._metafeatures._dataset import Dataset

_N_BINS = 8
# More columns than this are looked at in part: the mean over some is close to that over all.
_MAX_COLUMNS = 100


def information(dataset: Dataset) -> dict[str, float]:
    """Entropy of target and columns, and the mutual information between them."""
    n_rows = len(dataset.target)
    target = dataset.target if dataset.is_classification else _bins(dataset.target)
    target_entropy = entropy(np.bincount(target))
    columns = [_bins(c) for c in dataset.numbers.T] + [c + 1 for c in dataset.categories.T]
    step = -(-len(columns) // _MAX_COLUMNS) or 1
    columns = [codes for codes in columns[::step] if np.ptp(codes) > 0]
    shared = np.array([_excess(codes, target, n_rows) for codes in columns])
    n_codes = len(np.unique(target))
    knows_both = len(shared) and target_entropy > 0
    return {
        "target_entropy": target_entropy / np.log(n_codes) if n_codes > 1 else 0.0,
        "column_entropy": (
            float(np.mean([entropy(np.bincount(c)) / np.log(_N_BINS) for c in columns]))
            if columns
            else np.nan
        ),
        "mean_information": shared.mean() / target_entropy if knows_both else np.nan,
        "max_information": shared.max() / target_entropy if knows_both else np.nan,
    }


def _bins(numbers: np.ndarray) -> np.ndarray:
    """Codes of quantile bins; 0 for a gap."""
    seen = np.isfinite(numbers)
    if not seen.any():
        return np.zeros(len(numbers), dtype=np.intp)
    edges = np.unique(np.quantile(numbers[seen], np.linspace(0, 1, _N_BINS + 1)[1:-1]))
    codes = 1 + np.searchsorted(edges, numbers, side="left")
    return np.where(seen, codes, 0)


def _excess(codes: np.ndarray, target: np.ndarray, n_rows: int) -> float:
    """Mutual information less what independent variables show by chance (Miller and Madow)."""
    n_free = (len(np.unique(codes)) - 1) * (len(np.unique(target)) - 1)
    return max(mutual_info_score(codes, target) - n_free / (2 * n_rows), 0.0)

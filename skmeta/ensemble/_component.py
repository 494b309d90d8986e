"""Rows as a process wants them: the columns of its kernel, and the prior that it corrects."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmeta.ensemble._pooled import PooledModel, Rows

Array = NDArray[np.floating]

# A prediction far from all others must not rule a linear kernel.
_CLIP = 8.0


class Inputs(NamedTuple):
    """Rows for one process."""

    Z: Array  # (n_rows, n_columns)
    prior: Array  # (n_rows, n_outputs): what the process corrects

    def take(self, rows: Any) -> Inputs:
        """Some of the rows."""
        return Inputs(self.Z[rows], self.prior[rows])


class Priors:
    """Pooled models, whose predictions are columns of the process of each as well.

    Parameters
    ----------
    pooled : list of PooledModel
    """

    def __init__(self, pooled: list[PooledModel]) -> None:
        self.models = [one.model for one in pooled]
        self.centres = [one.out_of_task.mean(axis=0) for one in pooled]
        self.scales = [
            float((one.out_of_task - centre).std()) or 1.0
            for one, centre in zip(pooled, self.centres, strict=True)
        ]

    def __call__(self, rows: Rows) -> list[Inputs]:
        """Inputs of each process, for rows of a new task."""
        if len(rows.dense):
            return self.join(rows, [model(rows) for model in self.models])
        return self.join(rows, [np.zeros((0, len(centre))) for centre in self.centres])

    def join(self, rows: Rows, predictions: list[Array]) -> list[Inputs]:
        """Inputs of each process, for rows whose predictions are known."""
        parts = zip(predictions, self.centres, self.scales, strict=True)
        return [
            Inputs(np.column_stack([rows.dense, _scaled(prediction, *of)]), prediction)
            for prediction, *of in parts
        ]


def _scaled(prediction: Array, centre: Array, scale: float) -> Array:
    return np.clip((prediction - centre) / scale, -_CLIP, _CLIP)

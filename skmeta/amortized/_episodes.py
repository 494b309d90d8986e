"""Episodes whose supports have all sizes, since amortised learners learn each size by example."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from skmeta.episodic import EpisodeDataset
from skmeta.tasks import SupportQueryDraw
from skmeta.tasks._hashing import combine, uniform
from skmeta.tasks._split import Draw


class VariedEpisodes(EpisodeDataset):
    """Episodes whose supports have between a lowest number of rows and `n_support`.

    Parameters
    ----------
    tasks, n_support, n_query, **options
        As in :class:`EpisodeDataset`.
    lowest : int
        The lowest number of rows in a support.
    """

    def __init__(self, tasks, n_support, n_query, *, lowest, **options):
        super().__init__(tasks, n_support, n_query, **options)
        self._draw = _VariedDraw(self._draw, min(lowest, n_support))


class _VariedDraw:
    """Draws supports of a random size, a function of seed, epoch and the task's position."""

    def __init__(self, draw: SupportQueryDraw, lowest: int):
        self.draw, self.lowest = draw, lowest

    def __call__(self, indices: np.ndarray, epoch: int = 0) -> tuple[Draw, Draw]:
        share = uniform(combine(self.draw.random_state, epoch, np.asarray(indices), 1))
        n_sizes = self.draw.n_support - self.lowest + 1
        draw: Any = copy(self.draw)  # takes one size, or one for each task
        draw.n_support = self.lowest + (share * n_sizes).astype(np.int64)
        return draw(indices, epoch)

"""Episodes of synthetic tables, which are drawn anew in each epoch, and mixtures with others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from skmeta.datasets import make_prior_tables
from skmeta.episodic import EpisodeBatch, EpisodeDataset
from skmeta.tasks._hashing import combine

_WIDTHS, _CLASSES = (3, 20), (2, 6)
_FEWEST_ROWS = 4


class TableEpisodes(Dataset):
    """Synthetic tables (:func:`~skmeta.datasets.make_prior_tables`) as episodes.

    The tables of a meta-batch have the same number of features, of classes and of support rows, so
    that nothing is padded; from one meta-batch to the next, these vary.

    Parameters
    ----------
    n_tables : int
        Tables of an epoch.
    n_support, n_query : int
        Support rows at most, and query rows.
    is_classification : bool
        Whether targets are classes.
    class_weight : "balanced" or None, default=None
        Weight of each class in support and query.
    seed : int
        A meta-batch depends on this, on `epoch` and on the position of its first table alone.

    Attributes
    ----------
    epoch : int
        Changes the tables. Validation keeps it at 0.
    """

    def __init__(
        self,
        n_tables: int,
        n_support: int,
        n_query: int,
        *,
        is_classification: bool,
        class_weight: Any = None,
        seed: int,
    ):
        self.indices = np.arange(n_tables)
        self.n_support, self.n_query = n_support, n_query
        self.is_classification, self.class_weight = is_classification, class_weight
        self.seed, self.epoch = seed, 0

    def __len__(self) -> int:
        return len(self.indices)

    def __getitems__(self, positions: Sequence[int]) -> EpisodeBatch:
        """A meta-batch of new tables."""
        chosen = self.indices[np.asarray(positions)]
        seed = int(combine(self.seed, self.epoch, chosen[0], 2) >> np.uint64(33))
        rng = np.random.default_rng(seed)
        n_classes = int(rng.integers(_CLASSES[0], _CLASSES[1] + 1))
        n_support = self._draw_size(rng)
        tables = make_prior_tables(
            len(chosen),
            n_features=int(rng.integers(_WIDTHS[0], _WIDTHS[1] + 1)),
            n_classes=n_classes if self.is_classification else None,
            n_rows=max(n_support + self.n_query, 2 * n_classes),
            random_state=seed,
        )
        return EpisodeDataset(
            tables,
            n_support,
            self.n_query,
            n_slots=n_classes if self.is_classification else None,
            stratify=self.is_classification,
            class_weight=self.class_weight,
            seed=seed,
        ).__getitems__(range(len(tables)))

    def _draw_size(self, rng: np.random.Generator) -> int:
        """Small supports as often as large ones, on a scale of ratios."""
        low, high = np.log(min(_FEWEST_ROWS, self.n_support)), np.log(self.n_support + 1)
        return int(np.exp(rng.uniform(low, high)))

    def subset(self, positions: np.ndarray) -> TableEpisodes:
        """Some of the tables."""
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part.indices = self.indices[positions]
        return part


class BothEpisodes(Dataset):
    """The episodes of two datasets, one after the other.

    Parameters
    ----------
    first, second : EpisodeDataset or TableEpisodes
        Datasets with the same seed.
    """

    def __init__(self, first: Any, second: Any):
        self.parts = (first, second)
        self.seed = first.seed

    @property
    def epoch(self) -> int:
        """Changes the episodes of both."""
        return self.parts[0].epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        for part in self.parts:
            part.epoch = epoch

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitems__(self, positions: Sequence[int]) -> EpisodeBatch:
        """A meta-batch of episodes of both, padded."""
        batches = [
            part.__getitems__(chosen.tolist())
            for part, chosen in zip(self.parts, self._split(np.asarray(positions)), strict=True)
            if len(chosen)
        ]
        if len(batches) == 1:
            return batches[0]
        return EpisodeBatch(
            _stack([batch.inputs for batch in batches]),
            _stack([batch.targets for batch in batches]),
        )

    def subset(self, positions: np.ndarray) -> BothEpisodes:
        """Some of the episodes."""
        chosen = self._split(positions)
        return BothEpisodes(*(p.subset(c) for p, c in zip(self.parts, chosen, strict=True)))

    def _split(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_first = len(self.parts[0])
        is_first = positions < n_first
        return positions[is_first], positions[~is_first] - n_first


def _stack(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors of several batches, padded to the same shape; features that are not there are NaN."""
    return {
        name: torch.cat(_pad([p[name] for p in parts], torch.nan if name[0] == "X" else 0))
        for name in parts[0]
    }


def _pad(tensors: list[Tensor], filling: float) -> list[Tensor]:
    shape = np.max([tensor.shape[1:] for tensor in tensors], axis=0)
    return [
        F.pad(
            tensor,
            [
                n
                for have, want in zip(tensor.shape[:0:-1], shape[::-1], strict=True)
                for n in (0, int(want) - have)
            ],
            value=filling,
        )
        for tensor in tensors
    ]

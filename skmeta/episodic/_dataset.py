"""Episodes as a torch dataset: a meta-batch is drawn and gathered without a loop over tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from skmeta.nets import ClassWeight, weigh_classes
from skmeta.tasks import SupportQueryDraw, TaskCollection
from skmeta.tasks._hashing import combine
from skmeta.tasks._split import Draw


@dataclass
class EpisodeBatch:
    """A meta-batch: inputs of :class:`skmeta.nets.Episode`, and the targets of the query rows.

    It unpacks into the two, as skorch wants, and has the length of the meta-batch; it is neither a
    list nor a tuple, since skorch would take their lengths for the batch size.
    """

    inputs: dict[str, Tensor]
    targets: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.targets["y"])

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return iter((self.inputs, self.targets))


class EpisodeDataset(Dataset):
    """The tasks of a collection as episodes: support and query rows, drawn anew in each epoch.

    Parameters
    ----------
    tasks : TaskCollection
        Tasks of numbers; classes are codes.
    n_support, n_query : int
        Rows in the support and, at most, in the query of a task.
    n_slots : int or None, default=None
        For tasks whose classes are their own: outputs of the network. Each episode assigns a task's
        classes to slots at random. None for regression and for shared classes.
    stratify : bool, default=False
        Whether support rows are drawn by class.
    class_weight : "balanced", Tensor of shape (n_classes,) or None, default=None
        Weight of each class in support and query.
    seed : int, default=0
        An episode depends on the task's rows, this seed and `epoch` alone.

    Attributes
    ----------
    epoch : int
        Changes the episodes. Validation keeps it at 0.
    """

    def __init__(
        self,
        tasks: TaskCollection,
        n_support: int,
        n_query: int,
        *,
        n_slots: int | None = None,
        stratify: bool = False,
        class_weight: ClassWeight | None = None,
        seed: int = 0,
    ):
        self.tasks, self.n_slots, self.seed, self.epoch = tasks, n_slots, seed, 0
        self.class_weight = class_weight
        self.indices = np.arange(len(tasks))
        self._draw = SupportQueryDraw(
            tasks, n_support, n_query, stratify=stratify, random_state=seed
        )
        X, y = tasks.storage
        self._X, self._y = rows_to_tensor(X), target_to_tensor(y)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> EpisodeBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> EpisodeBatch:
        """A meta-batch of the episodes at the given positions."""
        chosen = self.indices[np.asarray(indices)]
        support, query = self._draw(chosen, self.epoch)
        X, mask = gather(self._X, support)
        X_query, mask_query = gather(self._X, query)
        y, _ = gather(self._y, support)
        y_query, _ = gather(self._y, query)
        inputs = {"X_query": X_query, "X": X, "y": y, "mask": mask, "mask_query": mask_query}
        known = mask_query
        if self.n_slots is not None:
            y, y_query, known, class_mask = self._assign_slots(chosen, y, mask, y_query, mask_query)
            inputs |= {"y": y, "class_mask": class_mask}
        targets = {"y": y_query, "mask": known}
        if self.class_weight is not None:
            inputs["weight"] = weigh_classes(y, mask, self.class_weight)
            targets["weight"] = weigh_classes(y_query, known, self.class_weight)
        return EpisodeBatch(inputs, targets)

    def subset(self, positions: np.ndarray) -> EpisodeDataset:
        """The episodes of some of the tasks, from the same tensors."""
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part.indices = self.indices[positions]
        return part

    def _assign_slots(self, chosen, y, mask, y_query, mask_query):
        """Number each task's support classes at random; query rows of other classes are masked."""
        slots = _Slots(
            y.numpy(), mask.numpy(), combine(self.seed, self.epoch, chosen), self.n_slots
        )
        y, _ = slots(y.numpy(), mask.numpy())
        y_query, known = slots(y_query.numpy(), mask_query.numpy())
        class_mask = np.arange(self.n_slots) < slots.n_classes[:, None]
        return (
            torch.from_numpy(y),
            torch.from_numpy(y_query),
            torch.from_numpy(known),
            torch.from_numpy(class_mask),
        )


class EpochOrder(Sampler):
    """A random order of the episodes, a function of seed and epoch, so that training can resume."""

    def __init__(self, dataset: EpisodeDataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.dataset.seed, self.dataset.epoch])
        return iter(rng.permutation(len(self.dataset)).tolist())


class _Slots:
    """A random bijection, for each task, of its classes onto the first slots of the network."""

    def __init__(self, codes: np.ndarray, mask: np.ndarray, keys: np.ndarray, n_slots: int):
        self.n_codes = int(codes.max(initial=0)) + 1
        task = np.broadcast_to(np.arange(len(codes))[:, None], codes.shape)
        self.pairs = np.unique((task * self.n_codes + codes)[mask])
        owner = self.pairs // self.n_codes
        self.n_classes = np.bincount(owner, minlength=len(codes))
        order = np.lexsort((combine(keys[owner], self.pairs % self.n_codes), owner))
        first = np.concatenate([[0], np.cumsum(self.n_classes)])[owner]
        self.slot = np.empty(len(self.pairs), dtype=np.int64)
        self.slot[order] = np.arange(len(self.pairs)) - first
        if self.n_classes.max(initial=0) > n_slots:
            raise ValueError(
                f"A task has {self.n_classes.max()} classes, but the network has {n_slots} outputs."
            )

    def __call__(self, codes: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slots of the given rows, and which rows are real and of a class of the support."""
        wanted = np.arange(len(codes))[:, None] * self.n_codes + np.minimum(codes, self.n_codes)
        if not len(self.pairs):
            return np.zeros_like(codes), np.zeros_like(mask)
        at = np.searchsorted(self.pairs, wanted).clip(max=len(self.pairs) - 1)
        known = mask & (self.pairs[at] == wanted) & (codes < self.n_codes)
        return np.where(known, self.slot[at], 0), known


def gather(storage: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Rows of a draw as one padded tensor (n_tasks, n_rows, ...), zeros where the mask is False."""
    size = int(draw.sizes.max(initial=0))
    mask = np.arange(size) < draw.sizes[:, None]
    index = np.zeros(mask.shape, dtype=np.int64)
    index[mask] = draw.rows
    padded = storage[torch.from_numpy(index)]
    if not mask.all():
        padded[torch.from_numpy(~mask)] = 0
    return padded, torch.from_numpy(mask)


def rows_to_tensor(X: Any, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rows as floats; what is too large for them is clipped."""
    limit = torch.finfo(dtype).max
    tensor = torch.empty(X.shape, dtype=dtype)
    with np.errstate(over="ignore"):
        # Into its place, as a copy of the rows of a million tasks would take a lot of memory.
        np.copyto(tensor.numpy(), X, casting="same_kind")
    return tensor.clamp_(-limit, limit)


def target_to_tensor(y: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
    """Class codes (n_rows,) as integers, numbers (n_rows, n_outputs) as floats."""
    if y.dtype.kind in "iu":
        return torch.from_numpy(y.astype(np.int64))
    return rows_to_tensor(as_outputs(y), dtype)


def as_outputs(y: np.ndarray) -> np.ndarray:
    """A target of one or several outputs, of shape (n_rows, n_outputs)."""
    return y[:, None] if y.ndim == 1 else y

"""The skorch net that trains on episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from skorch import NeuralNet
from skorch.utils import to_tensor
from torch import Tensor, nn

from skmeta.episodic._dataset import EpisodeBatch, EpisodeDataset, EpochOrder
from skmeta.nets import CompiledEpisode, masked_mean


class EpisodeLoss(nn.Module):
    """Mean over tasks of the mean loss over their query rows.

    Parameters
    ----------
    row_loss : callable
        Loss of each row, `row_loss(output, y) -> Tensor of shape (B, Q)`.
    """

    def __init__(self, row_loss: Any):
        super().__init__()
        self.row_loss = row_loss

    def forward(
        self, output: Tensor, y: Tensor, mask: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a meta-batch; tasks without a query row do not count."""
        losses = masked_mean(self.row_loss(output, y), mask, weight)
        return losses.sum() / mask.any(dim=1).sum().clamp(min=1)


class EpisodicNet(NeuralNet):
    """A skorch net whose samples are tasks and whose module runs a whole episode.

    Everything is skorch's but where batches come from and what a batch's target is: skorch's own
    train step, callbacks and distributed training work as they are.

    Parameters
    ----------
    module : skmeta.nets.Episode
    criterion : EpisodeLoss
    train_split : float or None
        Share of the tasks that are held out for validation. Their episodes are the same in all
        epochs.
    compile_episodes : bool, default=False
        Whether training runs a :class:`skmeta.nets.CompiledEpisode` where it can. skorch's own
        `compile` cannot differentiate twice.
    """

    def __init__(self, *args: Any, compile_episodes: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.compile_episodes = compile_episodes
        self.compiled_: CompiledEpisode | None = None

    def train_step_single(self, batch: EpisodeBatch, **fit_params: Any) -> dict[str, Tensor]:
        """Compute loss and gradients of a meta-batch."""
        if self.compile_episodes:
            self._set_training(True)
            inputs, targets = (to_tensor(part, device=self.device) for part in batch)
            if self.compiled_ is None:
                self.compiled_ = CompiledEpisode(self.module_, self.criterion_)
            found = self.compiled_(inputs, targets)
            if found is not None:
                return dict(zip(("loss", "y_pred"), found, strict=True))
        return super().train_step_single(batch, **fit_params)

    def get_split_datasets(
        self, X: EpisodeDataset, y: Any = None, **fit_params: Any
    ) -> tuple[EpisodeDataset, EpisodeDataset | None]:
        """Hold out tasks, as many as `train_split` says, if that is at least one."""
        n_held_out = int(len(X) * (self.train_split or 0.0))
        if not n_held_out:
            return X, None
        order = np.random.default_rng(X.seed).permutation(len(X))
        return X.subset(np.sort(order[n_held_out:])), X.subset(np.sort(order[:n_held_out]))

    def get_iterator(self, dataset: EpisodeDataset, training: bool = False) -> Any:
        """Iterate over meta-batches, in a new order each epoch when training."""
        kwargs = self.get_params_for("iterator_train" if training else "iterator_valid")
        kwargs.setdefault("batch_size", self.batch_size)
        iterator = self.iterator_train if training else self.iterator_valid
        sampler = EpochOrder(dataset) if training else None
        return iterator(dataset, sampler=sampler, collate_fn=_as_it_is, **kwargs)

    def get_loss(
        self, y_pred: Tensor, y_true: dict[str, Tensor], *args: Any, **kwargs: Any
    ) -> Tensor:
        """Loss of the query rows."""
        target = {name: tensor.to(y_pred.device) for name, tensor in y_true.items()}
        return self.criterion_(y_pred, **target)


def _as_it_is(batch: Any) -> Any:
    return batch

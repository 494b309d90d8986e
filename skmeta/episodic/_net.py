"""The skorch net that trains on episodes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.utils import to_tensor
from torch import Tensor, nn

from skmeta.episodic._dataset import EpisodeBatch, EpisodeDataset, EpochOrder
from skmeta.episodic._processes import Processes
from skmeta.nets import CompiledEpisode, masked_mean, one_by_one, trains_one_by_one


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
        return losses.sum() / self.count_tasks(mask).clamp(min=1)

    def count_tasks(self, mask: Tensor) -> Tensor:
        """Number of tasks that the mean is taken over, given which query rows there are."""
        return mask.any(dim=1).sum()


class StopTraining(KeyboardInterrupt):
    """A callback has ended training; skorch's callbacks do so by a plain KeyboardInterrupt."""


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

    Attributes
    ----------
    processes_ : Processes or None
        Those that train together, while they do.
    is_interrupted_ : bool
        Whether Ctrl-C ended training, and not a callback or the number of epochs.
    """

    def __init__(self, *args: Any, compile_episodes: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.compile_episodes = compile_episodes
        self.compiled_: CompiledEpisode | None = None
        self.is_interrupted_ = False
        self.processes_: Processes | None = None
        self._as_trained: tuple[list[int], nn.Module] | None = None  # changes of weights, copy

    def learner_as_trained(self) -> nn.Module:
        """The learner with its weights in 32 bits, as in training.

        The module itself may have been brought to 64 bits since, for predictions. Who changes its
        weights then, by `load_params` for one, finds them changed here too.
        """
        learner = self.module_.learner
        weights = [*learner.parameters(), *learner.buffers()]
        if weights[0].dtype == torch.float32:
            return learner
        versions = [weight._version for weight in weights]  # torch counts changes
        if self._as_trained is None or self._as_trained[0] != versions:
            self._as_trained = versions, deepcopy(learner).float()
        return self._as_trained[1]

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_as_trained": None}

    def fit_loop(self, X: EpisodeDataset, y: Any = None, **fit_params: Any) -> Any:
        """Train, and note whether it was Ctrl-C that ended it: skorch does not tell."""
        self.is_interrupted_, self._as_trained = False, None
        try:
            return super().fit_loop(X, y, **fit_params)
        except StopTraining:
            raise
        except KeyboardInterrupt:
            self.is_interrupted_ = True
            raise

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks, of which any may end training after a batch or an epoch."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as error:
            if method_name in ("on_batch_end", "on_epoch_end"):
                raise StopTraining from error
            raise

    def train_step_single(self, batch: EpisodeBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute loss and gradients of a meta-batch."""
        if self.processes_ is None:
            return self._train_step_alone(batch, **fit_params)
        self._set_training(True)
        step, count = self._of_part(self._train_step_alone, batch, **fit_params)
        params = [param for _, param in self.get_all_learnable_params() if param.requires_grad]
        for param in params:
            if param.grad is None:
                param.grad = torch.zeros_like(param)
        self.processes_.average([*(param.grad for param in params), step["loss"]], count)
        return step

    def validation_step(self, batch: EpisodeBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a meta-batch of held-out tasks."""
        if self.processes_ is None:
            return super().validation_step(batch, **fit_params)
        self._set_training(False)
        step, count = self._of_part(super().validation_step, batch, **fit_params)
        self.processes_.average([step["loss"]], count)
        return step

    def _of_part(
        self, take_step: Any, batch: EpisodeBatch, **fit_params: Any
    ) -> tuple[dict[str, Any], Tensor]:
        """What this process finds of its part of a meta-batch, and how many tasks that is.

        The part may be empty. All processes make the whole meta-batch, which takes little time, so
        that it is the same whatever it depends on.
        """
        assert self.processes_ is not None
        part = EpisodeBatch(*(_each(self.processes_.part_of, tensors) for tensors in batch))
        if len(part):
            step = take_step(part, **fit_params)
        else:
            step = {"loss": torch.zeros((), device=self.device), "y_pred": None}
        step["loss"] = step["loss"].detach().clone()
        return step, self.criterion_.count_tasks(part.targets["mask"]).to(step["loss"])

    def on_epoch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Note the end of an epoch; running averages of a network are those of one process."""
        super().on_epoch_end(net, *args, **kwargs)
        if self.processes_ is not None:
            self.processes_.share(self.module_.buffers())

    def _train_step_alone(self, batch: EpisodeBatch, **fit_params: Any) -> dict[str, Any]:
        self._set_training(True)
        batch = EpisodeBatch(*(to_tensor(part, device=self.device) for part in batch))
        if trains_one_by_one(self.module_, batch.inputs["X"]):
            return self._train_step_one_by_one(batch, **fit_params)
        return self._train_step_compiled(batch) or super().train_step_single(batch, **fit_params)

    def _train_step_one_by_one(self, batch: EpisodeBatch, **fit_params: Any) -> dict[str, Any]:
        """Add up the gradients of the tasks; `y_pred` is the list of what was put out for each."""
        tasks = one_by_one(batch.inputs, batch.targets)
        padded, steps = one_by_one(batch.inputs, batch.targets, keep_padding=True), []
        for trimmed, kept in zip(tasks, padded, strict=True):
            # A compiled function has a fixed shape, while without one padding is wasted work.
            step = self._train_step_compiled(EpisodeBatch(*kept))
            steps.append(step or super().train_step_single(EpisodeBatch(*trimmed), **fit_params))
        # The criterion's mean over tasks was taken over one task each time.
        n_tasks = self.criterion_.count_tasks(batch.targets["mask"]).clamp(min=1)
        for _, param in self.get_all_learnable_params():
            if param.grad is not None:
                param.grad.div_(n_tasks)
        loss = torch.stack([step["loss"].detach() for step in steps]).sum() / n_tasks
        return {"loss": loss, "y_pred": [step["y_pred"] for step in steps]}

    def _train_step_compiled(self, batch: EpisodeBatch) -> dict[str, Any] | None:
        """The same by a compiled function; None where there is none."""
        if not self.compile_episodes:
            return None
        if self.compiled_ is None:
            self.compiled_ = CompiledEpisode(self.module_, self.criterion_)
        found = self.compiled_(*batch)
        return None if found is None else dict(zip(("loss", "y_pred"), found, strict=True))

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


def _each(function: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: function(tensor) for name, tensor in tensors.items()}

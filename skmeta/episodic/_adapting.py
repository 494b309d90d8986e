"""The part of a neural meta-learner that adapts to tasks, one or many at once, and predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skmeta.base import BaseMetaLearner, TrainingDivergedError
from skmeta.episodic._dataset import gather, rows_to_tensor, target_to_tensor
from skmeta.nets import ClassWeight, Support, take_tasks, weigh_classes
from skmeta.tasks import TaskCollection
from skmeta.tasks._split import Draw

_ADVICE = (
    "weights became NaN. Look for values that are far from those of the training tasks, or make "
    "the inner steps smaller or fewer."
)
_TASKS_AT_ONCE = 128  # in `fit_adapt_many`: their weights stay in the processor's cache


class NeuralAdapter(BaseMetaLearner):
    """Adapts a trained torch module to tasks.

    It owns the state of a task. What it needs of :class:`NeuralMetaLearner` is the trained net and
    where to compute; of the mixins for classes and numbers, what a target is.
    """

    module: Any
    device: Any
    net_: Any

    @property
    def _dtype(self) -> torch.dtype:
        """Precision of predictions and of what is solved for; training takes 32 bits.

        64 bits make predictions for a row the same to rounding whatever rows come with it, as
        scikit-learn asks. A user's network may not bear them, nor may another device.
        """
        is_ours = self.module is None or isinstance(self.module, str)
        return torch.float64 if is_ours and str(self.device) == "cpu" else torch.float32

    @property
    def _learner(self) -> Any:  # a module with `adapt`, see skmeta.nets
        return self.net_.module_.learner

    def _adapt(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> None:
        weight = None if sample_weight is None else rows_to_tensor(sample_weight, self._dtype)[None]
        self.state_ = self._adapt_batch(
            Support(
                rows_to_tensor(X, self._dtype)[None],
                self._target_tensor(y)[None],
                torch.ones((1, len(y)), dtype=torch.bool),
                self._class_mask(),
                weight,
            )
        )
        if len(_diverged(self.state_)):
            raise TrainingDivergedError(f"Adapting to the support diverged: {_ADVICE}")

    def _adapt_many(self, models: list, tasks: TaskCollection) -> None:
        X, y = rows_to_tensor(tasks.storage[0], self._dtype), self._target_tensor(tasks.storage[1])
        by_size = np.argsort(tasks.sizes, kind="stable")  # little padding
        diverged: list[int] = []
        for start in range(0, len(models), _TASKS_AT_ONCE):
            chosen = by_size[start : start + _TASKS_AT_ONCE]
            draw = Draw(tasks.row_index(chosen), tasks.sizes[chosen])
            (X_batch, mask), (y_batch, _) = gather(X, draw), gather(y, draw)
            class_masks = [models[i]._class_mask() for i in chosen]
            class_mask = None if class_masks[0] is None else torch.cat(class_masks)
            states = self._adapt_batch(Support(X_batch, y_batch, mask, class_mask))
            diverged += chosen[_diverged(states)].tolist()
            for position, i in enumerate(chosen.tolist()):
                models[i]._states, models[i]._position = states, position
        if diverged:
            raise TrainingDivergedError(_ADVICE, sorted(diverged))

    @property
    def state_(self) -> dict[str, Tensor]:
        """What adaptation to the support gave: a batch of one task."""
        # Cut out when it is asked for: of many models that are adapted at once, few may be used.
        here = slice(self._position, self._position + 1)
        return {name: tensor[here] for name, tensor in self._states.items()}

    @state_.setter
    def state_(self, state: dict[str, Tensor]) -> None:
        self._states, self._position = state, 0

    def _adapt_batch(self, support: Support) -> dict[str, Tensor]:
        class_weight = self._weights_of_classes()
        if class_weight is not None:
            weight = support.mask.to(self._dtype) if support.weight is None else support.weight
            weight = weigh_classes(support.y, support.mask, class_weight, weight)
            support = support._replace(weight=weight)
        moved = {
            name: part.to(self.device)
            for name, part in support._asdict().items()
            if part is not None
        }
        return self._adapt_support(support._replace(**moved))

    def _adapt_support(self, support: Support) -> dict[str, Tensor]:
        return self._learner.adapt(support)

    def _target_tensor(self, y: np.ndarray) -> Tensor:
        return target_to_tensor(self._scale_target(y), self._dtype)

    def _class_mask(self) -> Tensor | None:
        """Which slots the task has, of shape (1, n_slots); None where it has them all."""
        return None

    def _weights_of_classes(self) -> ClassWeight | None:
        """How much each class counts, in supports and in the loss; None weighs rows the same."""
        return None

    def _output(self, X: Any) -> np.ndarray:
        """Output of the adapted module for raw query rows, of shape (n_query, n_outputs)."""
        rows = rows_to_tensor(self._validate_query(X), self._dtype).to(self.device)
        with torch.no_grad():
            return self._learner(self.state_, rows[None])[0].cpu().numpy()

    def __getstate__(self):
        state = super().__getstate__()
        if "_states" in state:  # a view would take the states of a whole batch along
            state["_states"], state["_position"] = take_tasks(self._states, self._position), 0
        return state


def _diverged(states: dict[str, Tensor]) -> np.ndarray:
    """Positions of tasks whose weights have become NaN: they would predict NaN, and say nothing."""
    bad = [
        tensor.isnan().reshape(len(tensor), -1).any(dim=1)
        for tensor in states.values()
        # Their sum shows a NaN in a tenth of the time that looking at each number takes.
        if tensor.is_floating_point() and tensor.sum().isnan()
    ]
    return (
        torch.stack(bad).any(dim=0).nonzero()[:, 0].numpy(force=True) if bad else np.empty(0, int)
    )

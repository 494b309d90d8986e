"""Meta-losses of the learners that do not simply compare query rows after the last step."""

from __future__ import annotations

from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

from skmeta.episodic import EpisodeLoss
from skmeta.nets import step_weights


class MultiStepLoss(EpisodeLoss):
    """Weighted sum of the query losses after each inner step.

    Parameters
    ----------
    row_loss : callable
        Loss of each row, `row_loss(output, y) -> Tensor of shape (B, Q)`.
    n_steps : int
        Number of inner steps.

    Attributes
    ----------
    weights : Tensor of shape (n_steps,)
        Weight of the loss after each step, see :func:`skmeta.nets.step_weights`.
    """

    weights: Tensor

    def __init__(self, row_loss: Any, n_steps: int):
        super().__init__(row_loss)
        # A buffer, as compiled code takes everything else for constant.
        self.register_buffer("weights", step_weights(n_steps, progress=0.0))

    def forward(
        self, output: Tensor, y: Tensor, mask: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a meta-batch; in evaluation mode there is only the output of the last step."""
        if not self.training:
            return super().forward(output, y, mask, weight)
        after_each = [super(MultiStepLoss, self).forward(o, y, mask, weight) for o in output]
        return torch.stack(after_each) @ self.weights


class AnnealStepWeights(Callback):
    """Moves the weights of a :class:`MultiStepLoss` to the last step, linearly in the epochs."""

    def __init__(self, n_epochs: int):
        self.n_epochs = n_epochs

    def on_epoch_begin(self, net, **kwargs):
        progress = min((len(net.history) - 1) / self.n_epochs, 1.0)
        weights = net.criterion_.weights
        weights.copy_(step_weights(len(weights), progress))


class ReptileLoss(EpisodeLoss):
    """Mean over tasks of half the squared distance of adapted and initial parameters.

    Its gradient is Reptile's direction. In evaluation mode it is the loss of query rows.
    """

    def forward(
        self, output: Tensor, y: Tensor, mask: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a meta-batch."""
        return output.mean() if self.training else super().forward(output, y, mask, weight)

    def count_tasks(self, mask: Tensor) -> Tensor:
        """All tasks in training, which needs no query rows."""
        return torch.tensor(len(mask)) if self.training else super().count_tasks(mask)

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

    Attributes
    ----------
    progress : float
        How far the weights have moved to the last step, see :func:`skmeta.nets.step_weights`.
    """

    def __init__(self, row_loss: Any):
        super().__init__(row_loss)
        self.progress = 0.0

    def forward(
        self, output: Tensor, y: Tensor, mask: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a meta-batch; in evaluation mode there is only the output of the last step."""
        if not self.training:
            return super().forward(output, y, mask, weight)
        after_each = [super(MultiStepLoss, self).forward(o, y, mask, weight) for o in output]
        return torch.stack(after_each) @ step_weights(len(output), self.progress).to(output)


class AnnealStepWeights(Callback):
    """Moves the weights of a :class:`MultiStepLoss` to the last step, linearly in the epochs."""

    def __init__(self, n_epochs: int):
        self.n_epochs = n_epochs

    def on_epoch_begin(self, net, **kwargs):
        net.criterion_.progress = min((len(net.history) - 1) / self.n_epochs, 1.0)


class ReptileLoss(EpisodeLoss):
    """Mean over tasks of half the squared distance of adapted and initial parameters.

    Its gradient is Reptile's direction. In evaluation mode it is the loss of query rows.
    """

    def forward(
        self, output: Tensor, y: Tensor, mask: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a meta-batch."""
        return output.mean() if self.training else super().forward(output, y, mask, weight)

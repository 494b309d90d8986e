"""Gradients of training that are far longer than usual are shortened."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import Any

from skorch.callbacks import Callback
from torch.nn.utils import clip_grad_norm_

_N_REMEMBERED = 100


class ClipGradients(Callback):
    """Shortens a gradient to a multiple of the usual length.

    Where an inner step overshoots for one task, the gradient through it and those after it can be
    ten thousand times as long as others. One such gradient is enough to undo much of what training
    has learned, and the learned step sizes that it moves make more of them. What is usual depends
    on the learner, the loss and how far training has got, so it is taken from the gradients before,
    as in [1]_: their median, which the long ones do not move.

    Parameters
    ----------
    factor : float
        How many times the median length of the last 100 gradients is allowed.

    References
    ----------
    .. [1] Seetharaman, Wichern, Pardo and Le Roux (2020). AutoClip: Adaptive gradient clipping for
       source separation networks. MLSP.
    """

    def __init__(self, factor: float):
        self.factor = factor
        self.lengths: deque[float] = deque(maxlen=_N_REMEMBERED)

    def on_grad_computed(
        self, net: Any, named_parameters: Any = None, training: bool = True, **kwargs: Any
    ) -> None:
        params = [param for _, param in named_parameters]
        usual = median(self.lengths) if self.lengths else 0.0
        # Nothing to compare with: at the start, and where most gradients are zero.
        limit = self.factor * usual if usual > 0.0 else math.inf
        self.lengths.append(float(clip_grad_norm_(params, limit)))

    def state_dict(self) -> dict:
        """What a checkpoint needs to go on as if nothing had happened."""
        return {"lengths": list(self.lengths)}

    def load_state_dict(self, state: dict) -> None:
        """Go on."""
        self.lengths = deque(state["lengths"], maxlen=_N_REMEMBERED)

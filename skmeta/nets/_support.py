"""The labelled rows that a batch of tasks is adapted to."""

from typing import NamedTuple

from torch import Tensor


class Support(NamedTuple):
    """Support rows of a batch of tasks, padded to a common number of rows.

    Tasks are ragged: each brings its own number of shots and of classes. A batch therefore holds
    ``B`` tasks of ``S`` row slots, and the masks say which slots are real. Padded entries hold
    zeros. A task without a single real row is legal everywhere and means zero shots.

    Attributes
    ----------
    X : Tensor of shape (B, S, D)
        Inputs.
    y : Tensor of shape (B, S, O) or (B, S)
        Targets: floats of shape (B, S, O) for regression, integer class codes of shape (B, S) for
        classification.
    mask : bool Tensor of shape (B, S)
        True for real rows, False for padding.
    class_mask : bool Tensor of shape (B, C) or None
        Which of the ``C`` output slots exist for each task (classification); None means all.
    weight : Tensor of shape (B, S) or None
        Non-negative weight of each row: a row of weight two counts as two rows, one of weight zero
        as none. None means that all weigh one.

    Examples
    --------
    Two tasks, the second with one row less than the first:

    >>> import torch
    >>> from skmeta.nets import Support
    >>> mask = torch.tensor([[True, True, True], [True, True, False]])
    >>> support = Support(torch.zeros(2, 3, 4), torch.zeros(2, 3, 1), mask)
    >>> support.mask.sum(dim=1)
    tensor([3, 2])
    """

    X: Tensor
    y: Tensor
    mask: Tensor
    class_mask: Tensor | None = None
    weight: Tensor | None = None


SUPPORT_ROWS = ("X", "y", "mask", "weight")
"""Those with one entry for each row."""

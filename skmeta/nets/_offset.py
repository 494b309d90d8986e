"""An additive offset: the least that a task can have of its own."""

import torch
from torch import Tensor, nn


class Offset(nn.Module):
    """Add a number to each output.

    As the backbone of :class:`MAML` behind a body, it makes the mapping f(x) + theta, of which each
    task adapts theta.

    Parameters
    ----------
    n_outputs : int
        Number of outputs ``O``.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import Offset
    >>> rows = torch.ones(1, 2, 3)
    >>> Offset(3).forward_tasks({"offset": torch.tensor([[1.0, 2.0, 3.0]])}, rows)[0, 0]
    tensor([2., 3., 4.])
    """

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(n_outputs))

    def forward(self, X: Tensor) -> Tensor:
        """Add the module's own offset to rows of shape (..., O)."""
        return X + self.offset

    def forward_tasks(
        self, params: dict[str, Tensor], X: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Add to the rows of each task, of shape (B, N, O), the offset of the task."""
        return X + params["offset"].unsqueeze(1)

"""Batch normalisation with the statistics of one task."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from skmeta.nets._normalise import normalise


class TaskBatchNorm(nn.Module):
    """Batch normalisation with the statistics of the rows at hand, training or not.

    Running averages over tasks would normalise a task with the statistics of others, so none are
    kept: normalisation is transductive, as in MAML [1]_. A prediction thus depends on the rows
    that it is made together with, and padded rows must not take part.

    Parameters
    ----------
    n_channels : int
        Number of channels ``C``.
    affine : bool, default=True
        Whether to scale and shift the normalised channels by learned numbers.
    eps : float, default=1e-5
        Added to the variance.

    References
    ----------
    .. [1] Finn, Abbeel and Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import TaskBatchNorm
    >>> with torch.no_grad():
    ...     TaskBatchNorm(1)(torch.tensor([[1.0], [3.0]]))
    tensor([[-1.0000],
            [ 1.0000]])
    """

    row_mask: Tensor

    def __init__(self, n_channels: int, affine: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(n_channels)) if affine else None
        # A module's forward has no room for a mask. As a buffer, it can be handed to every layer of
        # a network by a functional call; a scalar stands for all rows.
        self.register_buffer("row_mask", torch.tensor(True), persistent=False)
        # Whoever sets this vouches for it. It is faster, but cannot be vectorised over tasks.
        self.knows_all_real = False

    @classmethod
    def like(cls, batch_norm: _BatchNorm) -> "TaskBatchNorm":
        """Make a layer that shares the parameters of an ordinary batch normalisation."""
        layer = cls(batch_norm.num_features, affine=False, eps=batch_norm.eps)
        layer.weight, layer.bias = batch_norm.weight, batch_norm.bias
        return layer

    def forward(self, X: Tensor) -> Tensor:
        """Normalise each channel over the real rows, and over the pixels if there are any.

        Parameters
        ----------
        X : Tensor of shape (N, C, ...)
            Rows of one task.

        Returns
        -------
        Tensor of shape (N, C, ...)
            Normalised rows.
        """
        if self.knows_all_real and len(X):
            return normalise(X, self.weight, self.bias, self.eps)
        reduced = (0, *range(2, X.ndim))
        share = self._row_share(X)
        centred = X - (X * share).sum(reduced, keepdim=True)
        variance = (centred.square() * share).sum(reduced, keepdim=True)
        normalised = centred * (variance + self.eps).rsqrt()
        per_channel = (-1, *(1 for _ in X.shape[2:]))
        if self.weight is not None:
            normalised = normalised * self.weight.view(per_channel)
        if self.bias is not None:
            normalised = normalised + self.bias.view(per_channel)
        return normalised

    def _row_share(self, X: Tensor) -> Tensor:
        """Weight of each entry of a row in the mean of its channel, of shape (N, 1, ...)."""
        n_pixels = X.shape[2:].numel()
        mask = self.row_mask.expand(len(X)).view(-1, *(1 for _ in X.shape[1:]))
        return mask / (mask.sum() * n_pixels).clamp(min=1).to(X.dtype)

"""A network that is told about the task by context parameters beside its input."""

import torch
from torch import Tensor, nn

from skmeta.nets._functional import forward_shared, with_task_statistics


class ContextNet(nn.Module):
    """Concatenate context parameters to the inputs of a network, as CAVIA [1]_ does.

    The context is all that a task has of its own; it starts from zero, and the network is the same
    for all tasks. If the network takes flat images (it has an attribute ``image_shape``, as
    :class:`ConvNet` has), each context parameter fills a channel.

    Parameters
    ----------
    network : Module
        Network that maps rows of shape (N, D + ``n_context``) to outputs of shape (N, O), or images
        with ``n_context`` further channels. Batch normalisation takes the statistics of a task.
    n_context : int
        Number of context parameters.

    References
    ----------
    .. [1] Zintgraf, Shiarlis, Kurin, Hofmann and Whiteson (2019). Fast context adaptation via
       meta-learning. ICML.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MLP, ContextNet
    >>> net = ContextNet(MLP(n_inputs=3 + 4, n_outputs=1), n_context=4)
    >>> net.forward_tasks({"context": torch.zeros(5, 4)}, torch.zeros(5, 10, 3)).shape
    torch.Size([5, 10, 1])
    """

    def __init__(self, network: nn.Module, n_context: int) -> None:
        super().__init__()
        self.network = with_task_statistics(network)
        # Learning where it starts would only do again what the biases of the first layer do.
        self.context = nn.Parameter(torch.zeros(n_context), requires_grad=False)

    def forward(self, X: Tensor) -> Tensor:
        """Compute the outputs of rows of shape (N, D) with the context that tasks start from."""
        return self.forward_tasks({"context": self.context[None]}, X[None])[0]

    def forward_tasks(
        self, params: dict[str, Tensor], X: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Compute the outputs of every task with a context of its own.

        Parameters
        ----------
        params : dict of Tensor
            "context", of shape (B, ``n_context``).
        X : Tensor of shape (B, N, D)
            Rows of each task.
        mask : bool Tensor of shape (B, N), optional
            True for real rows, False for padding; None means that all are real.

        Returns
        -------
        Tensor of shape (B, N, O)
            Outputs.
        """
        context = params["context"].repeat_interleave(self._n_pixels, dim=-1)
        context = context.unsqueeze(1).expand(-1, X.shape[1], -1)
        return forward_shared(self.network, torch.cat([X, context], dim=-1), mask)

    @property
    def _n_pixels(self) -> int:
        """Inputs that a context parameter fills."""
        shape = getattr(self.network, "image_shape", (1, 1, 1))
        return shape[1] * shape[2]

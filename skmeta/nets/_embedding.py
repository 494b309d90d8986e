"""What learners that work in a learned embedding have in common."""

import torch
from torch import Tensor, nn

from skmeta.nets._batch_norm import TaskBatchNorm
from skmeta.nets._functional import forward_shared
from skmeta.nets._state import State
from skmeta.nets._support import Support


class EmbeddingLearner(nn.Module):
    """Base class of learners that adapt and predict in a learned embedding.

    The embedding is the same for all tasks; what a subclass does with embedded rows is written in
    ``_adapt(support)`` and ``_predict(state, embedded, mask)``.

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    """

    def __init__(self, embedding: nn.Module | None) -> None:
        super().__init__()
        self.embedding = nn.Identity() if embedding is None else embedding

    def adapt(self, support: Support) -> State:
        """Learn every task from its support.

        While training, the outcome is a differentiable function of the embedding and of all else
        that is learned; in evaluation mode, it is detached. Threads may call this at the same time
        in evaluation mode.

        Parameters
        ----------
        support : Support
            Labelled rows of ``B`` tasks. A task without rows gets the prior.

        Returns
        -------
        dict of Tensor
            What was learned of each task.
        """
        with self._gradients():
            return self._adapt(self._embed_support(support))

    def forward(self, state: State, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Apply what was learned to query rows.

        Parameters
        ----------
        state : dict of Tensor
            What :meth:`adapt` returned.
        X : Tensor of shape (B, Q, D)
            Query rows of each task.
        mask : bool Tensor of shape (B, Q), optional
            True for real rows, False for padding; None means that all are real.

        Returns
        -------
        Tensor of shape (B, Q, ...)
            One output per row.
        """
        mask = all_real(X, mask)
        return self._predict(state, forward_shared(self.embedding, X, mask), mask)

    def run_episode(
        self, support: Support, X_query: Tensor, mask_query: Tensor | None = None
    ) -> Tensor:
        """Adapt and predict with one pass of the embedding over all rows of the meta-batch.

        One pass is quicker than two, and ordinary batch normalisation then sees both halves of a
        task with the same statistics. A :class:`TaskBatchNorm` is to see them as it will see those
        of a new task, one after the other.

        Parameters
        ----------
        support : Support
            Labelled rows of ``B`` tasks.
        X_query : Tensor of shape (B, Q, D)
            Query rows of each task.
        mask_query : bool Tensor of shape (B, Q), optional
            True for real query rows, False for padding; None means that all are real.

        Returns
        -------
        Tensor of shape (B, Q, ...)
            One output per query row.
        """
        if any(isinstance(layer, TaskBatchNorm) for layer in self.embedding.modules()):
            return self(self.adapt(support), X_query, mask_query)
        mask_query = all_real(X_query, mask_query)
        rows = torch.cat([support.X, X_query], dim=1)
        mask = torch.cat([support.mask, mask_query], dim=1)
        embedded = forward_shared(self.embedding, rows, mask)
        embedded, embedded_query = embedded.tensor_split([support.X.shape[1]], dim=1)
        with self._gradients():
            state = self._adapt(support._replace(X=embedded))
        return self._predict(state, embedded_query, mask_query)

    def _adapt(self, support: Support) -> State:
        """Learn the tasks from embedded rows; what stands in padded ones is of no meaning."""
        raise NotImplementedError

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        """Outputs for embedded query rows."""
        raise NotImplementedError

    def _embed_support(self, support: Support) -> Support:
        return support._replace(X=forward_shared(self.embedding, support.X, support.mask))

    def _gradients(self) -> torch.set_grad_enabled:
        return torch.set_grad_enabled(self.training and torch.is_grad_enabled())


def all_real(X: Tensor, mask: Tensor | None) -> Tensor:
    """The mask itself, or one that says that all rows are real."""
    return torch.ones(X.shape[:2], dtype=torch.bool, device=X.device) if mask is None else mask

"""One episode as one forward pass."""

from typing import Protocol

from torch import Tensor, nn

from skmeta.nets._state import State
from skmeta.nets._support import Support


class Learner(Protocol):
    """What a neural meta-learner can do."""

    def adapt(self, support: Support) -> State:
        """Learn the tasks from their support rows."""

    def __call__(self, state: State, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Apply what was learned to further rows."""


class Episode(nn.Module):
    """Adapt a learner to support rows and apply it to query rows, in one forward pass.

    Since everything happens inside ``forward``, whatever wraps a module (a skorch net, distributed
    data parallel, Accelerate) wraps the whole episode and synchronises its gradients.

    Parameters
    ----------
    learner : Module
        Neural meta-learner, such as :class:`MAML` or :class:`PrototypeNet`.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import Episode, PrototypeNet
    >>> episode = Episode(PrototypeNet())
    >>> X, y = torch.tensor([[[0.0], [2.0], [10.0]]]), torch.tensor([[0, 0, 1]])
    >>> episode(X_query=torch.tensor([[[4.0]]]), X=X, y=y, mask=torch.ones(1, 3).bool())
    tensor([[[ -9., -36.]]])
    """

    learner: Learner

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(
        self,
        X_query: Tensor,
        X: Tensor,
        y: Tensor,
        mask: Tensor,
        class_mask: Tensor | None = None,
        mask_query: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Run the episode.

        Parameters
        ----------
        X_query : Tensor of shape (B, Q, D)
            Query rows of each task.
        X, y, mask, class_mask, weight : Tensor
            Support rows of each task, as in :class:`Support`.
        mask_query : bool Tensor of shape (B, Q), optional
            True for real query rows, False for padding; None means that all are real.

        Returns
        -------
        Tensor of shape (B, Q, O)
            Outputs for the query rows.
        """
        return self._run(Support(X, y, mask, class_mask, weight), X_query, mask_query)

    def _run(self, support: Support, X_query: Tensor, mask_query: Tensor | None) -> Tensor:
        in_one_pass = getattr(self.learner, "run_episode", None)
        if in_one_pass is not None:
            return in_one_pass(support, X_query, mask_query)
        return self.learner(self.learner.adapt(support), X_query, mask_query)

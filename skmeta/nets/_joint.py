"""Learners that predict several rows together."""

import torch
from torch import Tensor

from skmeta.nets._embedding import EmbeddingLearner, all_real
from skmeta.nets._functional import forward_shared
from skmeta.nets._state import State


class JointLearner(EmbeddingLearner):
    """Base class of learners whose predictions of several rows are a normal distribution.

    A subclass writes ``prior(n_tasks)``, the state of tasks without a support, and
    ``_joint(state, embedded, mask)``: means of query rows, of shape (B, Q, O), and the Cholesky
    factors of their covariances, noise included, of shape (B, Q, O, Q).
    """

    def prior(self, n_tasks: int) -> State:
        """What is known of tasks without a support: the state that :meth:`adapt` starts from."""
        raise NotImplementedError

    def joint(self, state: State, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predictive distribution of the targets of all query rows together, noise included.

        Parameters
        ----------
        state : dict of Tensor
            What :meth:`adapt` or :meth:`prior` returned.
        X : Tensor of shape (B, Q, D)
            Query rows of each task.
        mask : bool Tensor of shape (B, Q), optional
            True for real rows, False for padding; None means that all are real.

        Returns
        -------
        Tensor of shape (B, Q, O, 1 + Q)
            Mean of the rows, and each row of the Cholesky factor of their covariance. Padded rows
            depend on no other.
        """
        mask = all_real(X, mask)
        mean, factors = self._joint(state, forward_shared(self.embedding, X, mask), mask)
        return torch.cat([mean.unsqueeze(-1), factors], dim=-1)

    def _joint(self, state: State, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

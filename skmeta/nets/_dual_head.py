"""Linear classifiers on a learned embedding, solved in the dual."""

import math

import torch
from torch import Tensor, nn

from skmeta.nets._class_slots import class_members, pad_classes
from skmeta.nets._embedding import EmbeddingLearner
from skmeta.nets._losses import mask_classes
from skmeta.nets._state import State
from skmeta.nets._support import Support


class DualHead(EmbeddingLearner):
    r"""Base class of linear classifiers that minimise a loss of the support's logits.

    The head of a task minimises, over its embedded support rows :math:`\phi_i` of weight
    :math:`w_i`,

    .. math:: \sum_i w_i\, \ell(W^\top \phi_i + b, y_i)
              + \tfrac{\alpha}{2} \|W - W_0\|^2 + \tfrac{\alpha_b}{2} \|b - b_0\|^2.

    Its minimum lies in the span of the rows: :math:`W = W_0 + \sum_i \phi_i a_i^\top / \alpha` and
    :math:`b = b_0 + \sum_i a_i / \alpha_b`. A subclass writes ``_coefficients(kernel, offset,
    members, class_mask)``, which finds :math:`a` from products of rows alone; they are few.

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    n_features : int
        Number of features ``E`` of the embedding.
    n_outputs : int
        Number of classes that have a learned prior head, the first ones: all of them where tasks
        share their classes, and 0 where classes are a task's own. Further classes shrink to zero.
    alpha : float, default=1.0
        Penalty, of weights and of the intercept, at first if it is learned.
    learn_prior : bool, default=True
        Whether to learn the penalties, the head to which they shrink, and the scale of logits.
    scale : float, default=1.0
        Factor of the logits, at first if it is learned.
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        n_outputs: int,
        alpha: float = 1.0,
        learn_prior: bool = True,
        scale: float = 1.0,
    ) -> None:
        super().__init__(embedding)
        log_alpha = torch.tensor(math.log(alpha))
        self.log_alpha = nn.Parameter(log_alpha.clone(), learn_prior)
        self.log_alpha_intercept = nn.Parameter(log_alpha.clone(), learn_prior)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), learn_prior)
        self.prior_weight = nn.Parameter(torch.zeros(n_features, n_outputs), learn_prior)
        self.prior_intercept = nn.Parameter(torch.zeros(n_outputs), learn_prior)

    def _adapt(self, support: Support) -> State:
        """Heads, "weight" of shape (B, E, C) and "intercept" of shape (B, 1, C); "class_mask"."""
        members, class_mask = class_members(support, self.prior_weight.shape[1])
        # Solutions are only as precise as what they are made of, and small: 64 bits cost little.
        X = torch.where(support.mask.unsqueeze(-1), support.X, 0.0).double()
        ones = support.mask.unsqueeze(-1).double()
        alpha, alpha_intercept = (
            self.log_alpha.double().exp(),
            self.log_alpha_intercept.double().exp(),
        )
        prior_weight, prior_intercept = (
            pad_classes(part.double(), members.shape[2], dim=part.ndim - 1)
            for part in (self.prior_weight, self.prior_intercept)
        )
        kernel = X @ X.mT / alpha + ones @ ones.mT / alpha_intercept
        offset = X @ prior_weight + prior_intercept
        if members.shape[1]:
            a = self._coefficients(kernel, offset, members.double(), class_mask)
        else:
            a = offset  # no row, no coefficient
        weight = prior_weight + X.mT @ a / alpha
        intercept = prior_intercept + ones.mT @ a / alpha_intercept
        return {
            "weight": weight.to(support.X.dtype),
            "intercept": intercept.to(support.X.dtype),
            "class_mask": class_mask,
        }

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        logits = torch.baddbmm(state["intercept"], embedded, state["weight"])
        return mask_classes(self.log_scale.exp() * logits, state["class_mask"])

    def _coefficients(
        self, kernel: Tensor, offset: Tensor, members: Tensor, class_mask: Tensor
    ) -> Tensor:
        raise NotImplementedError

"""Support vector machines on a learned embedding."""

from torch import Tensor, nn

from skmeta.nets._crammer_singer import crammer_singer_dual
from skmeta.nets._dual_head import DualHead


class SVMHead(DualHead):
    r"""Multi-class support vector machine on a learned embedding (MetaOptNet [1]_), batched.

    The loss in the objective of :class:`DualHead`, which see for the parameters, is the multi-class
    hinge loss of Crammer and Singer, :math:`\max_c (f_c + [c \ne y]) - f_y` (eq. 7 of [1]_, with
    :math:`C = 1 / \alpha`); :func:`crammer_singer_dual` solves it. The head to which it shrinks is
    learned, where the paper's is zero. Decisions times a learned scale are logits (eq. 12).

    References
    ----------
    .. [1] Lee, Maji, Ravichandran and Soatto (2019). Meta-learning with differentiable convex
       optimization. CVPR.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import SVMHead, Support
    >>> X, y = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[0, 1]])
    >>> head = SVMHead(None, n_features=1, n_outputs=0)
    >>> state = head.adapt(Support(X, y, torch.ones(1, 2).bool()))
    >>> head(state, torch.tensor([[[-3.0], [3.0]]])).argmax(-1)
    tensor([[0, 1]])
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        n_outputs: int,
        alpha: float = 1.0,
        learn_prior: bool = True,
        scale: float = 3.0,  # a margin of one is then a probability of 95 % beside one other class
    ) -> None:
        super().__init__(embedding, n_features, n_outputs, alpha, learn_prior, scale)

    def _coefficients(
        self, kernel: Tensor, offset: Tensor, members: Tensor, class_mask: Tensor
    ) -> Tensor:
        return crammer_singer_dual(kernel, offset, members, class_mask)

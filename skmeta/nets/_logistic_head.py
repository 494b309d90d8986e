"""Logistic regression on a learned embedding."""

from torch import Tensor

from skmeta.nets._dual_head import DualHead
from skmeta.nets._softmax_dual import softmax_dual


class LogisticHead(DualHead):
    r"""Multinomial logistic regression on a learned embedding, batched over tasks.

    The loss in the objective of :class:`DualHead`, which see for the parameters, is cross-entropy.
    In [1]_ (LR-D2) the regression is binary, with a few unrolled steps of Newton's method; here it
    is multinomial, solved to convergence and differentiated there (:func:`softmax_dual`), and the
    head to which it shrinks is learned, too.

    References
    ----------
    .. [1] Bertinetto, Henriques, Torr and Vedaldi (2019). Meta-learning with differentiable
       closed-form solvers. ICLR. Section 3.2.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import LogisticHead, Support
    >>> X, y = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[0, 1]])
    >>> head = LogisticHead(None, n_features=1, n_outputs=0)
    >>> state = head.adapt(Support(X, y, torch.ones(1, 2).bool()))
    >>> head(state, torch.tensor([[[-3.0], [3.0]]])).argmax(-1)
    tensor([[0, 1]])
    """

    def _coefficients(
        self, kernel: Tensor, offset: Tensor, members: Tensor, class_mask: Tensor
    ) -> Tensor:
        return softmax_dual(kernel, offset, members, class_mask)

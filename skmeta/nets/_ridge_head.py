"""Ridge regression on a learned embedding, towards a learned head."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._cholesky import cholesky
from skmeta.nets._class_slots import class_members
from skmeta.nets._linear_head import LinearHead
from skmeta.nets._losses import mask_classes
from skmeta.nets._state import State
from skmeta.nets._support import Support


class RidgeHead(LinearHead):
    r"""Ridge regression on a learned embedding [1]_, on all tasks of a meta-batch at once.

    The head of a task minimises, over its embedded support rows :math:`\phi_i`,

    .. math:: \sum_i \|y_i - W^\top \phi_i - b\|^2
              + \alpha \|W - W_0\|^2 + \alpha_b \|b - b_0\|^2.

    The paper (eq. 4 of [1]_) shrinks to zero and has no intercept; here the head :math:`W_0, b_0`
    that it shrinks to is learned, as is :math:`\alpha_b`, so that a task without a row has a
    meaningful head, too. The solution is that of the primal or of the dual problem (eq. 6 of [1]_),
    whichever is smaller.

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    n_features : int
        Number of features ``E`` of the embedding.
    n_outputs : int
        Number of outputs ``O``.
    alpha : float, default=1.0
        Penalty, at first if it is learned.
    learn_prior : bool, default=True
        Whether to learn the penalties and the head to which they shrink. Otherwise the penalty is
        `alpha`, the head shrinks to zero and its intercept is free, as in scikit-learn's ``Ridge``.

    References
    ----------
    .. [1] Bertinetto, Henriques, Torr and Vedaldi (2019). Meta-learning with differentiable
       closed-form solvers. ICLR.

    See Also
    --------
    LinearHead : The base class, with the methods ``adapt`` and ``update``.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import RidgeHead, Support
    >>> X, y = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[[2.0], [4.0]]])
    >>> head = RidgeHead(None, n_features=1, n_outputs=1, alpha=2.0, learn_prior=False)
    >>> state = head.adapt(Support(X, y, torch.ones(1, 2).bool()))
    >>> head(state, torch.tensor([[[0.0], [1.0]]])).flatten()
    tensor([3.0000, 3.5000])
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        n_outputs: int,
        alpha: float = 1.0,
        learn_prior: bool = True,
    ) -> None:
        super().__init__(embedding)
        self.has_free_intercept = not learn_prior
        log_alpha = torch.tensor(math.log(alpha))
        self.log_alpha = nn.Parameter(log_alpha.clone(), learn_prior)
        self.log_alpha_intercept = nn.Parameter(log_alpha.clone(), learn_prior)
        self.prior_weight = nn.Parameter(torch.zeros(n_features, n_outputs), learn_prior)
        self.prior_intercept = nn.Parameter(torch.zeros(1, n_outputs), learn_prior)

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        return torch.baddbmm(state["intercept"], embedded, state["weight"])

    def _solve(self, table: Tensor) -> State:
        """Heads, "weight" of shape (B, E, O) and "intercept" of shape (B, 1, O)."""
        alpha, alpha_intercept = self.log_alpha.exp(), self.log_alpha_intercept.exp()
        if self.has_free_intercept:
            alpha_intercept = torch.zeros_like(alpha_intercept)
        n_outputs = table.shape[-1] - 1 - len(self.prior_weight)
        # Classes that no training task had shrink to zero.
        n_new = max(n_outputs - self.prior_weight.shape[1], 0)
        prior_weight = F.pad(self.prior_weight, (0, n_new))
        prior_intercept = F.pad(self.prior_intercept, (0, n_new))
        ones, X, y = table.split([1, len(prior_weight), n_outputs], dim=-1)
        residual = y - X @ prior_weight - ones * prior_intercept
        weight, intercept = _ridge(ones, X, residual, alpha, alpha_intercept)
        return {"weight": prior_weight + weight, "intercept": prior_intercept + intercept}


class RidgeClassifierHead(RidgeHead):
    r"""Classification by ridge regression on one-hot labels [1]_, in a learned embedding.

    The logits are the outputs of a :class:`RidgeHead` times a learned scale (eq. 7 of [1]_; the
    bias beside it is the same for all classes and drops out of the softmax).

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are.
    n_features : int
        Number of features ``E`` of the embedding.
    n_outputs : int
        Number of classes that have a learned prior head, the first ones: all of them where tasks
        share their classes, and 0 where classes are a task's own. Further classes shrink to zero.
    alpha : float, default=1.0
        Penalty, at first if it is learned.
    learn_prior : bool, default=True
        Whether to learn the penalties and the head to which they shrink.

    References
    ----------
    .. [1] Bertinetto, Henriques, Torr and Vedaldi (2019). Meta-learning with differentiable
       closed-form solvers. ICLR.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import RidgeClassifierHead, Support
    >>> X, y = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[0, 1]])
    >>> head = RidgeClassifierHead(None, n_features=1, n_outputs=0)
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
    ) -> None:
        super().__init__(embedding, n_features, n_outputs, alpha, learn_prior)
        # One-hot targets make outputs of about 0 and 1: far too small for logits.
        self.log_scale = nn.Parameter(torch.tensor(math.log(5.0)))

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        logits = self.log_scale.exp() * super()._predict(state, embedded, mask)
        return mask_classes(logits, state.get("class_mask"))

    def _target(self, support: Support) -> Tensor:
        # The weights of rows are the table's business.
        return class_members(support._replace(weight=None), self.prior_weight.shape[1])[0]


def _ridge(
    ones: Tensor, X: Tensor, y: Tensor, alpha: Tensor, alpha_intercept: Tensor
) -> tuple[Tensor, Tensor]:
    """Ridge regression with a penalised intercept, of shapes (B, E, O) and (B, 1, O).

    Minimising over the intercept first leaves a regression without one on rows that are partly
    centred, and fully so if the intercept is free.
    """
    n_rows = ones.square().sum(dim=1, keepdim=True)
    # Padding and tasks without rows must not divide by zero.
    denominator = torch.where(n_rows > 0, n_rows + alpha_intercept, 1.0)
    share = (1.0 - (alpha_intercept / denominator).sqrt()) / n_rows.clamp(min=1.0)
    centred_X = X - share * ones * (ones.mT @ X)
    centred_y = y - share * ones * (ones.mT @ y)
    weight = _solve_ridge(centred_X, centred_y, alpha)
    return weight, ones.mT @ (y - X @ weight) / denominator


def _solve_ridge(X: Tensor, y: Tensor, alpha: Tensor) -> Tensor:
    """Ridge regression without an intercept: the primal or the dual, whichever is smaller."""
    n_rows, n_features = X.shape[-2:]
    eye = torch.eye(min(n_rows, n_features), dtype=X.dtype, device=X.device)
    if n_rows < n_features:
        return X.mT @ torch.cholesky_solve(y, cholesky(X @ X.mT + alpha * eye))
    return torch.cholesky_solve(X.mT @ y, cholesky(X.mT @ X + alpha * eye))

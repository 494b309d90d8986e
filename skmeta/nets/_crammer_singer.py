"""The dual of the multi-class support vector machine, differentiable at the solution."""

from typing import NamedTuple

import torch
from torch import Tensor

from skmeta.nets._cholesky import cholesky

_MAX_STEPS, _TOLERANCE = 60, 1e-11
# Relative to the mean of the kernel's diagonal: makes the solution unique where rows depend on each
# other.
_RIDGE = 1e-10


class _Program(NamedTuple):
    """Minimise ½ Σ_c a_c' H a_c - Σ_c g_c' a_c under a <= bound and Σ_c a_c = 0, for each task."""

    hessian: Tensor  # (B, S, S)
    gain: Tensor  # (B, C, S)
    bound: Tensor  # (B, C, S)
    is_variable: Tensor  # bool (B, C, S); others are zero


def crammer_singer_dual(
    kernel: Tensor, offset: Tensor, members: Tensor, class_mask: Tensor
) -> Tensor:
    r"""Coefficients of the multi-class support vector machine of each task.

    They solve the dual of Crammer and Singer (eq. 8 to 11 of [1]_),

    .. math:: \min_a \tfrac12 \sum_c a_c^\top K a_c - \sum_{ic} a_{ic} ([y_i = c] - f_{0,ic}), \quad
              a_{ic} \le w_i [y_i = c], \quad \sum_c a_{ic} = 0,

    with the weights :math:`w` of rows and the logits :math:`f_0` of a prior. An interior point
    method, batched over tasks, solves it to rounding in about fifteen steps without a record of
    gradients; classes meet only in the sums, so that a step factors one matrix of the size of the
    rows for each class. The step of Newton's method for the coefficients that no bound holds is
    recorded at the solution, with a constant matrix: its value is nothing, and its derivative that
    of the implicit function theorem.

    Parameters
    ----------
    kernel : Tensor of shape (B, S, S)
        Products of rows over the penalty; zeros for padded rows. Its mean diagonal times
        1e-10 is added to the diagonal.
    offset : Tensor of shape (B, S, C)
        Logits of the prior.
    members : Tensor of shape (B, S, C)
        Weight of each row in the column of its class, else zero.
    class_mask : bool Tensor of shape (B, C)
        Which classes exist.

    Returns
    -------
    Tensor of shape (B, S, C)
        Coefficients.

    References
    ----------
    .. [1] Lee, Maji, Ravichandran and Soatto (2019). Meta-learning with differentiable convex
       optimization. CVPR.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import crammer_singer_dual
    >>> rows = torch.tensor([[[-2.0], [2.0]]]).double()
    >>> members, offset = torch.eye(2)[None].double(), torch.zeros(1, 2, 2).double()
    >>> a = crammer_singer_dual(rows @ rows.mT, offset, members, torch.ones(1, 2).bool())
    >>> (rows.mT @ a).round(decimals=4)  # decisions of 1/2 and -1/2: a margin of one
    tensor([[[-0.2500,  0.2500]]], dtype=torch.float64)
    """
    weight = members.sum(dim=2)
    is_variable = (weight > 0).unsqueeze(1) & class_mask.unsqueeze(2)
    program = _Program(
        kernel + _ridge(kernel, weight),
        torch.where(is_variable, ((members > 0).to(offset.dtype) - offset).mT, 0.0),
        members.mT,
        is_variable,
    )
    with torch.no_grad():
        a, multiplier, is_free = _interior_point(program)
    gradient = program.gain - a @ program.hessian - multiplier.unsqueeze(1)
    system = _System.factor(program.hessian.detach(), torch.zeros_like(a), is_free)
    step, _ = system.solve(gradient, torch.zeros_like(multiplier))
    return (a + (step - step.detach())).mT


def _ridge(kernel: Tensor, weight: Tensor) -> Tensor:
    """What is added to the diagonal: less for a row that counts for more, as for several rows."""
    n_rows = (weight > 0).sum(dim=1, keepdim=True).clamp(min=1)
    mean = kernel.detach().diagonal(dim1=1, dim2=2).sum(dim=1, keepdim=True) / n_rows
    smallest = torch.finfo(kernel.dtype).tiny
    ridge = _RIDGE * mean.clamp(min=smallest) / torch.where(weight > 0, weight, 1.0)
    return ridge.diag_embed()


def _interior_point(program: _Program) -> tuple[Tensor, Tensor, Tensor]:
    """Coefficients (B, C, S), multipliers of the sums (B, S), and which no bound holds.

    Mehrotra's predictor and corrector.
    """
    hessian, gain, bound, is_variable = program
    a = _inside(program)
    multiplier = torch.zeros_like(a[:, 0])
    price = is_variable.to(a.dtype)  # of the bounds
    scale = 1.0 + gain.abs().amax(dim=(1, 2), keepdim=True)
    for _ in range(_MAX_STEPS):
        slack = torch.where(is_variable, bound - a, 1.0)
        gradient = gain - a @ hessian - multiplier.unsqueeze(1) - price
        gradient = torch.where(is_variable, gradient, 0.0)
        gap = _gap(slack, price, is_variable)
        error = gradient.abs().amax(dim=(1, 2), keepdim=True)
        is_done = (gap <= _TOLERANCE) & (error <= 1e-9 * scale)
        if is_done.all():
            break
        barrier, sums = price / slack, -a.sum(dim=1)
        system = _System.factor(hessian, barrier, is_variable)
        da, _ = system.solve(gradient + price, sums)
        dp = barrier * da - price
        length = torch.minimum(_length(slack, -da), _length(price, dp))
        ahead = _gap(slack - length * da, price + length * dp, is_variable)
        # The nearer the straight way leads to the solution, the less it has to keep to the centre.
        target = (ahead / gap.clamp(min=1e-300)) ** 3 * gap + da * dp
        da, dm = system.solve(gradient + price - target / slack, sums)
        dp = torch.where(is_variable, target / slack + barrier * da - price, 0.0)
        length = 0.99 * torch.minimum(_length(slack, -da), _length(price, dp))
        length = torch.where(is_done, 0.0, length)
        a, price = a + length * da, price + length * dp
        multiplier = multiplier + length[:, 0] * dm
    is_free = is_variable & (bound - a > price * bound.sum(dim=1, keepdim=True))
    return a, multiplier, is_free


def _inside(program: _Program) -> Tensor:
    """A start between the bounds whose sums are zero: half the bound for a row's own class."""
    own = 0.5 * program.bound
    is_other = program.is_variable & (program.bound == 0)
    n_others = is_other.sum(dim=1, keepdim=True)
    share = own.sum(dim=1, keepdim=True) / n_others.clamp(min=1)
    return torch.where(n_others > 0, own - torch.where(is_other, share, 0.0), 0.0)


def _length(value: Tensor, change: Tensor) -> Tensor:
    """The longest step, at most one, that keeps every value of a task positive."""
    ratio = torch.where(change < 0, -value / change, torch.inf)
    return ratio.amin(dim=(1, 2), keepdim=True).clamp(max=1.0)


def _gap(slack: Tensor, price: Tensor, is_variable: Tensor) -> Tensor:
    """Mean product of slacks and prices, zero at the solution, of shape (B, 1, 1)."""
    total = torch.where(is_variable, slack * price, 0.0).sum(dim=(1, 2), keepdim=True)
    return total / is_variable.sum(dim=(1, 2), keepdim=True).clamp(min=1)


class _System(NamedTuple):
    """Linear equations (H + diag(barrier_c)) x_c + m = rhs_c and Σ_c x_c = sums for x and m."""

    inverse: Tensor  # (B, C, S, S) of the matrices of the classes, zero for what is no variable
    coupling: Tensor  # (B, S, S) Cholesky factor of their sum
    is_fixed: Tensor  # (B, S): rows without a variable

    @classmethod
    def factor(cls, hessian: Tensor, barrier: Tensor, is_variable: Tensor) -> "_System":
        both = is_variable.unsqueeze(2) & is_variable.unsqueeze(3)
        diagonal = torch.where(is_variable, barrier, 1.0).diag_embed()
        factor = cholesky(torch.where(both, hessian.unsqueeze(1), 0.0) + diagonal)
        inverse = torch.where(both, torch.cholesky_inverse(factor), 0.0)
        is_fixed = ~is_variable.any(dim=1)
        coupling = cholesky(inverse.sum(dim=1) + is_fixed.to(inverse.dtype).diag_embed())
        return cls(inverse, coupling, is_fixed)

    def solve(self, rhs: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """Solution x of shape (B, C, S), zero for what is no variable, and m of shape (B, S)."""
        x = (self.inverse @ rhs.unsqueeze(-1)).squeeze(-1)
        excess = torch.where(self.is_fixed, 0.0, x.sum(dim=1) - sums)
        m = torch.cholesky_solve(excess.unsqueeze(-1), self.coupling)
        return x - (self.inverse @ m.unsqueeze(1)).squeeze(-1), m.squeeze(-1)

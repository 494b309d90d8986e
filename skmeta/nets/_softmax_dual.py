"""Penalised multinomial logistic regression in the dual, differentiable at the solution."""

import torch
from torch import Tensor

from skmeta.nets._cholesky import cholesky
from skmeta.nets._losses import mask_classes

_MAX_STEPS = 100
_SMALL = 1e-7  # a step of this size leaves an error of its square


def softmax_dual(kernel: Tensor, offset: Tensor, members: Tensor, class_mask: Tensor) -> Tensor:
    r"""Coefficients of the multinomial logistic regression of each task.

    They minimise :math:`\tfrac12 \sum_c a_c^\top K a_c + \sum_i w_i \ell(f_i, y_i)` with the logits
    :math:`f = f_0 + K a` and the cross-entropy :math:`\ell`. Newton's method (algorithm 3.3 of
    [1]_, with weights and damping) is run to convergence without a record of gradients. One more
    step, taken from the solution with a constant Hessian, is recorded: as the gradient vanishes
    there, its derivative is that of the implicit function theorem, to which those of more and more
    unrolled steps converge.

    Parameters
    ----------
    kernel : Tensor of shape (B, S, S)
        Products of rows over the penalty; zeros for padded rows.
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
    .. [1] Rasmussen and Williams (2006). Gaussian processes for machine learning. MIT Press.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import softmax_dual
    >>> kernel, members = torch.eye(2)[None].double(), torch.eye(2)[None].double()
    >>> a = softmax_dual(kernel, torch.zeros(1, 2, 2).double(), members, torch.ones(1, 2).bool())
    >>> torch.allclose(a, members - a.softmax(-1))
    True
    """
    weight = members.sum(dim=2, keepdim=True)
    with torch.no_grad():
        a = _newton(kernel, offset, members, class_mask)
        proba = mask_classes(offset + kernel @ a, class_mask).softmax(dim=2)
    fitted = mask_classes(offset + kernel @ a, class_mask).softmax(dim=2)
    residual = members - weight * fitted - a
    return a + _solve(kernel.detach(), proba, weight, residual)


def _newton(kernel: Tensor, offset: Tensor, members: Tensor, class_mask: Tensor) -> Tensor:
    weight = members.sum(dim=2, keepdim=True)
    a = torch.zeros_like(members)
    value = _objective(a, kernel, offset, members, class_mask)
    for _ in range(_MAX_STEPS):
        gain = kernel @ a
        proba = mask_classes(offset + gain, class_mask).softmax(dim=2)
        mean_gain = (proba * gain).sum(dim=2, keepdim=True)
        target = weight * proba * (gain - mean_gain) + members - weight * proba
        direction = _solve(kernel, proba, weight, target) - a
        a, value = _descend(a, direction, value, kernel, offset, members, class_mask)
        if not (direction.abs() > _SMALL * weight.clamp(min=1.0)).any():
            break
    return a


def _descend(
    a: Tensor, direction: Tensor, value: Tensor, *problem: Tensor
) -> tuple[Tensor, Tensor]:
    """Halve the step of each task until its objective does not rise, but for rounding."""
    size = torch.ones_like(value)
    bound = value + 1e-12 * value.abs().clamp(min=1.0)
    for _ in range(30):
        candidate = a + size.view(-1, 1, 1) * direction
        found = _objective(candidate, *problem)
        is_worse = ~(found <= bound)
        if not is_worse.any():
            break
        size = torch.where(is_worse, 0.5 * size, size)
    return candidate, found


def _objective(
    a: Tensor, kernel: Tensor, offset: Tensor, members: Tensor, class_mask: Tensor
) -> Tensor:
    """Value of each task."""
    gain = kernel @ a
    log_proba = mask_classes(offset + gain, class_mask).log_softmax(dim=2)
    loss = -torch.where(members > 0, members * log_proba, 0.0)
    return (0.5 * a * gain + loss).sum(dim=(1, 2))


def _solve(kernel: Tensor, proba: Tensor, weight: Tensor, rhs: Tensor) -> Tensor:
    """Solve (I + W K) x = rhs, where W is the Hessian of the cross-entropy."""
    inner, coupling = softmax_curvature(kernel, proba, weight)
    rhs = rhs.mT.unsqueeze(-1)
    explained = inner @ (kernel.unsqueeze(1) @ rhs)
    shared = torch.cholesky_solve(explained.sum(dim=1), coupling).unsqueeze(1)
    return (rhs - explained + inner @ shared).squeeze(-1).mT


def softmax_curvature(kernel: Tensor, proba: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    r"""Factor the Hessian of the cross-entropy together with the kernel.

    The Hessian :math:`W` is diagonal, for each class, less a part that couples the classes of a
    row; the latter has the rank of the number of rows. So
    :math:`(K + W^{-1})^{-1}` has the blocks :math:`E_c [c = d] - E_c M^{-1} E_d` with
    :math:`M = \sum_c E_c` (eq. 3.47 of [1]_).

    Parameters
    ----------
    kernel : Tensor of shape (B, S, S)
        Covariance of the rows.
    proba : Tensor of shape (B, S, C)
        Probabilities of the classes.
    weight : Tensor of shape (B, S, 1)
        Weight of each row.

    Returns
    -------
    inner : Tensor of shape (B, C, S, S)
        The matrices :math:`E_c`; zeros for rows of no weight.
    coupling : Tensor of shape (B, S, S)
        Cholesky factor of :math:`M`, with units for rows of no weight.

    References
    ----------
    .. [1] Rasmussen and Williams (2006). Gaussian processes for machine learning. MIT Press.
    """
    diagonal = weight * proba
    # The derivative of a root is infinite at zero: no row without weight, no class that does not
    # exist must reach it.
    root = torch.where(diagonal > 0, diagonal, 1.0).sqrt()
    root = torch.where(diagonal > 0, root, 0.0).mT.unsqueeze(-1)  # (B, C, S, 1)
    eye = torch.eye(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device)
    factor = cholesky(eye + root * kernel.unsqueeze(1) * root.mT)
    inner = root * torch.cholesky_inverse(factor) * root.mT
    coupling = cholesky(inner.sum(dim=1) + torch.where(weight > 0, 0.0, 1.0) * eye)
    return inner, coupling

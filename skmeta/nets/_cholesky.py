"""Cholesky factors that survive rounding, and say so."""

import warnings

import torch
from torch import Tensor

# Rounding is of the order of the second; beyond the last it is not rounding.
_JITTERS = {
    torch.float32: (0.0, 1e-7, 1e-6, 1e-5, 1e-4),
    torch.float64: (0.0, 1e-15, 1e-14, 1e-13, 1e-12, 1e-10, 1e-8),
}


def cholesky(A: Tensor) -> Tensor:
    """Cholesky factors of a batch of matrices, with jitter where rounding asks for it.

    A positive definite matrix may cease to be so by rounding. Its diagonal is then raised by the
    least of a few powers of ten, relative to its mean, that is enough; a warning names it. A
    matrix that is not finite gets a factor of NaN, so that a loss shows it.

    Parameters
    ----------
    A : Tensor of shape (..., N, N)
        Symmetric matrices.

    Returns
    -------
    Tensor of shape (..., N, N)
        Lower triangular factors.

    Raises
    ------
    torch.linalg.LinAlgError
        If a matrix is far from positive definite.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import cholesky
    >>> cholesky(torch.tensor([[4.0, 2.0], [2.0, 2.0]]))
    tensor([[2., 0.],
            [1., 1.]])
    """
    factor, info = torch.linalg.cholesky_ex(A)
    return factor if not info.any() else _jittered(A)


def _jittered(A: Tensor) -> Tensor:
    """Factors with the same relative jitter for all matrices of the batch."""
    is_finite = A.isfinite().all(dim=-1).all(dim=-1)[..., None, None]
    eye = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
    finite = torch.where(is_finite, A, eye)
    scale = finite.diagonal(dim1=-2, dim2=-1).mean(dim=-1)[..., None, None]
    for jitter in _JITTERS[A.dtype]:
        factor, info = torch.linalg.cholesky_ex(finite + jitter * scale * eye)
        if not info.any():
            if jitter:
                _warn(jitter)
            return torch.where(is_finite, factor, torch.nan)
    raise torch.linalg.LinAlgError(
        f"A matrix is not positive definite, not even with {jitter:.0e} of the mean of its "
        "diagonal added to the diagonal."
    )


def _warn(jitter: float) -> None:
    warnings.warn(
        f"A matrix was not positive definite to rounding: {jitter:.0e} of the mean of its diagonal "
        "was added to the diagonal. More regularisation or noise, or 64 bits, avoid this.",
        RuntimeWarning,
        stacklevel=3,
    )

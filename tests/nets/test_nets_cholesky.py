import pytest
import torch

from skmeta.nets import cholesky


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_definite_matrices_get_their_factors(dtype):
    root = torch.randn(4, 3, 3, dtype=dtype)
    A = root @ root.mT + torch.eye(3)
    factor = cholesky(A)
    torch.testing.assert_close(factor @ factor.mT, A)
    assert torch.equal(factor, factor.tril())


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-4), (torch.float64, 1e-8)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_jitter_is_relative_and_reported(dtype, rtol, scale):
    rows = torch.randn(8, 2, dtype=dtype)
    A = scale * (rows @ rows.T) - scale * torch.finfo(dtype).eps * torch.eye(8, dtype=dtype)
    with pytest.warns(RuntimeWarning, match="of the mean of its diagonal"):
        factor = cholesky(A[None])
    torch.testing.assert_close(
        factor[0] @ factor[0].T / scale, A / scale, rtol=rtol, atol=10 * rtol
    )


def test_indefinite_matrices_are_refused():
    with pytest.raises(torch.linalg.LinAlgError, match="not positive definite"):
        cholesky(-torch.eye(2))


def test_a_loss_shows_matrices_that_are_not_finite():
    factor = cholesky(torch.stack([torch.eye(2), torch.full((2, 2), torch.nan)]))
    assert torch.equal(factor[0], torch.eye(2))
    assert factor[1].isnan().all()

"""The rows of a support as one table: all that a linear model remembers of them."""

import torch
from torch import Tensor


def row_table(embedded: Tensor, y: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """Put a one, the features and the targets of each row side by side.

    Padded rows are zero and thus change no product of the table with itself, of which the solutions
    of linear models are made. For the same reason a row is multiplied by the root of its weight.

    Parameters
    ----------
    embedded : Tensor of shape (B, S, E)
        Features of the rows.
    y : Tensor of shape (B, S, O)
        Targets.
    mask : bool Tensor of shape (B, S)
        True for real rows, False for padding.
    weight : Tensor of shape (B, S), optional
        Weight of each row; None stands for ones.

    Returns
    -------
    Tensor of shape (B, S, 1 + E + O)
        The table.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import row_table
    >>> mask = torch.tensor([[True, False]])
    >>> row_table(torch.full((1, 2, 1), 5.0), torch.full((1, 2, 1), 7.0), mask)
    tensor([[[1., 5., 7.],
             [0., 0., 0.]]])
    """
    table = torch.cat([torch.ones_like(y[..., :1]), embedded, y], dim=-1)
    if weight is not None:
        table = table * weight.sqrt().unsqueeze(-1)
    return torch.where(mask.unsqueeze(-1), table, 0.0)


def compress_rows(table: Tensor) -> Tensor:
    """Replace a table of more rows than columns by a square one with the same products.

    Parameters
    ----------
    table : Tensor of shape (B, S, T)
        Tables.

    Returns
    -------
    Tensor of shape (B, min(S, T), T)
        Tables with the same :math:`T^\\top T`: the triangular factor of the QR decomposition, which
        is more precise than the product itself.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import compress_rows
    >>> table = torch.randn(2, 100, 3)
    >>> small = compress_rows(table)
    >>> small.shape
    torch.Size([2, 3, 3])
    >>> torch.allclose(small.mT @ small, table.mT @ table, atol=1e-3)
    True
    """
    n_rows, n_columns = table.shape[-2:]
    return table if n_rows <= n_columns else torch.linalg.qr(table, mode="r").R

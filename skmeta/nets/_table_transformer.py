"""A transformer over the cells of a table, which attends along columns and along rows."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._row_attention import RowAttention

_FREQUENCIES = (1.0, 2.0, 4.0)


class NumberEmbedding(nn.Module):
    """Embed numbers: each, its waves of a few lengths, and a network of one hidden layer.

    Parameters
    ----------
    n_numbers : int
        Numbers of a cell.
    n_units : int
        Size ``E`` of the token.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets._table_transformer import NumberEmbedding
    >>> NumberEmbedding(2, 8)(torch.zeros(5, 2)).shape
    torch.Size([5, 8])
    """

    def __init__(self, n_numbers: int, n_units: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_numbers * (1 + 2 * len(_FREQUENCIES)), n_units)
        self.output = nn.Linear(n_units, n_units)

    def forward(self, numbers: Tensor) -> Tensor:
        """Embed numbers of shape (..., n_numbers)."""
        waves = [f(k * numbers) for k in _FREQUENCIES for f in (torch.sin, torch.cos)]
        return self.output(F.gelu(self.hidden(torch.cat([numbers, *waves], dim=-1))))


class TableLayer(nn.Module):
    """One layer: cells attend along their column, then along their row, then go through an MLP.

    Along a column, all rows attend to those of the support; along a row, cells attend to all
    cells of the row. So rows of the query know nothing of each other.

    Parameters
    ----------
    n_units : int
        Size ``E`` of a token.
    n_heads : int
        Heads of each attention.
    """

    def __init__(self, n_units: int, n_heads: int) -> None:
        super().__init__()
        self.along_columns = RowAttention(n_units, n_heads)
        self.along_rows = RowAttention(n_units, n_heads)
        self.norms = nn.ModuleList(nn.LayerNorm(n_units) for _ in range(3))
        self.hidden = nn.Linear(n_units, 2 * n_units)
        self.output = nn.Linear(2 * n_units, n_units)

    def forward(
        self,
        cells: Tensor,
        n_support: int,
        column_weight: Tensor,
        row_weight: Tensor,
        first_row: int = 0,
    ) -> Tensor:
        """Apply the layer.

        Parameters
        ----------
        cells : Tensor of shape (G, R, D, E)
            Cells of tables, the support rows first.
        n_support : int
            Number of support rows ``S``.
        column_weight : Tensor of shape (G, D, S)
            Logarithm of the weight of each cell of the support within its column.
        row_weight : Tensor of shape (G, R, D)
            The same within its row: zero, or minus infinity for a cell that does not exist.
        first_row : int, default=0
            The rows before are attended to, but not computed: nobody wants those of the support
            after the last layer.

        Returns
        -------
        Tensor of shape (G, R - first_row, D, E)
            Cells.
        """
        n_tables, _, n_columns, _ = cells.shape
        columns = self.norms[0](cells).transpose(1, 2).flatten(end_dim=1)
        found = self.along_columns(
            columns[:, first_row:],
            columns[:, :n_support],
            columns[:, :n_support],
            column_weight.flatten(end_dim=1),
        )
        cells = cells[:, first_row:]
        cells = cells + found.unflatten(0, (n_tables, n_columns)).transpose(1, 2)
        rows = self.norms[1](cells).flatten(end_dim=1)
        found = self.along_rows(rows, rows, rows, row_weight[:, first_row:].flatten(end_dim=1))
        cells = cells + found.view(cells.shape)
        return cells + self.output(F.gelu(self.hidden(self.norms[2](cells))))


class TableTransformer(nn.Module):
    """Layers over the cells of a table; what comes out is the token of each row's target.

    The target is one more column, as in TabPFN v2 [1]_, unknown in rows of the query. Columns
    have no position, so that their order changes nothing.

    Parameters
    ----------
    n_units : int, default=32
        Size ``E`` of a token.
    n_heads : int, default=2
        Heads of each attention.
    n_layers : int, default=2
        Number of layers.

    References
    ----------
    .. [1] Hollmann et al. (2025). Accurate predictions on small data with a tabular foundation
       model. Nature 637, 319-326. Figure 1 and Methods.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import TableTransformer
    >>> net = TableTransformer()
    >>> cells, targets = torch.zeros(2, 10, 4, 32), torch.zeros(2, 10, 32)
    >>> net(cells, targets, torch.ones(2, 10, 4).bool(), torch.zeros(2, 6)).shape
    torch.Size([2, 4, 32])
    """

    def __init__(self, n_units: int = 32, n_heads: int = 2, n_layers: int = 2) -> None:
        super().__init__()
        self.n_units = n_units
        self.layers = nn.ModuleList(TableLayer(n_units, n_heads) for _ in range(n_layers))
        self.norm = nn.LayerNorm(n_units)

    def forward(self, cells: Tensor, targets: Tensor, exists: Tensor, log_weight: Tensor) -> Tensor:
        """Compute the target tokens of the query rows.

        Parameters
        ----------
        cells : Tensor of shape (G, S + Q, D, E)
            Cells of the features, the support rows first.
        targets : Tensor of shape (G, S + Q, E)
            Cells of the target; those of the query must not know it.
        exists : bool Tensor of shape (G, S + Q, D)
            Which cells there are; nothing attends to others.
        log_weight : Tensor of shape (G, S)
            Logarithm of the weight of each support row, minus infinity for padding.

        Returns
        -------
        Tensor of shape (G, Q, E)
            Tokens.
        """
        n_support = log_weight.shape[1]
        cells = torch.cat([cells, targets.unsqueeze(2)], dim=2)
        exists = F.pad(exists, (0, 1), value=True)
        row_weight = torch.zeros_like(exists, dtype=cells.dtype).masked_fill(~exists, -torch.inf)
        column_weight = (row_weight[:, :n_support] + log_weight.unsqueeze(-1)).mT
        *layers, last = self.layers
        for layer in layers:
            cells = layer(cells, n_support, column_weight, row_weight)
        cells = last(cells, n_support, column_weight, row_weight, first_row=n_support)
        return self.norm(cells[:, :, -1])

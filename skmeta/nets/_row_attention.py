"""Multi-head attention to weighted rows, of which there may be none."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RowAttention(nn.Module):
    r"""Multi-head attention [1]_ whose context may be empty and whose rows have weights.

    A row of weight :math:`w` counts as :math:`w` rows: :math:`\log w` is added to its logit. A
    learned slot of weight one always belongs to the context. It is all that an empty context holds,
    and its share shrinks as rows come in, like that of pseudo-observations.

    Parameters
    ----------
    n_units : int
        Size ``E`` of all tokens.
    n_heads : int
        Number of heads; divides ``n_units``.

    References
    ----------
    .. [1] Vaswani et al. (2017). Attention is all you need. NeurIPS. Section 3.2.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import RowAttention, log_weights
    >>> attention = RowAttention(n_units=8, n_heads=2)
    >>> queries, rows = torch.zeros(1, 5, 8), torch.randn(1, 3, 8)
    >>> attention(queries, rows, rows, log_weights(torch.tensor([[1.0, 2.0, 0.0]]))).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, n_units: int, n_heads: int) -> None:
        super().__init__()
        if n_units % n_heads:
            raise ValueError(f"n_heads must divide n_units={n_units}, got {n_heads}.")
        self.n_heads = n_heads
        self.query = nn.Linear(n_units, n_units)
        self.key = nn.Linear(n_units, n_units)
        self.value = nn.Linear(n_units, n_units)
        self.output = nn.Linear(n_units, n_units)
        self.slot_key = nn.Parameter(torch.zeros(n_units))
        self.slot_value = nn.Parameter(torch.zeros(n_units))

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, log_weight: Tensor) -> Tensor:
        """Attend to the rows of a context.

        Parameters
        ----------
        queries : Tensor of shape (N, Q, E)
            Tokens that attend.
        keys, values : Tensor of shape (N, S, E)
            What keys and values are made of.
        log_weight : Tensor of shape (N, S)
            Logarithm of the weight of each row; minus infinity leaves a row out.

        Returns
        -------
        Tensor of shape (N, Q, E)
            What was found.
        """
        key = self._heads(_prepend(self.slot_key, self.key(keys)))
        value = self._heads(_prepend(self.slot_value, self.value(values)))
        found = F.scaled_dot_product_attention(
            self._heads(self.query(queries)),
            key,
            value,
            attn_mask=F.pad(log_weight, (1, 0))[:, None, None],
        )
        return self.output(found.transpose(1, 2).flatten(start_dim=2))

    def _heads(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


def log_weights(weight: Tensor) -> Tensor:
    """Logarithms of weights, without a NaN in the gradient of what has none.

    Parameters
    ----------
    weight : Tensor
        Non-negative weights; zero leaves a row out.

    Returns
    -------
    Tensor
        Of the same shape; minus infinity for a weight of zero.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import log_weights
    >>> log_weights(torch.tensor([1.0, 0.0]))
    tensor([0., -inf])
    """
    is_positive = weight > 0
    return torch.where(is_positive, torch.where(is_positive, weight, 1.0).log(), -torch.inf)


def row_weights(mask: Tensor, weight: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Weight of each row slot, zero for padding.

    Parameters
    ----------
    mask : bool Tensor of shape (B, S)
        True for real rows, False for padding.
    weight : Tensor of shape (B, S) or None
        Weights of the rows; None stands for ones.
    dtype : torch.dtype
        Type of the result.

    Returns
    -------
    Tensor of shape (B, S)
        Weights.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets._row_attention import row_weights
    >>> row_weights(torch.tensor([[True, False]]), None, torch.float32)
    tensor([[1., 0.]])
    """
    return mask.to(dtype) if weight is None else torch.where(mask, weight.to(dtype), 0.0)


def _prepend(slot: Tensor, rows: Tensor) -> Tensor:
    return torch.cat([slot.expand(len(rows), 1, -1), rows], dim=1)

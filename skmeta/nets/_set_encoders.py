"""What a support says of a query row: encoders of sets, each with a state that is made once."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._mlp import MLP
from skmeta.nets._row_attention import RowAttention, log_weights, row_weights
from skmeta.nets._state import State
from skmeta.nets._support import Support


class MeanEncoder(nn.Module):
    """The mean of encoded rows, as in the conditional neural process [1]_.

    A learned row takes part in the mean, with a learned weight; it stands for what is known before
    any support. How many rows there were is known, too, which a mean alone does not tell.

    Parameters
    ----------
    n_inputs, n_targets : int
        Numbers of features and of targets of a row.
    n_units : int, default=64
        Size ``E`` of what comes out.

    References
    ----------
    .. [1] Garnelo et al. (2018). Conditional neural processes. ICML. Equations 1 to 3.
    """

    def __init__(self, n_inputs: int, n_targets: int, n_units: int = 64) -> None:
        super().__init__()
        self.rows = MLP(n_inputs + n_targets, n_units, (n_units, n_units), "gelu")
        self.prior_row = nn.Parameter(torch.zeros(n_units))
        self.log_prior_weight = nn.Parameter(torch.zeros(()))
        self.output = nn.Linear(n_units + 1, n_units)

    def adapt(self, support: Support) -> State:
        """Sums over the rows: "total", of shape (B, E), and "weight", of shape (B, 1)."""
        weight = row_weights(support.mask, support.weight, support.X.dtype).unsqueeze(-1)
        rows = self.rows(torch.cat([support.X, support.y], dim=-1))
        return {"total": (weight * rows).sum(dim=1), "weight": weight.sum(dim=1)}

    def update(self, state: State, support: Support) -> State:
        """Add further rows."""
        return {name: state[name] + part for name, part in self.adapt(support).items()}

    def summarise(self, state: State) -> Tensor:
        """What the support says, of shape (B, E)."""
        prior_weight = self.log_prior_weight.exp()
        mean = (state["total"] + prior_weight * self.prior_row) / (state["weight"] + prior_weight)
        return self.output(torch.cat([mean, state["weight"].log1p()], dim=-1))

    def forward(self, state: State, X: Tensor) -> Tensor:
        """The same for all query rows, of shape (B, Q, E)."""
        return self.summarise(state).unsqueeze(1).expand(-1, X.shape[1], -1)


class AttentionEncoder(nn.Module):
    """Each query row attends to the support, as in the attentive neural process [1]_.

    This is the deterministic path of [1]_ without self-attention: keys are embedded features,
    values are encoded rows.

    Parameters
    ----------
    n_inputs, n_targets : int
        Numbers of features and of targets of a row.
    n_units : int, default=64
        Size ``E`` of what comes out.
    n_heads : int, default=4
        Heads of the attention.

    References
    ----------
    .. [1] Kim et al. (2019). Attentive neural processes. ICLR. Section 3.
    """

    def __init__(self, n_inputs: int, n_targets: int, n_units: int = 64, n_heads: int = 4) -> None:
        super().__init__()
        self.features = MLP(n_inputs, n_units, (n_units, n_units), "gelu")
        self.rows = MLP(n_inputs + n_targets, n_units, (n_units, n_units), "gelu")
        self.attention = RowAttention(n_units, n_heads)

    def adapt(self, support: Support) -> State:
        """Rows: "keys" and "values", of shape (B, S, E), and "weight", of shape (B, S)."""
        return {
            "keys": self.features(support.X),
            "values": self.rows(torch.cat([support.X, support.y], dim=-1)),
            "weight": row_weights(support.mask, support.weight, support.X.dtype),
        }

    def update(self, state: State, support: Support) -> State:
        """Append further rows."""
        further = self.adapt(support)
        return {name: torch.cat([state[name], part], dim=1) for name, part in further.items()}

    def forward(self, state: State, X: Tensor) -> Tensor:
        """What each query row finds, of shape (B, Q, E)."""
        log_weight = log_weights(state["weight"])
        return self.attention(self.features(X), state["keys"], state["values"], log_weight)


class TransformerEncoder(nn.Module):
    """Rows attend to the support in several layers, as in the transformer neural process [1]_.

    Support rows attend to each other, query rows to the support alone (TNP-D of [1]_, without the
    attention of a query row to itself, which the residual connection replaces). What support rows
    hold in each layer is the state, so that a query row costs no second pass over the support.

    Parameters
    ----------
    n_inputs, n_targets : int
        Numbers of features and of targets of a row.
    n_units : int, default=64
        Size ``E`` of what comes out.
    n_heads : int, default=4
        Heads of each attention.
    n_layers : int, default=3
        Number of layers ``L``.

    References
    ----------
    .. [1] Nguyen & Grover (2022). Transformer neural processes: uncertainty-aware meta learning
       via sequence modeling. ICML. Section 4.
    """

    def __init__(
        self,
        n_inputs: int,
        n_targets: int,
        n_units: int = 64,
        n_heads: int = 4,
        n_layers: int = 3,
    ) -> None:
        super().__init__()
        self.n_targets = n_targets
        self.rows = MLP(n_inputs + n_targets + 1, n_units, (n_units,), "gelu")
        layers = [_Layer(n_units, n_heads) for _ in range(n_layers)]
        self.layers: Iterable[_Layer] = nn.ModuleList(layers)  # type: ignore[assignment]
        self.norm = nn.LayerNorm(n_units)

    def adapt(self, support: Support) -> State:
        """Rows: "layers", of shape (B, L, S, E), and "weight", of shape (B, S)."""
        weight = row_weights(support.mask, support.weight, support.X.dtype)
        tokens = self._embed(support.X, support.y, known=1.0)
        contexts = []
        for layer in self.layers:
            contexts.append(layer.context(tokens))
            tokens = layer(tokens, contexts[-1], log_weights(weight))
        return {"layers": torch.stack(contexts, dim=1), "weight": weight}

    def forward(self, state: State, X: Tensor) -> Tensor:
        """What each query row finds, of shape (B, Q, E)."""
        unknown = X.new_zeros(*X.shape[:2], self.n_targets)
        tokens, log_weight = self._embed(X, unknown, known=0.0), log_weights(state["weight"])
        for layer, context in zip(self.layers, state["layers"].unbind(dim=1), strict=True):
            tokens = layer(tokens, context, log_weight)
        return self.norm(tokens)

    def _embed(self, X: Tensor, y: Tensor, known: float) -> Tensor:
        return self.rows(torch.cat([X, y, torch.full_like(X[..., :1], known)], dim=-1))


class _Layer(nn.Module):
    """Attention to a context and an MLP, both of normalised tokens."""

    def __init__(self, n_units: int, n_heads: int) -> None:
        super().__init__()
        self.attention = RowAttention(n_units, n_heads)
        self.before_attention, self.before_mlp = nn.LayerNorm(n_units), nn.LayerNorm(n_units)
        self.hidden, self.output = nn.Linear(n_units, 2 * n_units), nn.Linear(2 * n_units, n_units)

    def context(self, tokens: Tensor) -> Tensor:
        """What others attend to."""
        return self.before_attention(tokens)

    def forward(self, tokens: Tensor, context: Tensor, log_weight: Tensor) -> Tensor:
        queries = self.before_attention(tokens)
        tokens = tokens + self.attention(queries, context, context, log_weight)
        return tokens + self.output(F.gelu(self.hidden(self.before_mlp(tokens))))


ENCODERS: dict[str, type[nn.Module]] = {
    "mean": MeanEncoder,
    "attention": AttentionEncoder,
    "transformer": TransformerEncoder,
}

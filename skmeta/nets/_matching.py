"""Matching networks: attention over the support in a learned embedding."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._class_slots import class_members
from skmeta.nets._embedding import EmbeddingLearner
from skmeta.nets._losses import mask_classes
from skmeta.nets._prototypes import squared_distances
from skmeta.nets._row_attention import RowAttention
from skmeta.nets._state import State
from skmeta.nets._support import Support

SIMILARITIES = ("cosine", "euclidean")


class MatchingNet(EmbeddingLearner):
    r"""Matching network [1]_ on all tasks of a meta-batch at once.

    The probability of a class is the attention that a query row pays to the class's support rows
    (eq. 1 and section 2.1.1 of [1]_),

    .. math:: p_c = \sum_{i: y_i = c} a_i, \quad
              a_i \propto w_i \exp\big(t\, s(\phi, \phi_i)\big)

    where :math:`w_i` is the weight of a row, :math:`s` the cosine or the negative squared distance,
    and :math:`t` a learned scale, without which cosines make no class probable.

    With full-context embeddings, rows are embedded in view of the whole support (section 2.1.2). In
    the paper an LSTM reads the support in some order; here every row, of support and query alike,
    attends to the support's rows once (:class:`RowAttention`), in no order.

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    n_features : int
        Number of features ``E`` of the embedding.
    n_outputs : int, default=0
        Number of classes, the first ones, that have a learned row in every support: for tasks that
        share their classes. Their weights are learned, too.
    similarity : {"cosine", "euclidean"}, default="cosine"
        Cosine, or negative squared distance.
    full_context : bool, default=False
        Whether to embed rows in view of the support.

    References
    ----------
    .. [1] Vinyals, Blundell, Lillicrap, Kavukcuoglu and Wierstra (2016). Matching networks for one
       shot learning. NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MatchingNet, Support
    >>> net = MatchingNet(None, n_features=1, similarity="euclidean").eval()
    >>> X, y = torch.tensor([[[0.0], [2.0], [3.0]]]), torch.tensor([[0, 1, 1]])
    >>> state = net.adapt(Support(X, y, torch.ones(1, 3).bool()))
    >>> net(state, torch.tensor([[[0.0], [1.0]]])).softmax(-1).argmax(-1)
    tensor([[0, 1]])
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        n_outputs: int = 0,
        similarity: str = "cosine",
        full_context: bool = False,
    ) -> None:
        super().__init__(embedding)
        if similarity not in SIMILARITIES:
            raise ValueError(
                f"similarity must be one of {', '.join(SIMILARITIES)}; got {similarity!r}."
            )
        self.similarity = similarity
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0 if similarity == "cosine" else 1)))
        self.context = _make_context(n_features) if full_context else None
        self.prior_rows = nn.Parameter(
            torch.randn(n_outputs, n_features) / max(n_features, 1) ** 0.5
        )
        self.prior_log_weight = nn.Parameter(torch.zeros(n_outputs))

    def extra_repr(self) -> str:
        return f"similarity={self.similarity!r}"

    def _adapt(self, support: Support) -> State:
        """Rows to compare with.

        "rows", of shape (B, S, E), those of the prior among them; "log_weight", of shape (B, S, C),
        minus infinity for classes that are not the row's; "class_mask"; and, with full context,
        what query rows attend to: "context" and "context_log_weight".
        """
        n_prior = len(self.prior_rows)
        members, class_mask = class_members(support, n_prior)
        log_weight = torch.cat([self._prior_log_weights(members), members.log()], dim=1)
        # What stands in padded rows must not reach a sum, were it NaN.
        embedded = torch.where(support.mask.unsqueeze(-1), support.X, 0.0)
        prior_rows = self.prior_rows.expand(len(embedded), -1, -1)
        rows = torch.cat([prior_rows, embedded], dim=1)
        if self.context is None:
            return {"rows": rows, "log_weight": log_weight, "class_mask": class_mask}
        row_log_weight = log_weight.logsumexp(dim=2)
        return {
            "rows": rows + self.context(rows, rows, rows, row_log_weight),
            "log_weight": log_weight,
            "class_mask": class_mask,
            "context": rows,
            "context_log_weight": row_log_weight,
        }

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        if self.context is not None:
            context = state["context"]
            found = self.context(embedded, context, context, state["context_log_weight"])
            embedded = embedded + found
        scores = self.log_scale.exp() * self._similarity(embedded, state["rows"])
        # Each class sums its rows by itself, as sums of all rows lose those that are far away.
        by_class = scores.unsqueeze(-1) + state["log_weight"].unsqueeze(1)
        has_row = state["log_weight"].isfinite().any(dim=1, keepdim=True).unsqueeze(1)
        logits = torch.where(has_row, by_class, 0.0).logsumexp(dim=2)
        return mask_classes(logits, state["class_mask"] & has_row[:, 0, 0])

    def _similarity(self, X: Tensor, rows: Tensor) -> Tensor:
        if self.similarity == "cosine":
            return F.normalize(X, dim=-1) @ F.normalize(rows, dim=-1).mT
        return -squared_distances(X, rows)

    def _prior_log_weights(self, members: Tensor) -> Tensor:
        """Logarithms of the weights of the prior rows, of shape (B, C', C)."""
        n_prior, n_slots = len(self.prior_rows), members.shape[-1]
        own = torch.eye(n_prior, n_slots, dtype=torch.bool, device=members.device)
        log_weight = torch.where(own, self.prior_log_weight.unsqueeze(-1), -torch.inf)
        return log_weight.expand(len(members), -1, -1)


def _make_context(n_features: int) -> RowAttention:
    """Attention that at first finds nothing: context comes in as it is learned to help."""
    attention = RowAttention(n_features, n_heads=1)
    nn.init.zeros_(attention.output.weight)
    nn.init.zeros_(attention.output.bias)
    return attention

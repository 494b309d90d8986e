"""In-context learning of tables of any width: what adapts is attention, and no weight changes."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._class_slots import class_members
from skmeta.nets._embedding import all_real
from skmeta.nets._evidence import N_EVIDENCE, evidence
from skmeta.nets._losses import mask_classes
from skmeta.nets._row_attention import log_weights, row_weights
from skmeta.nets._standardise import weighted_moments, weighted_ranks
from skmeta.nets._state import State
from skmeta.nets._support import Support
from skmeta.nets._table_transformer import NumberEmbedding, TableTransformer
from skmeta.nets._target_code import log_shares

_LARGEST = 4.0  # deviations from the mean
_MIN_VARIANCE = 1e-4


class InContextNet(nn.Module):
    """Predict the target of query rows from the support, by a transformer over their cells.

    Tasks may have different numbers of features; a cell that holds NaN does not exist. The table
    goes through a :class:`TableTransformer` once for each class (or output), whose targets say
    whether a row belongs to it, so that the order of rows, of features and of classes changes
    nothing, and there may be any number of each.

    Columns are standardised by the support of the task, and each cell also knows its rank in it.
    The network is told what ridge regressions and kernel smoothers say of a row, those of the
    support being predicted from each other, so that it starts from these and learns what they
    miss.

    Parameters
    ----------
    target : {"classes", "numbers"}, default="classes"
        What is predicted: logits, or mean and variance of each output.
    transformer : TableTransformer, optional
        By default one of the default size.
    n_classes : int, optional
        Number of classes that every task has, be there a row of them or not.
    n_known_features, n_known_targets : int, optional
        For tasks that share their columns and their target: each of so many features, and each
        class or output, gets an embedding of its own, and nothing is standardised. By default
        features and targets are told apart by nothing but their values.

    References
    ----------
    .. [1] Hollmann et al. (2025). Accurate predictions on small data with a tabular foundation
       model. Nature 637, 319-326. Attention along columns and rows is theirs; one pass for each
       class and ranks are not.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import InContextNet, Support
    >>> X, y = torch.tensor([[[0.0, 1.0], [2.0, 1.0], [1.0, 0.0]]]), torch.tensor([[0, 0, 1]])
    >>> net = InContextNet()
    >>> state = net.adapt(Support(X, y, torch.ones(1, 3).bool()))
    >>> net(state, torch.tensor([[[4.0, 2.0]]])).shape
    torch.Size([1, 1, 2])
    """

    def __init__(
        self,
        target: Literal["classes", "numbers"] = "classes",
        transformer: TableTransformer | None = None,
        n_classes: int | None = None,
        n_known_features: int | None = None,
        n_known_targets: int = 1,
    ) -> None:
        super().__init__()
        self.target, self.n_classes = target, n_classes
        self.transformer = TableTransformer() if transformer is None else transformer
        n_units, n_outputs = self.transformer.n_units, 1 if target == "classes" else 2
        self.cell = NumberEmbedding(2, n_units)
        self.target_cell = NumberEmbedding(1, n_units)
        self.unknown = nn.Parameter(torch.zeros(n_units))
        self.told = nn.Linear(N_EVIDENCE, n_units)
        self.shortcut = nn.Linear(N_EVIDENCE, n_outputs)
        with torch.no_grad():  # what simple methods say, before anything is learned
            self.shortcut.weight.zero_()
            self.shortcut.weight[0] = 1.0 / N_EVIDENCE
        self.head = nn.Linear(n_units, n_outputs)
        nn.init.zeros_(self.head.weight)
        self.features = self.targets = None
        if n_known_features is not None:
            self.features = nn.Parameter(torch.randn(n_known_features, n_units))
            self.targets = nn.Parameter(torch.randn(n_known_targets, n_units))

    def adapt(self, support: Support) -> State:
        """Keep the support: a transformer learns a task while it predicts.

        Parameters
        ----------
        support : Support
            Labelled rows of ``B`` tasks. A feature that a task does not have holds NaN.

        Returns
        -------
        dict of Tensor
            "X", "y", "weight" (zero for padding) and, for classes, "class_mask" and "log_shares".
        """
        state = {
            "X": support.X,
            "y": support.y,
            "weight": row_weights(support.mask, support.weight, support.X.dtype),
        }
        if self.target == "classes":
            members, exists = class_members(support, self.n_classes or 0)
            if support.class_mask is not None:  # the class is possible, even without a row
                exists = support.class_mask
            state |= {"class_mask": exists, "log_shares": log_shares(members, exists)}
        return state

    def forward(self, state: State, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predict the target of query rows, each for itself.

        Parameters
        ----------
        state : dict of Tensor
            What :meth:`adapt` returned.
        X : Tensor of shape (B, Q, D)
            Query rows of each task.
        mask : bool Tensor of shape (B, Q), optional
            True for real rows, False for padding; None means that all are real.

        Returns
        -------
        Tensor of shape (B, Q, C) or (B, Q, O, 2)
            Logits; or mean and variance.
        """
        weight, targets = state["weight"], self._targets(state)
        center, scale = self._moments(targets, weight)
        targets = (targets - center) / scale
        numbers, exists = self._numbers(state["X"], X, weight)
        real = torch.cat([weight > 0, all_real(X, mask)], dim=1).unsqueeze(-1)
        n_numbers = 2 * (exists & real).any(dim=1).sum(dim=1)
        told = evidence(numbers.flatten(start_dim=2), n_numbers, targets, weight).transpose(1, 2)
        known = self.target_cell(targets.mT.unsqueeze(-1))
        n_each, n_query = targets.shape[2], X.shape[1]
        # Each cell of the support knows its target from the start. Otherwise attention would have
        # to learn to hand it on first, which takes long, as nothing rewards it alone.
        known = torch.cat([known, self.unknown.expand(*known.shape[:2], n_query, -1)], dim=2)
        if self.targets is not None:
            known = known + self.targets[:, None]
        cells = self._cells(numbers).unsqueeze(1) + known.unsqueeze(3)
        tokens = self.transformer(
            cells.flatten(end_dim=1),
            (known + self.told(told)).flatten(end_dim=1),
            exists.repeat_interleave(n_each, dim=0),
            log_weights(weight).repeat_interleave(n_each, dim=0),
        )
        said = self.head(tokens).unflatten(0, (len(X), n_each))
        output = (said + self.shortcut(told[:, :, told.shape[2] - n_query :])).transpose(1, 2)
        if self.target == "classes":
            logits = output.squeeze(-1) + state["log_shares"].unsqueeze(1)
            return mask_classes(logits, state["class_mask"])
        mean, variance = output.unbind(dim=-1)
        variance = F.softplus(variance) + _MIN_VARIANCE
        return torch.stack([center + scale * mean, scale.square() * variance], dim=-1)

    def _targets(self, state: State) -> Tensor:
        """Numbers to predict, of shape (B, S, T); for classes, one for members, else minus one."""
        if self.target == "numbers":
            return state["y"]
        n_slots = state["class_mask"].shape[1]
        return 2 * F.one_hot(state["y"], n_slots).to(state["X"].dtype) - 1

    def _moments(self, targets: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """What to subtract from targets and to divide them by, both of shape (B, 1, T)."""
        if self.target == "classes" or self.features is not None:
            size = (len(targets), 1, targets.shape[2])
            return targets.new_zeros(size), targets.new_ones(size)
        return weighted_moments(targets, weight.unsqueeze(-1).expand_as(targets))

    def _numbers(self, X: Tensor, X_query: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Value and rank of each cell, (B, S + Q, D, 2), zero for those that do not exist."""
        width = max(X.shape[2], X_query.shape[2])
        rows = torch.cat([_widen(X, width), _widen(X_query, width)], dim=1)
        exists = ~rows.isnan()
        n_support = X.shape[1]
        rows = rows.nan_to_num()
        cell_weight = weight.unsqueeze(-1) * exists[:, :n_support]
        ranks = weighted_ranks(rows, rows[:, :n_support], cell_weight)
        if self.features is None:
            mean, deviation = weighted_moments(rows[:, :n_support], cell_weight)
            rows = (rows - mean) / deviation
        numbers = torch.stack([rows.clamp(-_LARGEST, _LARGEST), 2 * ranks - 1], dim=-1)
        return torch.where(exists.unsqueeze(-1), numbers, 0.0), exists

    def _cells(self, numbers: Tensor) -> Tensor:
        cells = self.cell(numbers)
        return cells if self.features is None else cells + self.features


def _widen(rows: Tensor, width: int) -> Tensor:
    """Add features that no task has."""
    return F.pad(rows, (0, width - rows.shape[-1]), value=torch.nan)

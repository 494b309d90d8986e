"""The mean of each class in a learned embedding, and what is known of classes before any row."""

import math

import torch
from torch import Tensor, nn

from skmeta.nets._class_slots import class_members, pad_classes
from skmeta.nets._losses import mask_classes
from skmeta.nets._state import State
from skmeta.nets._streaming import StreamingLearner
from skmeta.nets._support import Support


class ClassMeanLearner(StreamingLearner):
    r"""Base class of learners that compare query rows with the mean of each class.

    The prototype of a class is the mean of its embedded support rows. Where tasks share their
    classes, a class may have a prior prototype :math:`\mu_c`, which counts as many rows
    :math:`\kappa` and keeps its place where the support has no row of the class. The share
    :math:`\pi_c` of a class may be learned, too; it enters the logits as the logarithm of
    :math:`a \pi_c + n_c`, with :math:`n_c` the weight of the support's rows and :math:`a` learned:
    the mean of a Dirichlet posterior.

    Sums over rows are kept, so that :meth:`update` needs no earlier row.

    A subclass writes ``_compare(state, embedded)``, logits of shape (B, Q, C) without the share.

    Parameters
    ----------
    embedding : Module or None, default=None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are.
    prior_prototypes : Tensor of shape (C', E), optional
        Prototypes of the first ``C'`` classes for tasks that have no support row of the class. A
        row of NaN stands for a class that has none.
    learn_prior : bool, default=False
        Whether to learn the prior prototypes and how many rows they count for. Otherwise a prior
        prototype is constant and gives way to the first row of its class.
    learn_shares : bool, default=False
        Whether to learn the shares of the classes that may have a prior prototype. Otherwise shares
        are equal.
    """

    has_prior: Tensor

    def __init__(
        self,
        embedding: nn.Module | None = None,
        prior_prototypes: Tensor | None = None,
        learn_prior: bool = False,
        learn_shares: bool = False,
    ) -> None:
        super().__init__(embedding)
        prior = torch.zeros(0, 1) if prior_prototypes is None else prior_prototypes
        self.learn_prior = learn_prior and len(prior) > 0
        self.learn_shares = learn_shares and len(prior) > 0
        self.register_buffer("has_prior", ~prior.isnan().any(dim=-1))
        self.prior_prototypes = nn.Parameter(prior.nan_to_num(), self.learn_prior)
        if self.learn_prior:
            self.log_prior_rows = nn.Parameter(torch.zeros(()))
        if self.learn_shares:
            self.log_share = nn.Parameter(torch.zeros(len(prior)))
            # Shares of the training tasks weigh ten rows at first: they are many tasks' rows.
            self.log_share_rows = nn.Parameter(torch.tensor(math.log(10.0)))

    def _update(self, state: State, support: Support) -> State:
        further = self._statistics(support)
        n_slots = max(state["counts"].shape[1], further["counts"].shape[1])
        first, second = (
            {name: pad_classes(part[name], n_slots) for name in further}
            for part in (state, further)
        )
        return self._to_state(self._merge(first, second), support.class_mask)

    def _adapt(self, support: Support) -> State:
        return self._to_state(self._statistics(support), support.class_mask)

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        logits = self._compare(state, embedded) + state["log_share"].unsqueeze(1)
        return mask_classes(logits, state["class_mask"])

    def _compare(self, state: State, embedded: Tensor) -> Tensor:
        raise NotImplementedError

    def _statistics(self, support: Support) -> State:
        """All that has to be known of the rows: "counts" (B, C) and "means" (B, C, E)."""
        members, _ = class_members(support, len(self.has_prior))
        counts = members.sum(dim=1)
        # What stands in padded rows must not reach a sum, were it NaN.
        embedded = torch.where(support.mask.unsqueeze(-1), support.X, 0.0)
        return {"counts": counts, "means": members.mT @ embedded / _divisor(counts)}

    def _merge(self, first: State, second: State) -> State:
        """Statistics of the rows of both."""
        counts = first["counts"] + second["counts"]
        share = second["counts"].unsqueeze(-1) / _divisor(counts)
        means = first["means"] + share * (second["means"] - first["means"])
        return {"counts": counts, "means": means}

    def _to_state(self, statistics: State, class_mask: Tensor | None) -> State:
        """The statistics, "prototypes" (B, C, E), "class_mask" and "log_share" (B, C)."""
        counts, means = statistics["counts"], statistics["means"]
        n_slots = counts.shape[1]
        n_prior = min(len(self.has_prior), n_slots)
        has_prior = pad_classes(self.has_prior[:n_prior], n_slots, dim=0)
        exists = (counts > 0) | has_prior
        if class_mask is not None:
            exists = exists & class_mask
        state = statistics | {"prototypes": means, "class_mask": exists}
        if n_prior:
            prior = pad_classes(self.prior_prototypes[:n_prior], n_slots, dim=0)
            rows = self._prior_rows(counts) * has_prior
            share = (rows / torch.where(exists, counts + rows, 1.0)).unsqueeze(-1)
            state["prototypes"] = means + share * (prior - means)
        if self.learn_shares:
            shares = pad_classes(self.log_share[:n_prior].softmax(dim=0), n_slots, dim=0)
            rows = self.log_share_rows.exp() * shares + counts
            state["log_share"] = torch.where(exists, rows, 1.0).log()
        else:
            state["log_share"] = torch.zeros_like(counts)
        return state

    def _prior_rows(self, counts: Tensor) -> Tensor:
        """How many rows a prior prototype counts for, of shape (B, C)."""
        if self.learn_prior:
            return self.log_prior_rows.exp().expand_as(counts)
        return (counts == 0).to(counts.dtype)


def _divisor(counts: Tensor) -> Tensor:
    return torch.where(counts > 0, counts, 1.0).unsqueeze(-1)

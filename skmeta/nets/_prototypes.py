"""Prototypical networks: the nearest class mean in a learned embedding."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._functional import forward_shared
from skmeta.nets._losses import mask_classes
from skmeta.nets._state import State
from skmeta.nets._support import Support


class PrototypeNet(nn.Module):
    r"""Prototypical network [1]_ on all tasks of a meta-batch at once.

    The prototype of a class is the mean of its embedded support rows (eq. 1 of [1]_), and the
    logits of a query row are its negative squared Euclidean distances to the prototypes (eq. 2).

    Parameters
    ----------
    embedding : Module or None, default=None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    n_classes : int, optional
        Number of class slots ``C`` where the support has no class mask. By default, as many as the
        labels and the prior prototypes ask for.
    prior_prototypes : Tensor of shape (C', E), optional
        Prototypes of the first ``C'`` slots for tasks that have no support row of the class: for
        tasks that share their classes. Learned if a :class:`torch.nn.Parameter`, else constant.
        A row of NaN stands for a class that has none.

    References
    ----------
    .. [1] Snell, Swersky and Zemel (2017). Prototypical networks for few-shot learning. NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import PrototypeNet, Support
    >>> X, y = torch.tensor([[[0.0], [2.0], [10.0]]]), torch.tensor([[0, 0, 1]])
    >>> net = PrototypeNet()
    >>> state = net.adapt(Support(X, y, torch.ones(1, 3).bool()))
    >>> state["prototypes"].flatten()
    tensor([ 1., 10.])
    >>> net(state, torch.tensor([[[4.0]]]))
    tensor([[[ -9., -36.]]])
    """

    def __init__(
        self,
        embedding: nn.Module | None = None,
        n_classes: int | None = None,
        prior_prototypes: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.embedding = nn.Identity() if embedding is None else embedding
        self.n_classes = n_classes
        if isinstance(prior_prototypes, nn.Parameter):
            self.prior_prototypes = prior_prototypes
        else:
            self.register_buffer("prior_prototypes", prior_prototypes)

    def adapt(self, support: Support) -> State:
        """Compute the prototypes of every task.

        While training, they are a differentiable function of the embedding; in evaluation mode,
        they are detached. Threads may call this at the same time in evaluation mode.

        Parameters
        ----------
        support : Support
            Labelled rows of ``B`` tasks.

        Returns
        -------
        dict of Tensor
            "prototypes", of shape (B, C, E), and "class_mask", of shape (B, C): the classes that
            exist and have a prototype, be it a prior one.
        """
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            embedded = forward_shared(self.embedding, support.X, support.mask)
            members = self._members(support)
            prototypes, known = _class_means(embedded, members)
            if self.prior_prototypes is not None:
                prototypes, known = _fill_in(prototypes, known, self.prior_prototypes)
        class_mask = known if support.class_mask is None else known & support.class_mask
        return {"prototypes": prototypes, "class_mask": class_mask}

    def forward(self, state: State, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute the negative squared distances of query rows to the prototypes.

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
        Tensor of shape (B, Q, C)
            Logits; a very negative number for classes without a prototype.
        """
        if mask is None:
            mask = torch.ones(X.shape[:2], dtype=torch.bool, device=X.device)
        embedded = forward_shared(self.embedding, X, mask)
        class_mask = state["class_mask"]
        distances = squared_distances(embedded, state["prototypes"], class_mask)
        return mask_classes(-distances, class_mask)

    def _members(self, support: Support) -> Tensor:
        """How much each row counts for each class, of shape (B, S, C)."""
        members = F.one_hot(support.y, self._n_slots(support)) * support.mask.unsqueeze(-1)
        return members if support.weight is None else members * support.weight.unsqueeze(-1)

    def _n_slots(self, support: Support) -> int:
        if support.class_mask is not None:
            return support.class_mask.shape[1]
        if self.n_classes is not None:
            return self.n_classes
        n_prior = 0 if self.prior_prototypes is None else len(self.prior_prototypes)
        n_seen = int(support.y.max()) + 1 if support.y.numel() else 0
        return max(n_prior, n_seen)


def squared_distances(X: Tensor, prototypes: Tensor, class_mask: Tensor | None = None) -> Tensor:
    """Squared Euclidean distances between the rows and the prototypes of each task.

    Parameters
    ----------
    X : Tensor of shape (B, N, E)
        Rows.
    prototypes : Tensor of shape (B, C, E)
        Prototypes.
    class_mask : bool Tensor of shape (B, C), optional
        Which prototypes exist; the distances to others are of no meaning. None means all.

    Returns
    -------
    Tensor of shape (B, N, C)
        Squared distances.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import squared_distances
    >>> squared_distances(torch.tensor([[[3.0, 4.0]]]), torch.zeros(1, 1, 2))
    tensor([[[25.]]])
    """
    # The square is expanded, as differences would take N * C * E numbers. What the expansion
    # cancels is as large as the distance from the origin, which is therefore moved in between.
    origin = _mean_prototype(prototypes, class_mask)
    X, prototypes = X - origin, prototypes - origin
    norms = X.square().sum(-1).unsqueeze(2) + prototypes.square().sum(-1).unsqueeze(1)
    return torch.baddbmm(norms, X, prototypes.mT, alpha=-2).clamp(min=0)


def _mean_prototype(prototypes: Tensor, class_mask: Tensor | None) -> Tensor:
    """Mean of the prototypes that exist, of shape (B, 1, E), as a constant.

    No gradient has to flow through an origin, since distances do not depend on it.
    """
    prototypes = prototypes.detach()
    if class_mask is None:
        return prototypes.mean(dim=1, keepdim=True)
    total = torch.where(class_mask.unsqueeze(-1), prototypes, 0.0).sum(dim=1, keepdim=True)
    return total / class_mask.sum(dim=1).clamp(min=1).view(-1, 1, 1)


def _class_means(embedded: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
    """Mean embedding of each class, zero for an empty one, and which classes are not empty."""
    counts = members.sum(dim=1)
    sums = members.mT.to(embedded.dtype) @ embedded
    return sums / torch.where(counts > 0, counts, 1).unsqueeze(-1), counts > 0


def _fill_in(prototypes: Tensor, known: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
    """Put the prior prototypes into the slots that no support row has filled."""
    n_slots = known.shape[1]
    n_prior = min(len(prior), n_slots)
    padded = F.pad(prior[:n_prior], (0, 0, 0, n_slots - n_prior))
    has_prior = torch.arange(n_slots, device=known.device) < n_prior
    has_prior = has_prior & ~padded.isnan().any(dim=-1)
    padded = padded.nan_to_num()
    return torch.where(known.unsqueeze(-1), prototypes, padded), known | has_prior

"""Prototypical networks: the nearest class mean in a learned embedding."""

import torch
from torch import Tensor, nn

from skmeta.nets._cholesky import cholesky
from skmeta.nets._class_means import ClassMeanLearner
from skmeta.nets._class_slots import class_members
from skmeta.nets._state import State
from skmeta.nets._support import Support

METRICS = ("euclidean", "mahalanobis")


class PrototypeNet(ClassMeanLearner):
    r"""Prototypical network [1]_ on all tasks of a meta-batch at once.

    The prototype of a class is the mean of its embedded support rows (eq. 1 of [1]_), and the
    logits of a query row are its negative squared Euclidean distances to the prototypes (eq. 2), or
    half of the negative squared Mahalanobis distances of [2]_,

    .. math:: -\tfrac12 (\phi - \mu_c)^\top Q_c^{-1} (\phi - \mu_c), \quad
              Q_c = \lambda_c \Sigma_c + (1 - \lambda_c) \Sigma + \beta I, \quad
              \lambda_c = n_c / (n_c + a),

    with the covariances :math:`\Sigma_c` of the class's rows and :math:`\Sigma` of all rows of the
    support (eq. 1 and 2 of [2]_, where :math:`a = \beta = 1`; here both are learned).

    Parameters
    ----------
    embedding : Module or None, default=None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    prior_prototypes : Tensor of shape (C', E), optional
        Prototypes of the first ``C'`` classes for tasks that have no support row of the class: for
        tasks that share their classes. A row of NaN stands for a class that has none.
    learn_prior : bool, default=False
        Whether to learn the prior prototypes and how many rows they count for. Otherwise a prior
        prototype is constant and gives way to the first row of its class.
    learn_shares : bool, default=False
        Whether to learn the shares of the classes that may have a prior prototype. Otherwise shares
        are equal.
    metric : {"euclidean", "mahalanobis"}, default="euclidean"
        The distance.
    learn_metric : bool, default=False
        Whether to learn :math:`a` and :math:`\beta`, which start from one.

    References
    ----------
    .. [1] Snell, Swersky and Zemel (2017). Prototypical networks for few-shot learning. NeurIPS.
    .. [2] Bateni, Goyal, Masrani, Wood and Sigal (2020). Improved few-shot visual classification.
       CVPR.

    See Also
    --------
    ClassMeanLearner : The base class, with the method ``update``.

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
        prior_prototypes: Tensor | None = None,
        learn_prior: bool = False,
        learn_shares: bool = False,
        metric: str = "euclidean",
        learn_metric: bool = False,
    ) -> None:
        super().__init__(embedding, prior_prototypes, learn_prior, learn_shares)
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {', '.join(METRICS)}; got {metric!r}.")
        self.metric = metric
        if metric == "mahalanobis":
            self.log_task_rows = nn.Parameter(torch.zeros(()), learn_metric)
            self.log_ridge = nn.Parameter(torch.zeros(()), learn_metric)

    def extra_repr(self) -> str:
        return f"metric={self.metric!r}"

    def _compare(self, state: State, embedded: Tensor) -> Tensor:
        if self.metric == "euclidean":
            return -squared_distances(embedded, state["prototypes"], state["class_mask"])
        # After a product with the inverse of a root of Q, the distance is Euclidean.
        differences = embedded.unsqueeze(1) - state["prototypes"].unsqueeze(2)
        whitened = torch.linalg.solve_triangular(state["root"], differences.mT, upper=False)
        return -0.5 * whitened.square().sum(dim=2).mT

    def _statistics(self, support: Support) -> State:
        """With the Mahalanobis distance also "scatter", (B, C, E, E), around the means."""
        statistics = super()._statistics(support)
        if self.metric == "euclidean":
            return statistics
        members, _ = class_members(support, len(self.has_prior))
        own_mean = (members > 0).to(members.dtype) @ statistics["means"]
        centred = torch.where(support.mask.unsqueeze(-1), support.X - own_mean, 0.0)
        scatter = torch.einsum("bsc,bsd,bse->bcde", members, centred, centred)
        return statistics | {"scatter": scatter}

    def _merge(self, first: State, second: State) -> State:
        merged = super()._merge(first, second)
        if self.metric == "euclidean":
            return merged
        # The rows' scatter around their common mean has a part between the two means.
        between = second["means"] - first["means"]
        total = torch.where(merged["counts"] > 0, merged["counts"], 1.0)
        factor = (first["counts"] * second["counts"] / total)[..., None, None]
        outer = between.unsqueeze(-1) * between.unsqueeze(-2)
        return merged | {"scatter": first["scatter"] + second["scatter"] + factor * outer}

    def _to_state(self, statistics: State, class_mask: Tensor | None) -> State:
        """With the Mahalanobis distance also "root", the Cholesky factors of the matrices Q."""
        state = super()._to_state(statistics, class_mask)
        if self.metric == "mahalanobis":
            state["root"] = cholesky(self._covariances(statistics))
        return state

    def _covariances(self, statistics: State) -> Tensor:
        """The matrices Q of the classes, of shape (B, C, E, E)."""
        counts, means, scatter = (statistics[name] for name in ("counts", "means", "scatter"))
        n_rows = counts.sum(dim=1).view(-1, 1, 1)
        divisor = torch.where(n_rows > 0, n_rows, 1.0)
        centred = means - counts.unsqueeze(1) @ means / divisor
        of_task = scatter.sum(dim=1) + (counts.unsqueeze(-1) * centred).mT @ centred
        counts = counts[..., None, None]
        of_class = scatter / torch.where(counts > 0, counts, 1.0)
        own = counts / (counts + self.log_task_rows.exp())
        ridge = self.log_ridge.exp() * torch.eye(means.shape[-1]).to(means)
        return own * of_class + (1.0 - own) * (of_task / divisor).unsqueeze(1) + ridge


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

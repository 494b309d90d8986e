"""Relation networks: a learned comparison of query rows with classes."""

import torch
from torch import Tensor, nn

from skmeta.nets._class_means import ClassMeanLearner
from skmeta.nets._state import State


class RelationNet(ClassMeanLearner):
    r"""Relation network [1]_ on all tasks of a meta-batch at once.

    A small network compares an embedded query row :math:`\phi` with the prototype :math:`\mu_c` of
    each class (eq. 1 of [1]_): its output for the two and the size of their difference,
    :math:`(\phi, \mu_c, |\phi - \mu_c|)`, is the logit of the class. In the paper the difference is
    left to the network, classes are sums instead of means, which differ in scale with the number of
    shots, and outputs are regressed on 0 and 1 (eq. 2); here they are logits, trained by
    cross-entropy, so that probabilities of a row sum to one.

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    n_features : int
        Number of features ``E`` of the embedding.
    prior_prototypes : Tensor of shape (C', E), optional
        Prototypes of the first ``C'`` classes for tasks that have no support row of the class: for
        tasks that share their classes. A row of NaN stands for a class that has none.
    learn_prior : bool, default=False
        Whether to learn the prior prototypes and how many rows they count for. Otherwise a prior
        prototype is constant and gives way to the first row of its class.
    learn_shares : bool, default=False
        Whether to learn the shares of the classes that may have a prior prototype. Otherwise shares
        are equal.
    n_hidden : int, default=64
        Hidden units of the network that compares.

    References
    ----------
    .. [1] Sung, Yang, Zhang, Xiang, Torr and Hospedales (2018). Learning to compare: relation
       network for few-shot learning. CVPR.

    See Also
    --------
    ClassMeanLearner : The base class, with the method ``update``.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import RelationNet, Support
    >>> net = RelationNet(None, n_features=1)
    >>> X, y = torch.tensor([[[0.0], [2.0], [10.0]]]), torch.tensor([[0, 0, 1]])
    >>> net(net.adapt(Support(X, y, torch.ones(1, 3).bool())), torch.zeros(1, 4, 1)).shape
    torch.Size([1, 4, 2])
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        prior_prototypes: Tensor | None = None,
        learn_prior: bool = False,
        learn_shares: bool = False,
        n_hidden: int = 64,
    ) -> None:
        super().__init__(embedding, prior_prototypes, learn_prior, learn_shares)
        self.compare = nn.Sequential(
            nn.Linear(3 * n_features, n_hidden), nn.ReLU(), nn.Linear(n_hidden, 1)
        )

    def _compare(self, state: State, embedded: Tensor) -> Tensor:
        prototypes = state["prototypes"]
        shape = (*embedded.shape[:2], *prototypes.shape[1:])
        rows, prototypes = embedded.unsqueeze(2), prototypes.unsqueeze(1)
        pairs = (rows.expand(shape), prototypes.expand(shape), (rows - prototypes).abs())
        return self.compare(torch.cat(pairs, dim=-1)).squeeze(-1)

"""Reptile: move the initialisation towards where ordinary training on a task leads."""

from torch import Tensor

from skmeta.nets._episode import Episode
from skmeta.nets._maml import MAML
from skmeta.nets._support import Support


class ReptileEpisode(Episode):
    r"""Adapt to the support, and measure how far that has led from the initialisation.

    The gradient of

    .. math:: \tfrac12 \| \theta - \theta_i \|^2

    for adapted parameters :math:`\theta_i` held fixed is the direction :math:`\theta - \theta_i` of
    Reptile [1]_, the batched version: a step of size one down the mean of it over tasks puts the
    initialisation amid the adapted parameters. What comes out is the half square, of shape (B,);
    query rows play no part in training. In evaluation mode it is an ordinary episode.

    Parameters
    ----------
    learner : MAML
        The learner. Reptile has no gradient through its inner steps, so it should be one of first
        order.

    References
    ----------
    .. [1] Nichol, Achiam and Schulman (2018). On first-order meta-learning algorithms.
       arXiv:1803.02999.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MAML, MLP, ReptileEpisode, squared_error
    >>> episode = ReptileEpisode(MAML(MLP(1, 1), squared_error, first_order=True))
    >>> rows, mask = torch.zeros(2, 5, 1), torch.ones(2, 5).bool()
    >>> episode(X_query=torch.zeros(2, 7, 1), X=rows, y=rows, mask=mask).shape
    torch.Size([2])
    """

    learner: MAML

    def _run(self, support: Support, X_query: Tensor, mask_query: Tensor | None) -> Tensor:
        if not self.training:
            return super()._run(support, X_query, mask_query)
        start, *_, end = self.learner.trajectory(support)
        squares = (
            (start[name] - end[name].detach()).square().flatten(start_dim=1).sum(dim=1)
            for name in start
            if name != "class_mask"
        )
        return 0.5 * sum(squares, start=support.X.new_zeros(len(support.X)))

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
    Reptile (algorithm 2 of [1]_): a step of size one down the mean of it over tasks puts the
    initialisation amid the adapted parameters. Query rows play no part in training. In evaluation
    mode it is an ordinary episode.

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

    def forward(
        self,
        X_query: Tensor,
        X: Tensor,
        y: Tensor,
        mask: Tensor,
        class_mask: Tensor | None = None,
        mask_query: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Run the episode.

        Parameters
        ----------
        X_query, X, y, mask, class_mask, mask_query, weight : Tensor
            As in :class:`Episode`.

        Returns
        -------
        Tensor of shape (B,) in training, (B, Q, O) otherwise
            Half the squared distances of adapted and initial parameters, or outputs for the query
            rows.
        """
        if not self.training:
            return super().forward(X_query, X, y, mask, class_mask, mask_query, weight)
        start, *_, end = self.learner.trajectory(Support(X, y, mask, class_mask, weight))
        squares = (
            (start[name] - end[name].detach()).square().flatten(start_dim=1).sum(dim=1)
            for name in start
            if name != "class_mask"
        )
        return 0.5 * sum(squares, start=X.new_zeros(len(X)))

"""Multi-step loss: a meta-loss after each inner step, not only after the last."""

import torch
from torch import Tensor

from skmeta.nets._episode import Episode
from skmeta.nets._maml import MAML
from skmeta.nets._support import Support


class MultiStepEpisode(Episode):
    """Adapt, and apply what has been learned after each inner step to the query.

    Training thus sees a loss after each step, as in MAML++ [1]_, which keeps gradients through many
    steps from exploding or vanishing (see :func:`step_weights`): what comes out has the shape
    (n_steps, B, Q, O). In evaluation mode it is an ordinary episode.

    Parameters
    ----------
    learner : MAML
        The learner, with at least one inner step.

    References
    ----------
    .. [1] Antoniou, Edwards and Storkey (2019). How to train your MAML. ICLR. "Gradient
       instability".

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MAML, MLP, MultiStepEpisode, squared_error
    >>> episode = MultiStepEpisode(MAML(MLP(1, 1), squared_error, n_steps=3))
    >>> rows, mask = torch.zeros(2, 5, 1), torch.ones(2, 5).bool()
    >>> episode(X_query=torch.zeros(2, 7, 1), X=rows, y=rows, mask=mask).shape
    torch.Size([3, 2, 7, 1])
    """

    learner: MAML

    def _run(self, support: Support, X_query: Tensor, mask_query: Tensor | None) -> Tensor:
        if not self.training:
            return super()._run(support, X_query, mask_query)
        states = self.learner.trajectory(support)[1:]
        return torch.stack([self.learner(state, X_query, mask_query) for state in states])


def step_weights(n_steps: int, progress: float) -> Tensor:
    """Weights of the losses after each step: equal at first, the last step's alone in the end.

    Parameters
    ----------
    n_steps : int
        Number of inner steps.
    progress : float
        How far they have changed, from 0 to 1.

    Returns
    -------
    Tensor of shape (n_steps,)
        Weights that sum to one.

    Examples
    --------
    >>> from skmeta.nets import step_weights
    >>> step_weights(4, 0.0), step_weights(4, 0.5), step_weights(4, 1.0)
    (tensor([0.2500, 0.2500, 0.2500, 0.2500]),
     tensor([0.1250, 0.1250, 0.1250, 0.6250]),
     tensor([0., 0., 0., 1.]))
    """
    weights = torch.full((n_steps,), (1.0 - progress) / n_steps)
    weights[-1] += progress
    return weights

"""Gaussian predictions, of each row for itself and of all rows of a task together."""

import math

import torch
from torch import Tensor, nn

from skmeta.nets._joint import JointLearner


def gaussian_nll(output: Tensor, y: Tensor) -> Tensor:
    """Negative log-likelihood of each row, averaged over the outputs.

    Parameters
    ----------
    output : Tensor of shape (B, N, O, 2)
        Mean and variance of the prediction.
    y : Tensor of shape (B, N, O)
        Targets.

    Returns
    -------
    Tensor of shape (B, N)
        One loss per row.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import gaussian_nll
    >>> gaussian_nll(torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[1.0]]]))
    tensor([[1.4189]])
    """
    mean, variance = output.unbind(dim=-1)
    loss = torch.log(2 * math.pi * variance) + (y - mean).square() / variance
    return 0.5 * loss.mean(dim=-1)


def joint_gaussian_nll(output: Tensor, y: Tensor) -> Tensor:
    """Negative log-likelihood of each row given those before it, averaged over the outputs.

    The sum over the rows is that of their joint distribution, in whatever order.

    Parameters
    ----------
    output : Tensor of shape (B, N, O, 1 + N)
        Mean of the rows, and each row of the Cholesky factor of their covariance.
    y : Tensor of shape (B, N, O)
        Targets.

    Returns
    -------
    Tensor of shape (B, N)
        One loss per row.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import joint_gaussian_nll
    >>> factor = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    >>> output = torch.cat([torch.zeros(2, 1), factor], dim=1).view(1, 2, 1, 3)
    >>> joint_gaussian_nll(output, torch.ones(1, 2, 1))
    tensor([[1.4189, 0.4637]])
    """
    mean, factor = output[..., 0], output[..., 1:].transpose(1, 2)
    residual = (y - mean).mT.unsqueeze(-1)
    whitened = torch.linalg.solve_triangular(factor, residual, upper=False).squeeze(-1)
    log_diagonal = factor.diagonal(dim1=-2, dim2=-1).log()
    loss = 0.5 * (math.log(2 * math.pi) + whitened.square()) + log_diagonal
    return loss.mean(dim=1)


class MarginalEpisode(nn.Module):
    """Predict all rows of a task together from the prior: for the marginal likelihood of tasks.

    It takes the place of an :class:`Episode` whose support is empty, with
    :func:`joint_gaussian_nll` for a loss. As the likelihood of a row given those before it is part
    of it, supports of all sizes are trained for at once.

    Parameters
    ----------
    learner : Module
        Such as :class:`BayesianLinear` or :class:`DeepKernel`.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import DeepKernel, MarginalEpisode
    >>> episode = MarginalEpisode(DeepKernel(None, n_features=1, n_outputs=1))
    >>> episode(X_query=torch.zeros(5, 20, 1)).shape
    torch.Size([5, 20, 1, 21])
    """

    learner: JointLearner

    def __init__(self, learner: JointLearner) -> None:
        super().__init__()
        self.learner = learner

    def forward(
        self, X_query: Tensor, mask_query: Tensor | None = None, **empty_support: Tensor
    ) -> Tensor:
        """Run the episode.

        Parameters
        ----------
        X_query : Tensor of shape (B, Q, D)
            All rows of each task.
        mask_query : bool Tensor of shape (B, Q), optional
            True for real rows, False for padding; None means that all are real.
        **empty_support : Tensor
            As an :class:`Episode` takes it; without rows.

        Returns
        -------
        Tensor of shape (B, Q, O, 1 + Q)
            Mean of the rows, and each row of the Cholesky factor of their covariance.
        """
        return self.learner.joint(self.learner.prior(len(X_query)), X_query, mask_query)

"""The expectation of a softmax over logits that are uncertain, in closed form."""

import math

from torch import Tensor

from skmeta.nets._losses import mask_classes


def expected_softmax(mean: Tensor, spread: Tensor, class_mask: Tensor) -> Tensor:
    r"""Logarithms of expected softmaxes, up to a constant, without sampling.

    .. math:: p_c \propto \Big(\sum_k \exp \frac{\mu_k - \mu_c}
              {\sqrt{1 + \tfrac{\pi}{8} s_{kc}}}\Big)^{-1}

    with the means :math:`\mu` of normal logits and the variances :math:`s_{kc}` of their
    differences: the mean-field approximation of [1]_, which for two classes is MacKay's.

    Parameters
    ----------
    mean : Tensor of shape (B, Q, C)
        Means of the logits.
    spread : Tensor of shape (B, Q, C, C)
        Variance of the difference of each two logits.
    class_mask : bool Tensor of shape (B, C)
        Which classes exist.

    Returns
    -------
    Tensor of shape (B, Q, C)
        Logits whose softmax approximates the expected one.

    References
    ----------
    .. [1] Lu, Ie and Sha (2020). Mean-field approximation to Gaussian-softmax integral with
       application to uncertainty estimation. arXiv:2006.07584.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import expected_softmax
    >>> mean, exists = torch.tensor([[[2.0, 0.0]]]), torch.ones(1, 2).bool()
    >>> for variance in (0.0, 9.0):
    ...     print(expected_softmax(mean, torch.full((1, 1, 2, 2), variance), exists).softmax(-1))
    tensor([[[0.8808, 0.1192]]])
    tensor([[[0.7189, 0.2811]]])
    """
    differences = (mean.unsqueeze(-2) - mean.unsqueeze(-1)) / (1.0 + math.pi / 8 * spread).sqrt()
    others = mask_classes(differences.flatten(1, 2), class_mask).view_as(differences)
    return mask_classes(-others.logsumexp(dim=-1), class_mask)

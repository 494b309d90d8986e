"""MAML from a distribution of initialisations: several adapted networks for each task."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from skmeta.nets._functional import parameter_shapes
from skmeta.nets._inner_sgd import Params
from skmeta.nets._maml import MAML
from skmeta.nets._state import State
from skmeta.nets._support import Support


class BayesianMAML(MAML):
    r"""Adapt samples of a Gaussian over initialisations, and predict with all of them.

    An initialisation of the adapted parameters is drawn from

    .. math:: \theta \sim N(\mu, \mathrm{diag}(\sigma^2))

    with learned :math:`\mu` and :math:`\sigma` [1]_, and goes the inner steps of :class:`MAML`.
    So each task has a distribution of adapted parameters :math:`q(\theta_i)`, and training is meant
    to minimise the loss of the predictive distribution [2]_,

    .. math:: - \log \frac1K \sum_k p(y \mid x, \theta_{ik}), \quad \theta_{ik} \sim q(\theta_i),

    see :func:`mixture_gaussian_nll` and :func:`mixture_cross_entropy`. It rewards samples that
    differ where a support leaves open what the task is. The mean of the losses of the samples would
    not: it shrinks :math:`\sigma` to zero.

    In training, samples are drawn anew for each task each time; in evaluation mode they are always
    the same. They are folded into the axis of the tasks, so that all samples of all tasks are
    adapted at once.

    Parameters
    ----------
    *args
        As in :class:`MAML`.
    n_samples, n_adapt_samples : int, default=5, 20
        Number of samples ``K`` in training, and in evaluation mode.
    initial_std : float, default=0.02
        The deviations :math:`\sigma` that training starts from.
    noise : Module, optional
        Applied to the outputs of shape (B, K, Q, O), such as :class:`GaussianNoise`.
    seed : int, default=0
        Of the samples in evaluation mode.
    **options
        As in :class:`MAML`.

    References
    ----------
    .. [1] Finn, Xu and Levine (2018). Probabilistic model-agnostic meta-learning. NeurIPS. The
       prior.
    .. [2] Gordon, Bronskill, Bauer, Nowozin and Turner (2019). Meta-learning probabilistic
       inference for prediction. ICLR.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MLP, BayesianMAML, Support, squared_error
    >>> maml = BayesianMAML(MLP(n_inputs=1, n_outputs=1), squared_error, n_samples=3)
    >>> support = Support(torch.zeros(2, 5, 1), torch.ones(2, 5, 1), torch.ones(2, 5).bool())
    >>> maml(maml.adapt(support), torch.zeros(2, 10, 1)).shape
    torch.Size([2, 3, 10, 1])
    """

    def __init__(
        self,
        *args: Any,
        n_samples: int = 5,
        n_adapt_samples: int = 20,
        initial_std: float = 0.02,
        noise: nn.Module | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.n_samples, self.n_adapt_samples, self.seed = n_samples, n_adapt_samples, seed
        shapes = parameter_shapes(self.backbone)
        # Not their logarithms: a Gaussian is the same for either sign, and zero is allowed.
        self.std = nn.ParameterList(torch.full(shapes[n], initial_std) for n in self.adapted)
        self.noise = noise

    def forward(self, state: State, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute the outputs of the adapted networks.

        Parameters
        ----------
        state : dict of Tensor, each of shape (B, K, ...)
            What :meth:`adapt` returned.
        X : Tensor of shape (B, Q, D)
            Query rows of each task.
        mask : bool Tensor of shape (B, Q), optional
            True for real rows, False for padding. Matters to batch normalisation alone.

        Returns
        -------
        Tensor of shape (B, K, Q, O), or what `noise` makes of it
            Outputs of each sample.
        """
        n_samples = next(iter(state.values())).shape[1]
        folded = {name: tensor.flatten(end_dim=1) for name, tensor in state.items()}
        X = X.repeat_interleave(n_samples, dim=0)
        mask = None if mask is None else mask.repeat_interleave(n_samples, dim=0)
        output = super().forward(folded, X, mask).unflatten(0, (-1, n_samples))
        return output if self.noise is None else self.noise(output)

    def _descend(
        self, support: Support, n_steps: int | None, last_only: bool = False
    ) -> Iterator[State]:
        k = self._n_drawn
        support = Support._make(x if x is None else x.repeat_interleave(k, 0) for x in support)
        for state in super()._descend(support, n_steps, last_only):
            yield {name: tensor.unflatten(0, (-1, k)) for name, tensor in state.items()}

    def _initial_parameters(self, n_tasks: int) -> Params:
        """Parameters of all samples of all tasks; the samples of a task follow one another."""
        params = super()._initial_parameters(n_tasks)
        generator = None if self.training else torch.Generator().manual_seed(self.seed)
        for name, std in zip(self.adapted, self.std, strict=True):
            n_drawn = n_tasks if self.training else self._n_drawn
            # On the CPU and in single precision, to be the same everywhere.
            drawn = torch.randn(n_drawn, *std.shape, generator=generator).to(std)
            drawn = drawn.repeat(n_tasks // n_drawn, *(1 for _ in std.shape))
            params[name] = torch.addcmul(params[name], std, drawn)
        return params

    @property
    def _n_drawn(self) -> int:
        return self.n_samples if self.training else self.n_adapt_samples

"""Gaussian process classification over a learned embedding, by a Dirichlet likelihood."""

import math

import torch
from torch import Tensor, nn

from skmeta.nets._class_slots import class_members, pad_classes
from skmeta.nets._expected_softmax import expected_softmax
from skmeta.nets._gaussian_process import GaussianProcess, condition, solve_factor
from skmeta.nets._state import State
from skmeta.nets._support import Support

# Transformed labels of two balanced classes have about this mean and this variance.
_MEAN, _AMPLITUDE = -3.6, 10.0


class DirichletKernel(GaussianProcess):
    r"""Gaussian process classification over a learned embedding, batched over tasks.

    A label is an observation of a Dirichlet distribution whose parameters are gammas, and a gamma
    is taken for a log-normal with the same mean and variance [1]_. For each class this leaves a
    Gaussian process regression of

    .. math:: \tilde y_{ic} = \log \alpha_{ic} - \tilde\sigma^2_{ic} / 2, \quad
              \tilde\sigma^2_{ic} = \log(1 / \alpha_{ic} + 1), \quad
              \alpha_{ic} = [y_i = c] + \alpha_\epsilon

    with a noise of its own for each row (eq. 4 and 5 of [1]_), which is exact and absorbs further
    rows, also those of further classes: the state knows what the process of a class is that has had
    no row. The embedding is that of deep kernel transfer [2]_. Probabilities are expected softmaxes
    of the processes (see :func:`expected_softmax`). Training minimises the cross-entropy of query
    rows.

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    n_features : int
        Number of features ``E`` of the embedding.
    n_outputs : int
        Number of classes that have a learned mean, the first ones: all of them where tasks share
        their classes, and 0 where classes are a task's own.
    kernel : {"rbf", "cosine", "linear", "spectral_mixture"}, default="rbf"
        Kernel of two embeddings divided by their length scales, as in :class:`DeepKernel`.
    length_scale : float or None, default=None
        Length scale of each feature, at first if it is learned. None takes the square root of
        `n_features`.
    alpha_epsilon : float, default=0.01
        What is added to a label, at first if it is learned: the smaller, the surer is a label.
    learn_prior : bool, default=True
        Whether to learn means, amplitude, length scales and `alpha_epsilon`.

    References
    ----------
    .. [1] Milios, Camoriano, Michiardi, Rosasco and Filippone (2018). Dirichlet-based Gaussian
       processes for large-scale calibrated classification. NeurIPS.
    .. [2] Patacchiola, Turner, Crowley, O'Boyle and Storkey (2020). Bayesian meta-learning for the
       few-shot setting via deep kernels. NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import DirichletKernel, Support
    >>> process = DirichletKernel(None, n_features=1, n_outputs=0)
    >>> X, y = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[0, 1]])
    >>> state = process.adapt(Support(X, y, torch.ones(1, 2).bool()))
    >>> with torch.no_grad():
    ...     process(state, torch.tensor([[[-1.0], [0.0], [9.0]]])).softmax(-1)[..., 1]
    tensor([[0.0366, 0.5000, 0.5000]])
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        n_outputs: int,
        kernel: str = "rbf",
        length_scale: float | None = None,
        alpha_epsilon: float = 0.01,
        learn_prior: bool = True,
    ) -> None:
        super().__init__(embedding, n_features, n_outputs, kernel, length_scale, learn_prior)
        self.log_alpha_epsilon = nn.Parameter(torch.tensor(math.log(alpha_epsilon)), learn_prior)
        # The mean of classes that have none of their own; the others are differences from it.
        self.common_mean = nn.Parameter(torch.tensor(_MEAN), learn_prior)
        with torch.no_grad():
            self.log_amplitude.fill_(math.log(_AMPLITUDE))

    def _adapt(self, support: Support) -> State:
        n_tasks, n_outputs = len(support.X), self.mean_weight.shape[1]
        like = support.X
        empty = {
            "embedded": like[:, :0],
            "mask": support.mask[:, :0],
            "factor": like.new_zeros(n_tasks, n_outputs + 1, 0, 0),
            "whitened": like.new_zeros(n_tasks, n_outputs + 1, 0, 1),
            "class_mask": torch.ones(n_tasks, n_outputs, dtype=torch.bool, device=like.device),
        }
        return self._update(empty, support)

    def _update(self, state: State, support: Support) -> State:
        """State of the rows of a state and of further, embedded ones.

        The last of the processes is that of any class without a row.
        """
        embedded, mask = support.X, support.mask
        members, exists = class_members(support._replace(weight=None), self.mean_weight.shape[1])
        n_slots = max(members.shape[-1], state["class_mask"].shape[1])
        labels = pad_classes(members, n_slots + 1, dim=2).mT
        alpha = labels + self.log_alpha_epsilon.exp()
        noise = torch.log1p(1.0 / alpha)
        target = alpha.log() - 0.5 * noise
        if support.weight is not None:
            noise = noise / support.weight.clamp(min=1e-12).unsqueeze(1)
        residual = torch.where(
            mask.unsqueeze(1), target - self._class_means(embedded, n_slots), 0.0
        )
        noise = torch.where(mask.unsqueeze(1), noise, 1.0).diag_embed()
        factor, whitened = condition(
            _more_classes(state["factor"], n_slots),
            _more_classes(state["whitened"], n_slots),
            self._cross_covariance(state, embedded, mask).unsqueeze(1),
            self._covariance(embedded, mask).unsqueeze(1) + noise,
            residual.unsqueeze(-1),
        )
        return {
            "embedded": torch.cat([state["embedded"], embedded], dim=1),
            "mask": torch.cat([state["mask"], mask], dim=1),
            "factor": factor,
            "whitened": whitened,
            "class_mask": pad_classes(state["class_mask"], n_slots) | pad_classes(exists, n_slots),
        }

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        class_mask = state["class_mask"]
        n_slots = class_mask.shape[1]
        cross = self._cross_covariance(state, embedded, mask).unsqueeze(1)
        explained = solve_factor(state["factor"][:, :n_slots], cross)
        gain = (explained * state["whitened"][:, :n_slots]).sum(dim=2)
        mean = self._class_means(embedded, n_slots)[:, :n_slots] + gain
        variance = self._variance(embedded).unsqueeze(1) - explained.square().sum(dim=2)
        variance = variance.clamp(min=0.0).mT
        spread = variance.unsqueeze(-1) + variance.unsqueeze(-2)  # processes are independent
        return expected_softmax(mean.mT, spread, class_mask)

    def _class_means(self, embedded: Tensor, n_slots: int) -> Tensor:
        """Prior means of all classes and of one without a row, of shape (B, C + 1, S)."""
        return self.common_mean + pad_classes(self._mean(embedded), n_slots + 1, dim=2).mT


def _more_classes(tensor: Tensor, n_slots: int) -> Tensor:
    """Give classes that are new the process of a class without a row, the last one."""
    missing = n_slots + 1 - tensor.shape[1]
    return torch.cat([tensor, tensor[:, -1:].expand(-1, missing, -1, -1)], dim=1)

"""Gaussian process classification over a learned embedding, by Laplace's approximation."""

import math

import torch
from torch import Tensor, nn

from skmeta.nets._class_slots import class_members, pad_classes
from skmeta.nets._expected_softmax import expected_softmax
from skmeta.nets._gaussian_process import GaussianProcess
from skmeta.nets._losses import mask_classes
from skmeta.nets._softmax_dual import softmax_curvature, softmax_dual
from skmeta.nets._state import State
from skmeta.nets._support import Support

_AMPLITUDE = 4.0  # differences of logits then have a standard deviation of about three


class LaplaceKernel(GaussianProcess):
    r"""Gaussian process classification over a learned embedding, batched over tasks.

    Each class has a latent process, and a label the probability that their softmax gives it. The
    posterior of the processes at the support is taken for a normal distribution around its mode
    (Laplace's approximation, section 3.5 of [1]_; for two classes it is that of section 3.4 with
    the logistic function and twice the kernel). Probabilities are expected softmaxes (see
    :func:`expected_softmax`). Training minimises the cross-entropy of query rows; the mode is
    differentiated by the implicit function theorem (see :func:`softmax_dual`), and so is the
    curvature that depends on it. Further rows, which may bring further classes, move the mode: it
    is found anew for all rows.

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
    learn_prior : bool, default=True
        Whether to learn means, amplitude and length scales.

    References
    ----------
    .. [1] Rasmussen and Williams (2006). Gaussian processes for machine learning. MIT Press.

    See Also
    --------
    DirichletKernel : Another approximation, which absorbs further rows without solving anew.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import LaplaceKernel, Support
    >>> process = LaplaceKernel(None, n_features=1, n_outputs=0)
    >>> X, y = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[0, 1]])
    >>> state = process.adapt(Support(X, y, torch.ones(1, 2).bool()))
    >>> with torch.no_grad():
    ...     process(state, torch.tensor([[[-1.0], [0.0], [9.0]]])).softmax(-1)[..., 1]
    tensor([[0.2892, 0.5000, 0.5000]])
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        n_features: int,
        n_outputs: int,
        kernel: str = "rbf",
        length_scale: float | None = None,
        learn_prior: bool = True,
    ) -> None:
        super().__init__(embedding, n_features, n_outputs, kernel, length_scale, learn_prior)
        with torch.no_grad():
            self.log_amplitude.fill_(math.log(_AMPLITUDE))

    def _update(self, state: State, support: Support) -> State:
        members, exists = self._members(support)
        n_slots = max(members.shape[2], state["members"].shape[2])
        parts = [pad_classes(part, n_slots, dim=2) for part in (state["members"], members)]
        return self._solve(
            torch.cat([state["embedded"], support.X], dim=1),
            torch.cat([state["mask"], support.mask], dim=1),
            torch.cat(parts, dim=1),
            pad_classes(state["class_mask"], n_slots) | pad_classes(exists, n_slots),
        )

    def _adapt(self, support: Support) -> State:
        return self._solve(support.X, support.mask, *self._members(support))

    def _members(self, support: Support) -> tuple[Tensor, Tensor]:
        return class_members(support, self.mean_weight.shape[1])

    def _solve(self, embedded: Tensor, mask: Tensor, members: Tensor, class_mask: Tensor) -> State:
        """The mode and the curvature there: "coefficients" (B, S, C), "inner", "coupling"."""
        # The mode is only as precise as what it is made of: 64 bits cost little, as rows are few.
        kernel = self._covariance(embedded, mask).double()
        n_slots = members.shape[2]
        offset = self._class_means(embedded, n_slots)
        offset = torch.where(mask.unsqueeze(-1), offset, 0.0).double()
        exact = members.double()
        a = offset  # no row, no coefficient
        if members.shape[1] and n_slots:
            a = softmax_dual(kernel, offset, exact, class_mask)
        proba = mask_classes(offset + kernel @ a, class_mask).softmax(dim=2)
        inner, coupling = softmax_curvature(kernel, proba, exact.sum(dim=2, keepdim=True))
        return {
            "embedded": embedded,
            "mask": mask,
            "members": members,
            "class_mask": class_mask,
            "coefficients": a.to(embedded.dtype),
            "inner": inner.to(embedded.dtype),
            "coupling": coupling.to(embedded.dtype),
        }

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        mean, spread = self._latent(state, embedded, mask)
        return expected_softmax(mean, spread, state["class_mask"])

    def _latent(self, state: State, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Means of the processes (B, Q, C), and variances of their differences (B, Q, C, C).

        Equations 3.60 and 3.61 of [1]_ of the class: the covariance of two classes is what the
        shared part of the Hessian leaves of it.
        """
        cross = self._cross_covariance(state, embedded, mask)
        mean = self._class_means(embedded, state["class_mask"].shape[1])
        mean = mean + cross.mT @ state["coefficients"]
        explained = state["inner"] @ cross.unsqueeze(1)  # (B, C, S, Q)
        own = (cross.unsqueeze(1) * explained).sum(dim=2)
        variance = (self._variance(embedded).unsqueeze(1) - own).clamp(min=0.0).mT
        shared = torch.linalg.solve_triangular(
            state["coupling"].unsqueeze(1), explained, upper=False
        ).permute(0, 3, 1, 2)  # (B, Q, C, S)
        squares = shared.square().sum(dim=-1)
        products = shared @ shared.mT
        apart = squares.unsqueeze(-1) + squares.unsqueeze(-2) - 2.0 * products
        spread = variance.unsqueeze(-1) + variance.unsqueeze(-2) + apart.clamp(min=0.0)
        # A class does not differ from itself.
        same = torch.eye(spread.shape[-1], dtype=torch.bool, device=spread.device)
        return mean, torch.where(same, 0.0, spread)

    def _class_means(self, embedded: Tensor, n_slots: int) -> Tensor:
        """Prior means of the classes, of shape (B, Q, C); zero for those that have none."""
        return pad_classes(self._mean(embedded), n_slots, dim=2)

"""Training on one task after the other, where that is faster than on a whole meta-batch."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from skmeta.nets._episode import Episode
from skmeta.nets._functional import is_faster_in_a_loop
from skmeta.nets._maml import MAML
from skmeta.nets._support import SUPPORT_ROWS

Tensors = Mapping[str, Tensor]


def trains_one_by_one(episode: Episode, X: Tensor) -> bool:
    """Tell whether to train on one task after the other.

    Convolutions on a CPU are called for each task anyway. With the backward pass of a task right
    after its forward pass, what has to be kept in between stays in the processor's cache.

    Parameters
    ----------
    episode : Episode
        Of a learner that adapts parameters: in it tasks have nothing to do with each other, while
        in another learner's training they may be normalised together.
    X : Tensor
        Rows, on the device that is trained on.

    Returns
    -------
    bool
        Whether to train on each task of :func:`one_by_one`, and to average their gradients.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MAML, ConvNet, Episode, cross_entropy, trains_one_by_one
    >>> learner = MAML(ConvNet((1, 4, 4), n_outputs=2, n_blocks=2), cross_entropy)
    >>> trains_one_by_one(Episode(learner), torch.zeros(3, 5, 16))
    True
    """
    return isinstance(episode.learner, MAML) and is_faster_in_a_loop(episode, X)


def one_by_one(
    inputs: Tensors, targets: Tensors, keep_padding: bool = False
) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Cut a meta-batch into meta-batches of one task each.

    Parameters
    ----------
    inputs, targets : mapping of str to Tensor
        What an :class:`Episode` is called with, and the criterion after it; padding comes after
        the real rows.
    keep_padding : bool, default=False
        Whether all tasks keep the same number of row slots. Otherwise only one without real rows
        keeps a slot of padding.

    Yields
    ------
    inputs, targets : dict of str to Tensor
        Of one task.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import one_by_one
    >>> mask = torch.tensor([[True, True, True], [True, False, False]])
    >>> X = torch.zeros(2, 3, 4)
    >>> inputs = {"X_query": X, "X": X, "y": mask.long(), "mask": mask, "mask_query": mask}
    >>> [tuple(part["X"].shape) for part, _ in one_by_one(inputs, {"mask": mask})]
    [(1, 3, 4), (1, 1, 4)]
    """
    n_support, n_query = inputs["X"].shape[1], inputs["X_query"].shape[1]
    supports, queries = [n_support] * len(inputs["X"]), [n_query] * len(inputs["X"])
    if not keep_padding:
        supports = inputs["mask"].sum(dim=1).clamp(min=1).tolist()
        queries = inputs["mask_query"].sum(dim=1).clamp(min=1).tolist()
    for i, (n_support, n_query) in enumerate(zip(supports, queries, strict=True)):
        part = {}
        for name, x in inputs.items():
            n_rows = n_support if name in SUPPORT_ROWS else n_query
            part[name] = x[i : i + 1] if name == "class_mask" else x[i : i + 1, :n_rows]
        yield part, {name: x[i : i + 1, :n_query] for name, x in targets.items()}

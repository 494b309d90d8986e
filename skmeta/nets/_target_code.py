"""Targets as numbers: what lets one network for numbers classify, too."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmeta.nets._class_slots import class_members
from skmeta.nets._embedding import EmbeddingLearner
from skmeta.nets._losses import mask_classes
from skmeta.nets._state import State
from skmeta.nets._support import Support

_MIN_VARIANCE = 1e-4


class NumberCode(nn.Module):
    """Targets are numbers, and outputs their means and variances.

    Parameters
    ----------
    n_outputs : int
        Number of targets ``O``.

    Attributes
    ----------
    n_targets, n_outputs : int
        Numbers of targets that the network is told, and of outputs that it has to compute.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import NumberCode
    >>> NumberCode(1).decode(torch.zeros(1, 1, 2), {})
    tensor([[[[0.0000, 0.6932]]]])
    """

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.n_targets, self.n_outputs = n_outputs, 2 * n_outputs

    def encode(self, support: Support) -> tuple[Support, State]:
        """Targets as numbers of shape (B, S, n_targets), and what decoding needs of them."""
        return support, {}

    def expand(self, X: Tensor, kept: State) -> Tensor:
        """Rows of each task, once for each time that the network is asked."""
        return X

    def join(self, state: State, n_tasks: int) -> State:
        """Give a state of the network a first axis of tasks."""
        return state

    def part(self, state: State) -> State:
        """Undo :meth:`join`."""
        return state

    def decode(self, output: Tensor, kept: State) -> Tensor:
        """Turn outputs (B, Q, n_outputs) into mean and variance, of shape (B, Q, O, 2)."""
        mean, variance = output.unflatten(-1, (self.n_targets, 2)).unbind(dim=-1)
        return torch.stack([mean, F.softplus(variance) + _MIN_VARIANCE], dim=-1)


class SharedClassCode(NumberCode):
    """Classes that mean the same in all tasks: one indicator and one logit for each.

    Parameters
    ----------
    n_classes : int
        Number of classes ``C``.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import SharedClassCode, Support
    >>> support = Support(torch.zeros(1, 1, 1), torch.tensor([[1]]), torch.ones(1, 1).bool())
    >>> SharedClassCode(3).encode(support)[0].y
    tensor([[[0., 1., 0.]]])
    """

    def __init__(self, n_classes: int) -> None:
        super().__init__(n_classes)
        self.n_outputs = n_classes

    def encode(self, support: Support) -> tuple[Support, State]:
        """One for the class of a row, zero for the others."""
        indicators = F.one_hot(support.y, self.n_targets).to(support.X.dtype)
        return support._replace(y=indicators, class_mask=None), {}

    def decode(self, output: Tensor, kept: State) -> Tensor:
        """Outputs are logits."""
        return output


class OwnClassCode(NumberCode):
    """Classes of the task's own: the network is asked once for each, whether a row is of it.

    Which class is which does not matter then, and a task may have any number of them. The logit of
    a class is the answer and the logarithm of its share of the support.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import OwnClassCode, Support
    >>> y = torch.tensor([[0, 2, 1]])
    >>> coded, _ = OwnClassCode().encode(Support(torch.zeros(1, 3, 1), y, torch.ones(1, 3).bool()))
    >>> coded.y.squeeze(-1)
    tensor([[ 1., -1., -1.],
            [-1., -1.,  1.],
            [-1.,  1., -1.]])
    """

    def __init__(self) -> None:
        super().__init__(1)
        self.n_outputs = 1

    def encode(self, support: Support) -> tuple[Support, State]:
        """A task for each class: one for its rows, minus one for the others."""
        members, exists = class_members(support)
        n_classes = exists.shape[1]
        sign = torch.where(members.mT > 0, 1.0, -1.0).to(support.X.dtype)
        weight = support.weight
        coded = Support(
            repeat_tasks(support.X, n_classes),
            sign.flatten(end_dim=1).unsqueeze(-1),
            repeat_tasks(support.mask, n_classes),
            None,
            None if weight is None else repeat_tasks(weight, n_classes),
        )
        return coded, {"class_mask": exists, "log_shares": log_shares(members, exists)}

    def expand(self, X: Tensor, kept: State) -> Tensor:
        """Rows once for each class."""
        return repeat_tasks(X, kept["class_mask"].shape[1])

    def join(self, state: State, n_tasks: int) -> State:
        """A second axis for the classes."""
        return {name: part.unflatten(0, (n_tasks, -1)) for name, part in state.items()}

    def part(self, state: State) -> State:
        """Undo :meth:`join`."""
        return {
            name: part.flatten(end_dim=1)
            for name, part in state.items()
            if name not in ("class_mask", "log_shares")
        }

    def decode(self, output: Tensor, kept: State) -> Tensor:
        """Logits of shape (B, Q, C)."""
        class_mask = kept["class_mask"]
        logits = output.unflatten(0, class_mask.shape).squeeze(-1).mT
        return mask_classes(logits + kept["log_shares"].unsqueeze(1), class_mask)


class CodedLearner(EmbeddingLearner):
    """Base class of learners that a network for numbers underlies.

    A subclass writes ``_learn(support) -> state`` and ``_answer(state, X) -> output``, for targets
    of shape (B, S, n_targets) and outputs of shape (B, Q, n_outputs).

    Parameters
    ----------
    code : Module
        :class:`NumberCode`, :class:`SharedClassCode` or :class:`OwnClassCode`.
    embedding : Module or None, default=None
        Network that rows go through first. See :func:`forward_shared` for how it is called.
    """

    code: NumberCode

    def __init__(self, code: NumberCode, embedding: nn.Module | None = None) -> None:
        super().__init__(embedding)
        self.code = code

    def _adapt(self, support: Support) -> State:
        coded, kept = self.code.encode(support)
        return self.code.join(self._learn(coded), len(support.X)) | kept

    def _predict(self, state: State, embedded: Tensor, mask: Tensor) -> Tensor:
        output = self._answer(self.code.part(state), self.code.expand(embedded, state))
        return self.code.decode(output, state)

    def _learn(self, support: Support) -> State:
        """Learn the tasks from embedded rows and numbers."""
        raise NotImplementedError

    def _answer(self, state: State, X: Tensor) -> Tensor:
        """Outputs for embedded query rows."""
        raise NotImplementedError


def repeat_tasks(tensor: Tensor, n_times: int) -> Tensor:
    """Each task several times in a row, of shape (B * n_times, ...)."""
    return tensor.repeat_interleave(n_times, dim=0)


def log_shares(members: Tensor, exists: Tensor) -> Tensor:
    """Logarithm of the share of each class in the support, after one more row of each.

    Parameters
    ----------
    members : Tensor of shape (B, S, C)
        Weight of a row in the column of its class, else zero.
    exists : bool Tensor of shape (B, C)
        Which classes there are.

    Returns
    -------
    Tensor of shape (B, C)
        Zero for a class that does not exist.
    """
    counts = torch.where(exists, members.sum(dim=1) + 1.0, 0.0)
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1.0)
    return torch.where(exists, shares, 1.0).log()

"""Meta-training on several processes, each of which takes a part of every meta-batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, distributed


class Processes:
    """The processes of torch.distributed that train one network together.

    All hold the same weights, and put together what they find of their parts before each step. So
    a step is that of one process with the whole meta-batch, to rounding, however many there are.

    Attributes
    ----------
    rank : int
        Which of the processes this one is.
    count : int
        How many there are.

    Raises
    ------
    RuntimeError
        If torch.distributed has not been started.
    """

    def __init__(self) -> None:
        if not (distributed.is_available() and distributed.is_initialized()):
            raise RuntimeError(
                "distributed=True needs the processes of torch.distributed: start the script with "
                "torchrun, and call torch.distributed.init_process_group before fit."
            )
        self.rank, self.count = distributed.get_rank(), distributed.get_world_size()

    def part_of(self, tensor: Tensor) -> Tensor:
        """What this process takes of a meta-batch, of which the first axis is that of tasks."""
        return tensor[self.rank :: self.count]

    def check_same(self, described: str) -> None:
        """Refuse to go on if processes were given different things to do.

        Raises
        ------
        ValueError
            In every process.
        """
        everywhere: list[str] = [""] * self.count
        distributed.all_gather_object(everywhere, described)
        if len(set(everywhere)) > 1:
            raise ValueError(
                "Processes that train together need the same tasks, in the same order, and the "
                f"same parameters; process {self.rank} got others than another one."
            )

    def average(self, tensors: Sequence[Tensor], weight: Tensor) -> None:
        """Put the weighted mean over processes in the place of each tensor.

        Parameters
        ----------
        tensors : sequence of Tensor
            Of the same shapes in all processes.
        weight : Tensor of shape ()
            How much this process counts.
        """
        flat = torch.cat([weight * tensor.flatten() for tensor in tensors] + [weight[None]])
        distributed.all_reduce(flat)
        mean = flat[:-1] / flat[-1].clamp(min=1)
        for tensor, part in zip(tensors, mean.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Put what the first process has in the place of each tensor."""
        for tensor in tensors:
            distributed.broadcast(tensor, src=0)

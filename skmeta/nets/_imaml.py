"""Meta-learning with implicit gradients: no gradient goes through the inner steps."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from skmeta.nets._conjugate_gradients import conjugate_gradients
from skmeta.nets._flatten import flatten_parameters, unflatten_parameters
from skmeta.nets._functional import initial_parameters
from skmeta.nets._inner_sgd import Params, Position
from skmeta.nets._maml import MAML
from skmeta.nets._state import State
from skmeta.nets._support import Support
from skmeta.nets._task_gradients import task_gradients, task_losses

_ROUNDING = 16  # last digits
_GROWTH = 1.1  # of the length of steps that had been shortened
_LENGTH, _OBJECTIVE = "step_length", "objective"  # of each task, beside the optimiser's memory


class IMAML(MAML):
    r"""Implicit MAML [1]_ on all tasks of a meta-batch at once.

    A task's parameters minimise its support loss without leaving the initialisation far behind,

    .. math:: \theta_i = \arg\min_\phi L_i(\phi) + \tfrac{\lambda}{2} \|\phi - \theta\|^2.

    Where this is solved, the gradient of a query loss in :math:`\theta` does not depend on how: it
    is :math:`(I + H_i / \lambda)^{-1} g_i` with :math:`g_i` the gradient of the query loss and
    :math:`H_i` the Hessian of the support loss, both at :math:`\theta_i` [1]_. The
    linear system is solved by conjugate gradients with products of the Hessian and a vector, so
    that memory does not grow with the number of inner steps.

    This gradient does not see whether the steps get anywhere, so that nothing would keep training
    from where they diverge. A step that would raise a task's objective is therefore not taken, and
    halves the length of the next one; later ones grow again.

    Parameters
    ----------
    *args
        As in :class:`MAML`.
    proximity : float, default=1.0
        The penalty :math:`\lambda`.
    n_solver_steps : int, default=5
        Steps of conjugate gradients.
    **options
        As in :class:`MAML`.

    References
    ----------
    .. [1] Rajeswaran, Finn, Kakade and Levine (2019). Meta-learning with implicit gradients.
       NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import IMAML, MLP, InnerSGD, Support, squared_error
    >>> imaml = IMAML(MLP(n_inputs=1, n_outputs=1), squared_error, InnerSGD(0.1), n_steps=10)
    >>> support = Support(torch.zeros(2, 5, 1), torch.ones(2, 5, 1), torch.ones(2, 5).bool())
    >>> imaml(imaml.adapt(support), torch.zeros(2, 10, 1)).sum().backward()
    """

    def __init__(
        self, *args: Any, proximity: float = 1.0, n_solver_steps: int = 5, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.proximity, self.n_solver_steps = proximity, n_solver_steps

    def adapt(self, support: Support, n_steps: int | None = None) -> State:
        """Minimise the penalised support loss of every task.

        Parameters
        ----------
        support : Support
            Labelled rows of ``B`` tasks. A task without rows keeps the initialisation.
        n_steps : int, optional
            Number of inner steps, in place of the module's own.

        Returns
        -------
        dict of Tensor, each of shape (B, ...)
            As of :meth:`MAML.adapt`; while training, its gradient is the implicit one.
        """
        if not (self.training and torch.is_grad_enabled()):
            return super().adapt(support, n_steps)
        with torch.no_grad():
            state = super().adapt(support, n_steps)
        params = initial_parameters(self.backbone, len(support.X))
        found = _ImplicitSolution.apply(
            partial(self._solve, support),
            *(state[f"backbone.{name}"] for name in self.adapted),
            *(params[name] for name in self.adapted),
        )
        return state | {f"backbone.{n}": p for n, p in zip(self.adapted, found, strict=True)}

    def _step(
        self, position: Position, params: Params, support: Support, create_graph: bool, step: int
    ) -> Position:
        memory = dict(position.memory)
        before, length = memory.pop(_OBJECTIVE, None), memory.pop(_LENGTH, None)
        if before is None or length is None:
            before = self._objective(params | position.params, support)
            length = torch.ones_like(before)
        with torch.enable_grad():
            gradients = self._gradients(params | position.params, support, create_graph)
        shortened = {name: g * _for_each_task(length, g) for name, g in gradients.items()}
        moved = self.optimizer(Position(position.params, memory), shortened, step)
        after = self._objective(params | moved.params, support)
        # Near the minimum a step changes less than rounding does. False where it became NaN.
        is_lower = after <= before + _ROUNDING * torch.finfo(before.dtype).eps * before.abs()
        return Position(
            {
                name: torch.where(_for_each_task(is_lower, param), param, position.params[name])
                for name, param in moved.params.items()
            },
            {
                name: torch.where(_for_each_task(is_lower, running), running, 0.0)
                for name, running in moved.memory.items()
            }
            | {
                _OBJECTIVE: torch.where(is_lower, after, before),
                _LENGTH: torch.where(is_lower, (_GROWTH * length).clamp(max=1.0), length / 2),
            },
        )

    def _objective(self, params: Params, support: Support) -> Tensor:
        """What the inner steps minimise, of each task."""
        start = dict(self.backbone.named_parameters())
        squares = sum(
            (params[name] - start[name]).square().flatten(start_dim=1).sum(dim=1)
            for name in self.adapted
        )
        losses = task_losses(self.backbone, params, support, self.row_loss)
        return losses + self.proximity / 2 * squares

    def _gradients(self, params: Params, support: Support, create_graph: bool) -> Params:
        start = dict(self.backbone.named_parameters())
        return {
            name: gradient + self.proximity * (params[name] - start[name])
            for name, gradient in super()._gradients(params, support, create_graph).items()
        }

    def _solve(
        self, support: Support, found: Sequence[Tensor], right: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Solve the linear systems of the implicit gradient."""
        leaves = [param.detach().requires_grad_() for param in found]
        shared = initial_parameters(self.backbone, len(support.X))
        params = shared | dict(zip(self.adapted, leaves, strict=True))
        with torch.enable_grad():
            gradients = task_gradients(
                self.backbone, params, self.adapted, support, self.row_loss, create_graph=True
            )
        # A gradient that is constant has no part in the Hessian.
        curved = [i for i, name in enumerate(self.adapted) if gradients[name].requires_grad]
        outputs = [gradients[self.adapted[i]] for i in curved]

        def product(vector: Tensor) -> Tensor:
            parts = unflatten_parameters(vector, leaves)
            hessian = torch.autograd.grad(
                outputs,
                leaves,
                [parts[i] for i in curved],
                retain_graph=True,
                materialize_grads=True,
            )
            return vector + flatten_parameters(hessian) / self.proximity

        return unflatten_parameters(
            conjugate_gradients(product, flatten_parameters(right), self.n_solver_steps), leaves
        )


def _for_each_task(numbers: Tensor, like: Tensor) -> Tensor:
    """Numbers of shape (B,) so that they go with a tensor of shape (B, ...)."""
    return numbers.view(-1, *(1 for _ in like.shape[1:]))


class _ImplicitSolution(torch.autograd.Function):
    """Hand on the parameters that were found, as a function of those that were started from."""

    @staticmethod
    def forward(ctx: Any, solve: Callable, *found_and_start: Tensor) -> tuple[Tensor, ...]:
        found = found_and_start[: len(found_and_start) // 2]
        ctx.solve = solve
        ctx.save_for_backward(*found)
        return tuple(param.clone() for param in found)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        nothing = (None for _ in gradients)
        return None, *nothing, *ctx.solve(ctx.saved_tensors, gradients)

"""The engine of gradient-based meta-learners: learn what a few gradient steps start from."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from skmeta.nets._functional import (
    forward_shared,
    forward_tasks,
    initial_parameters,
    with_task_statistics,
)
from skmeta.nets._inner_sgd import InnerOptimizer, InnerSGD, Params, Position
from skmeta.nets._losses import mask_classes
from skmeta.nets._plain_descent import PlainDescent
from skmeta.nets._state import State
from skmeta.nets._support import Support
from skmeta.nets._support_batch import support_batch
from skmeta.nets._task_gradients import RowLoss, task_gradients


class MAML(nn.Module):
    r"""Model-agnostic meta-learning [1]_ on all tasks of a meta-batch at once.

    The module's parameters :math:`\theta` are an initialisation. Each inner step takes the
    parameters :math:`\theta_i` of task :math:`i` down the gradient of its support loss
    as in [1]_ for supervised learning,

    .. math:: \theta_i \leftarrow \theta_i - \alpha \nabla_{\theta_i} L_i(\theta_i),

    and training moves :math:`\theta` so that the loss on query rows *after* these steps falls.
    Other gradient-based learners differ in what is adapted and by which optimiser, so they are
    this class with other arguments: only the head on a shared body (ANIL), only context
    parameters (CAVIA) or offsets, learned step sizes (Meta-SGD).

    Parameters
    ----------
    backbone : Module
        Network to adapt, mapping rows of shape (N, D) to outputs of shape (N, O). See
        :func:`forward_tasks` for how arbitrary modules are treated; :class:`MLP` is the fast case.
    row_loss : callable
        Loss of each row, ``row_loss(output, y) -> Tensor of shape (B, S)``: for instance
        :func:`squared_error` or :func:`cross_entropy`.
    optimizer : Module, optional
        Takes the inner steps: :class:`InnerSGD` or :class:`RecurrentOptimizer`. By default gradient
        descent with a step size of 0.01.
    n_steps : int, default=1
        Number of inner steps.
    first_order : bool, default=False
        Whether training ignores that the inner gradients depend on :math:`\theta` (FOMAML):
        cheaper in time and memory, and biased.
    body : Module, optional
        Network that rows go through before the backbone, with the same parameters for all tasks;
        they are trained, but not adapted. Batch normalisation in it takes the statistics of a task.
    adapted : sequence of str, optional
        Names of the backbone's parameters that are adapted. By default all that require a gradient.
        The others are the same for all tasks.
    support_batch_size : int, optional
        Rows of the support that one step sees, see :func:`support_batch`. None means all.
    recompute : bool, default=False
        Whether to compute the intermediate results of an inner step a second time in the backward
        pass instead of storing them. Second-order training over many steps then takes less memory
        and more time.

    Raises
    ------
    ValueError
        If the backbone has no parameter to adapt.

    References
    ----------
    .. [1] Finn, Abbeel and Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MAML, MLP, Support, squared_error
    >>> maml = MAML(MLP(n_inputs=1, n_outputs=1), squared_error)
    >>> support = Support(torch.zeros(2, 5, 1), torch.ones(2, 5, 1), torch.ones(2, 5).bool())
    >>> state = maml.adapt(support)
    >>> maml(state, torch.zeros(2, 10, 1)).shape
    torch.Size([2, 10, 1])
    """

    def __init__(
        self,
        backbone: nn.Module,
        row_loss: RowLoss,
        optimizer: InnerOptimizer | None = None,
        n_steps: int = 1,
        first_order: bool = False,
        *,
        body: nn.Module | None = None,
        adapted: Sequence[str] | None = None,
        support_batch_size: int | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.body = None if body is None else with_task_statistics(body)
        self.adapted = _adapted_names(backbone, adapted)
        self._shares_parameters = len(self.adapted) < len(list(backbone.parameters()))
        self.row_loss = row_loss
        self.optimizer: InnerOptimizer = InnerSGD() if optimizer is None else optimizer
        self.n_steps = n_steps
        self.first_order = first_order
        self.support_batch_size = support_batch_size
        self.recompute = recompute

    def adapt(self, support: Support, n_steps: int | None = None) -> State:
        """Take the inner steps on the support rows of every task.

        While training, the state is a differentiable function of all parameters of the module. In
        evaluation mode, or where gradients are switched off, it is detached; the inner steps are
        taken all the same. Threads may call this at the same time.

        Parameters
        ----------
        support : Support
            Labelled rows of ``B`` tasks. A task without rows keeps the initialisation.
        n_steps : int, optional
            Number of inner steps, in place of the module's own.

        Returns
        -------
        dict of Tensor, each of shape (B, ...)
            Adapted parameters under the names of :meth:`named_parameters`, and the class mask, if
            there is one, as "class_mask".
        """
        # Not by unpacking, which would keep the states before it as well.
        return deque(self._descend(support, n_steps, last_only=True), maxlen=1).pop()

    def trajectory(self, support: Support, n_steps: int | None = None) -> list[State]:
        """Take the inner steps as :meth:`adapt` does, and keep what each of them has led to.

        Parameters
        ----------
        support : Support
            Labelled rows of ``B`` tasks.
        n_steps : int, optional
            Number of inner steps, in place of the module's own.

        Returns
        -------
        list of dict of Tensor
            1 + ``n_steps`` states; the first is the initialisation.
        """
        return list(self._descend(support, n_steps))

    def forward(self, state: State, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute the outputs of the adapted networks.

        Parameters
        ----------
        state : dict of Tensor, each of shape (B, ...)
            What :meth:`adapt` returned.
        X : Tensor of shape (B, Q, D)
            Query rows of each task.
        mask : bool Tensor of shape (B, Q), optional
            True for real rows, False for padding. Matters to batch normalisation alone.

        Returns
        -------
        Tensor of shape (B, Q, O)
            Outputs; a very negative number for classes that a task does not have.
        """
        params = {name: state[_PREFIX + name] for name in self.adapted}
        if self._shares_parameters:
            params = initial_parameters(self.backbone, len(X)) | params
        output = forward_tasks(self.backbone, params, self._embed(X, mask), mask)
        return mask_classes(output, state.get("class_mask"))

    def extra_repr(self) -> str:
        return f"n_steps={self.n_steps}, first_order={self.first_order}"

    def _descend(
        self, support: Support, n_steps: int | None, last_only: bool = False
    ) -> Iterator[State]:
        """States before the first step and after each; where it is quicker, the last one alone."""
        n_steps = self.n_steps if n_steps is None else n_steps
        differentiable = self.training and torch.is_grad_enabled()
        with torch.inference_mode(False), torch.set_grad_enabled(differentiable):
            support = _outside_inference_mode(support)
            support = support._replace(X=self._embed(support.X, support.mask))
        with torch.inference_mode(False), torch.enable_grad():
            params = self._initial_parameters(len(support.X))
            descent = self._plain_descent() if last_only and not differentiable else None
            found = None if descent is None else descent(params, support, n_steps)
        if found is not None:
            yield self._to_state(found, support.class_mask)
            return
        with torch.inference_mode(False), torch.enable_grad():
            start = self.optimizer.start({name: _to_adapt(params[name]) for name in self.adapted})
            advance = partial(self._advance, params, support, differentiable)
            positions = accumulate(range(n_steps), advance, initial=start)
        # The steps are taken one by one, so that only those that are asked for are kept.
        for _ in range(1 + n_steps):
            with torch.inference_mode(False), torch.enable_grad():
                found = next(positions).params
            yield self._to_state(found if differentiable else _detach(found), support.class_mask)

    def _plain_descent(self) -> PlainDescent | None:
        """The same steps without a graph and in place, if they are plain enough."""
        sees_all = not self._shares_parameters and self.support_batch_size is None
        takes_own_steps = (
            type(self)._step is not MAML._step or type(self)._gradients is not MAML._gradients
        )
        if takes_own_steps or not sees_all:
            return None
        return PlainDescent.of(self.backbone, self.row_loss, self.optimizer)

    def _initial_parameters(self, n_tasks: int) -> Params:
        """All parameters of the backbone before the first step."""
        return initial_parameters(self.backbone, n_tasks)

    def _advance(
        self, params: Params, support: Support, differentiable: bool, position: Position, step: int
    ) -> Position:
        """Take one step."""
        if not differentiable:  # without a graph that would grow from step to step
            with torch.no_grad():
                moved = self._step(_with_leaves(position), params, support, False, step)
            return moved
        create_graph = not self.first_order
        if self.recompute and create_graph:
            return checkpoint(
                self._step, position, params, support, create_graph, step, use_reentrant=False
            )
        return self._step(position, params, support, create_graph, step)

    def _step(
        self, position: Position, params: Params, support: Support, create_graph: bool, step: int
    ) -> Position:
        batch = support_batch(support, step, self.support_batch_size)
        with torch.enable_grad():
            gradients = self._gradients(params | position.params, batch, create_graph)
        return self.optimizer(position, gradients, step)

    def _gradients(self, params: Params, support: Support, create_graph: bool) -> Params:
        """Gradients of the inner objective."""
        return task_gradients(
            self.backbone, params, self.adapted, support, self.row_loss, create_graph
        )

    def _embed(self, X: Tensor, mask: Tensor | None) -> Tensor:
        return X if self.body is None else forward_shared(self.body, X, mask)

    def _to_state(self, params: Params, class_mask: Tensor | None) -> State:
        state = {_PREFIX + name: param for name, param in params.items()}
        return state if class_mask is None else state | {"class_mask": class_mask}


_PREFIX = "backbone."


def _adapted_names(backbone: nn.Module, adapted: Sequence[str] | None) -> list[str]:
    named = dict(backbone.named_parameters())
    if adapted is None:
        adapted = [name for name, param in named.items() if param.requires_grad]
        if not adapted:
            raise ValueError(
                f"backbone must have parameters that require a gradient; "
                f"{type(backbone).__name__} has none."
            )
    unknown = [name for name in adapted if name not in named]
    if unknown or not adapted:
        raise ValueError(
            f"adapted must name parameters of the backbone, which has {', '.join(named)}; "
            f"got {list(adapted)}."
        )
    return list(adapted)


def _to_adapt(param: Tensor) -> Tensor:
    """The parameter as it is if it is learned; otherwise one in which a gradient can be taken."""
    return param if param.requires_grad else param.detach().requires_grad_()


def _with_leaves(position: Position) -> Position:
    params = {name: param.detach().requires_grad_() for name, param in position.params.items()}
    return position._replace(params=params)


def _detach(params: Params) -> Params:
    return {name: param.detach() for name, param in params.items()}


def _outside_inference_mode(support: Support) -> Support:
    """Copy what inference mode has made, as such tensors may not take part in a gradient."""
    return Support._make(x.clone() if x is not None and x.is_inference() else x for x in support)

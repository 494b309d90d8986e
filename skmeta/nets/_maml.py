"""Model-agnostic meta-learning: learn an initialisation that a few gradient steps adapt."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from skmeta.nets._functional import forward_tasks, initial_parameters
from skmeta.nets._losses import mask_classes, masked_mean
from skmeta.nets._state import State
from skmeta.nets._support import Support


class MAML(nn.Module):
    r"""Model-agnostic meta-learning [1]_ on all tasks of a meta-batch at once.

    The module's parameters :math:`\theta` are an initialisation. Each inner step takes the
    parameters :math:`\theta_i` of task :math:`i` down the gradient of its support loss
    (eq. 1 of [1]_),

    .. math:: \theta_i \leftarrow \theta_i - \alpha \nabla_{\theta_i} L_i(\theta_i),

    and training moves :math:`\theta` so that the loss on query rows *after* these steps falls.

    Parameters
    ----------
    backbone : Module
        Network to adapt, mapping rows of shape (N, D) to outputs of shape (N, O). Parameters with
        ``requires_grad=False`` are shared by all tasks. See :func:`forward_tasks` for how
        arbitrary modules are treated; :class:`MLP` is the fast case.
    row_loss : callable
        Loss of each row, ``row_loss(output, y) -> Tensor of shape (B, S)``: for instance
        :func:`squared_error` or :func:`cross_entropy`.
    inner_lr : float, default=0.01
        Learning rate :math:`\alpha` of the inner steps.
    n_steps : int, default=1
        Number of inner steps.
    first_order : bool, default=False
        Whether training ignores that the inner gradients depend on :math:`\theta` (FOMAML):
        cheaper in time and memory, and biased.

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
        row_loss: Callable[[Tensor, Tensor], Tensor],
        inner_lr: float = 0.01,
        n_steps: int = 1,
        first_order: bool = False,
    ) -> None:
        super().__init__()
        if not any(param.requires_grad for param in backbone.parameters()):
            raise ValueError(
                f"backbone must have parameters that require a gradient; "
                f"{type(backbone).__name__} has none."
            )
        self.backbone = backbone
        self.row_loss = row_loss
        self.inner_lr = inner_lr
        self.n_steps = n_steps
        self.first_order = first_order

    def adapt(self, support: Support, n_steps: int | None = None) -> State:
        """Take the inner steps on the support rows of every task.

        While training, the state is a differentiable function of the initialisation. In evaluation
        mode, or where gradients are switched off, it is detached; the inner steps are taken all
        the same. Threads may call this at the same time.

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
        n_steps = self.n_steps if n_steps is None else n_steps
        differentiable = self.training and torch.is_grad_enabled()
        with torch.inference_mode(False), torch.enable_grad():
            support = _outside_inference_mode(support)
            params = initial_parameters(self.backbone, len(support.X))
            for _ in range(n_steps):
                params = self._inner_step(params, support, differentiable and not self.first_order)
        if not differentiable:
            params = {name: param.detach() for name, param in params.items()}
        return _to_state(params, support.class_mask)

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
        params, class_mask = _from_state(state)
        return mask_classes(forward_tasks(self.backbone, params, X, mask), class_mask)

    def extra_repr(self) -> str:
        return f"inner_lr={self.inner_lr}, n_steps={self.n_steps}, first_order={self.first_order}"

    def _inner_step(
        self, params: dict[str, Tensor], support: Support, create_graph: bool
    ) -> dict[str, Tensor]:
        """Move the parameters of every task down the gradient of its own support loss."""
        adapted = [name for name, param in self.backbone.named_parameters() if param.requires_grad]
        gradients = torch.autograd.grad(
            # A task's parameters touch no other task's loss: the gradient of the sum holds the
            # gradients of all tasks.
            self._support_losses(params, support).sum(),
            [params[name] for name in adapted],
            create_graph=create_graph,
            materialize_grads=True,  # a parameter may take no part in the output
        )
        steps = zip(adapted, gradients, strict=True)
        return params | {name: params[name] - self.inner_lr * grad for name, grad in steps}

    def _support_losses(self, params: dict[str, Tensor], support: Support) -> Tensor:
        output = forward_tasks(self.backbone, params, support.X, support.mask)
        output = mask_classes(output, support.class_mask)
        return masked_mean(self.row_loss(output, support.y), support.mask, support.weight)


_PREFIX = "backbone."


def _to_state(params: dict[str, Tensor], class_mask: Tensor | None) -> State:
    state = {_PREFIX + name: param for name, param in params.items()}
    return state if class_mask is None else state | {"class_mask": class_mask}


def _from_state(state: State) -> tuple[dict[str, Tensor], Tensor | None]:
    params = {
        name.removeprefix(_PREFIX): tensor
        for name, tensor in state.items()
        if name.startswith(_PREFIX)
    }
    return params, state.get("class_mask")


def _outside_inference_mode(support: Support) -> Support:
    """Copy what inference mode has made, as such tensors may not take part in a gradient."""
    return Support._make(x.clone() if x is not None and x.is_inference() else x for x in support)

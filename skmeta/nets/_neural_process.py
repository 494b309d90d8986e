"""Neural processes: predictions from a set encoder of the support, in one pass."""

from typing import Any

import torch
from torch import Tensor, nn

from skmeta.nets._mlp import MLP
from skmeta.nets._set_encoders import ENCODERS
from skmeta.nets._state import State
from skmeta.nets._support import Support
from skmeta.nets._target_code import CodedLearner, NumberCode


class NeuralProcess(CodedLearner):
    """Conditional [1]_, attentive [2]_ or transformer [3]_ neural process, batched over tasks.

    An encoder of the support says something to each query row, and a decoder turns that and the
    row into a prediction. All of them are deterministic: they have no latent variable, and predict
    each query row for itself.

    Parameters
    ----------
    n_inputs : int
        Number of features ``D`` of an embedded row.
    code : Module
        What targets are: :class:`NumberCode`, :class:`SharedClassCode` or :class:`OwnClassCode`.
    encoder : {"mean", "attention", "transformer"}, default="mean"
        :class:`MeanEncoder`, :class:`AttentionEncoder` or :class:`TransformerEncoder`.
    embedding : Module or None, default=None
        Network that rows go through first. See :func:`forward_shared` for how it is called.
    n_units : int, default=64
        Units of all layers.
    **options : Any
        Further options of the encoder.

    References
    ----------
    .. [1] Garnelo et al. (2018). Conditional neural processes. ICML.
    .. [2] Kim et al. (2019). Attentive neural processes. ICLR.
    .. [3] Nguyen & Grover (2022). Transformer neural processes. ICML.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import NeuralProcess, NumberCode, Support
    >>> process = NeuralProcess(1, NumberCode(1), encoder="attention")
    >>> X, y = torch.tensor([[[-1.0], [1.0]]]), torch.tensor([[[2.0], [4.0]]])
    >>> state = process.adapt(Support(X, y, torch.ones(1, 2).bool()))
    >>> process(state, torch.zeros(1, 5, 1)).shape  # mean and variance
    torch.Size([1, 5, 1, 2])
    """

    encoder: Any

    def __init__(
        self,
        n_inputs: int,
        code: NumberCode,
        encoder: str = "mean",
        embedding: nn.Module | None = None,
        n_units: int = 64,
        **options: Any,
    ) -> None:
        super().__init__(code, embedding)
        if encoder not in ENCODERS:
            raise ValueError(f"encoder must be one of {', '.join(ENCODERS)}; got {encoder!r}.")
        self.encoder = ENCODERS[encoder](n_inputs, code.n_targets, n_units, **options)
        self.decoder = MLP(n_units + n_inputs, code.n_outputs, (n_units, n_units), "gelu")

    def update(self, state: State, support: Support) -> State:
        """Take further rows into account, as if they had been in the support from the start.

        Parameters
        ----------
        state : dict of Tensor
            What :meth:`adapt` or this method returned.
        support : Support
            Further labelled rows of the same tasks.

        Returns
        -------
        dict of Tensor
            State of all rows.

        Raises
        ------
        TypeError
            If the encoder is a transformer, in which every row depends on all others, or if the
            classes are a task's own, of which further rows may bring more.
        """
        if not hasattr(self.encoder, "update") or "class_mask" in state:
            raise TypeError(
                "update needs the encoder 'mean' or 'attention', and numbers or classes that all "
                "tasks share."
            )
        with self._gradients():
            coded, _ = self.code.encode(self._embed_support(support))
            return self.encoder.update(state, coded)

    def _learn(self, support: Support) -> State:
        return self.encoder.adapt(support)

    def _answer(self, state: State, X: Tensor) -> Tensor:
        return self.decoder(torch.cat([self.encoder(state, X), X], dim=-1))

"""What estimators on a learned embedding have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import StrOptions
from torch import nn

from skmeta.episodic._estimator import NeuralMetaLearner
from skmeta.episodic._parameters import parameters
from skmeta.nets import MLP, forward_shared
from skmeta.tasks import TaskCollection

_N_EMBEDDING = 64


@parameters
class EmbeddingMetaLearner(NeuralMetaLearner):
    """Base class of learners that solve a task in a learned embedding.

    A subclass writes `_make_on_embedding(embedding, n_features, n_outputs)`, which returns the
    torch module: an :class:`skmeta.nets.EmbeddingLearner`. The number of outputs is that of
    targets, or that of classes that mean the same in all tasks.
    """

    _parameter_constraints: ClassVar[dict] = {
        "module": [StrOptions({"auto"}), callable, None],
    }
    _shared_docs: ClassVar[dict] = {
        "embedding": """
            module : "auto", callable, torch module or None, default="auto"
                The embedding. "auto" is a multi-layer perceptron with two hidden layers of 64 tanh
                units and 64 outputs; a callable is called with the numbers of inputs and outputs
                (64); a module is copied and trained from its weights. None takes rows as they
                are.""",
    }

    def _make_on_embedding(self, embedding: nn.Module, n_features: int, n_outputs: int) -> Any:
        raise NotImplementedError

    def _make_learner(self, n_inputs: int, n_outputs: int) -> Any:
        embedding = self._make_backbone(n_inputs, _N_EMBEDDING)
        return self._make_on_embedding(embedding, _count_features(embedding, n_inputs), n_outputs)

    def _make_backbone(self, n_inputs: int, n_outputs: int) -> nn.Module:
        """The embedding; rows as they are if there is none."""
        if self.module is None:
            return nn.Identity()
        if isinstance(self.module, str):
            # Smooth units: solutions are smooth functions of rows between the support's.
            return MLP(n_inputs, n_outputs, hidden_sizes=(64, 64), activation="tanh")
        return super()._make_backbone(n_inputs, n_outputs)

    def _train(self, tasks: TaskCollection, fingerprint: str | None) -> None:
        """Train, if there is anything to learn."""
        module = self.net_.module_
        if any(param.requires_grad for param in module.parameters()):
            super()._train(tasks, fingerprint)
        else:
            module.eval().to(self._dtype)


def _count_features(embedding: nn.Module, n_inputs: int) -> int:
    """Number of features that an embedding computes, which a user's need not be asked for."""
    rows = torch.zeros(1, 2, n_inputs)
    embedding.eval()  # leaves running averages and random numbers alone
    with torch.no_grad():
        n_features = forward_shared(embedding, rows, torch.ones(1, 2).bool()).shape[-1]
    embedding.train()
    return n_features

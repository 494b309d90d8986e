"""What learners with a closed-form solution on a learned embedding have in common."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skmeta.episodic import NeuralMetaLearner, parameters
from skmeta.episodic._dataset import rows_to_tensor
from skmeta.nets import MLP, Support, forward_shared
from skmeta.tasks import TaskCollection

_N_EMBEDDING = 64


@parameters
class ClosedFormLearner(NeuralMetaLearner):
    """Base class of learners that solve a task in closed form on a learned embedding."""

    _parameter_constraints: ClassVar[dict] = {
        "module": [StrOptions({"auto"}), callable, None],
    }

    def _make_backbone(self, n_inputs: int, n_outputs: int = _N_EMBEDDING) -> nn.Module:
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


class StreamingLearner(ClosedFormLearner):
    """Base class of those whose state can absorb further rows without the earlier ones."""

    def partial_adapt(self, X: Any, y: Any) -> Self:
        """Adapt to further rows of the same task.

        Rows seen before are neither needed nor embedded again.

        Parameters
        ----------
        X : array-like or data frame of shape (n_new, n_features)
            Further labelled rows.
        y : array-like of shape (n_new,) or (n_new, n_outputs)
            Their target.

        Returns
        -------
        model : BaseMetaLearner
            A new estimator, equal to rounding to `fit_adapt` on all rows. `self` is unchanged.

        Raises
        ------
        ValueError
            If classes are weighed: balancing weighs earlier rows anew, which are gone.
        """
        check_is_fitted(self)
        if self._weights_of_classes() is not None:
            raise ValueError("partial_adapt needs class_weight=None: earlier rows are not kept.")
        if not hasattr(self, "n_support_"):  # no task yet
            return self.fit_adapt(X, y)
        model = self._copy()
        X, y = model._validate_rows(X, y, reset=False)
        rows = rows_to_tensor(model._transform(X), self._dtype)[None].to(self.device)
        target = model._target_tensor(model._encode_further(y))[None].to(self.device)
        mask = torch.ones(rows.shape[:2], dtype=torch.bool, device=rows.device)
        model.state_ = model._learner.update(self.state_, Support(rows, target, mask))
        model.n_support_ = self.n_support_ + len(y)
        return model

    def _encode_further(self, y: np.ndarray) -> np.ndarray:
        """Targets of further rows as the state knows them."""
        return self._encode_support(y)


def count_features(embedding: nn.Module, n_inputs: int) -> int:
    """Number of features that an embedding computes, which a user's need not be asked for."""
    rows = torch.zeros(1, 2, n_inputs)
    embedding.eval()  # leaves running averages and random numbers alone
    with torch.no_grad():
        n_features = forward_shared(embedding, rows, torch.ones(1, 2).bool()).shape[-1]
    embedding.train()
    return n_features

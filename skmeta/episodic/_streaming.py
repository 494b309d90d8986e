"""States that can absorb further rows without the earlier ones."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skmeta.episodic._dataset import rows_to_tensor
from skmeta.episodic._estimator import NeuralMetaLearner
from skmeta.nets import Support


class StreamingMixin(NeuralMetaLearner):
    """Learners whose module has `update(state, support)`; goes left of the base class."""

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

"""Prototypical networks."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaLearner, parameters
from skmeta.episodic._dataset import rows_to_tensor
from skmeta.nets import PrototypeNet, forward_shared
from skmeta.tasks import TaskCollection

_N_EMBEDDING = 64
_ROWS_AT_ONCE = 2**14


@parameters
class PrototypeClassifier(NeuralMetaClassifierMixin, NeuralMetaLearner):
    """Classifier by the nearest class mean in a learned embedding.

    A prototypical network [1]_ embeds rows such that those of a class lie around their mean, its
    prototype. A new task may have any number of classes, also ones that no training task had.
    Where classes mean the same in all tasks, a class without a row in the support keeps the
    prototype of the training rows.

    An embedding that sees few classes in training (a dozen, say) learns these by heart, and may
    tell new ones apart worse than the rows as they are: compare with `module=None`.

    Parameters
    ----------
    module : "auto", callable, torch module or None, default="auto"
        The embedding. "auto" is a multi-layer perceptron with two hidden layers of 40 units and 64
        outputs; a callable is called with the numbers of inputs and outputs (64); a module is
        copied and trained from its weights. None compares rows as they are, without training.
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    classes_ : ndarray of shape (n_classes,)
        Classes that the estimator predicts.

    References
    ----------
    .. [1] Snell, Swersky & Zemel (2017). Prototypical networks for few-shot learning. NeurIPS.
       Equations 1 and 2.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmeta import PrototypeClassifier, make_n_way_tasks
    >>> X, y = make_blobs(600, n_features=8, centers=30, random_state=0)
    >>> train = make_n_way_tasks(
    ...     X[y < 26], y[y < 26], n_way=3, n_query=5, n_tasks=200, random_state=0
    ... )
    >>> meta = PrototypeClassifier(max_epochs=3, random_state=0).fit(train)
    >>> X_new, y_new = X[y > 25], y[y > 25]  # four classes that no training task had
    >>> model = meta.fit_adapt(X_new[:20], y_new[:20])
    >>> model.classes_
    array([26, 27, 28, 29])
    >>> model.score(X_new[20:], y_new[20:]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "module": [StrOptions({"auto"}), callable, None],
    }

    def _make_backbone(self, n_inputs: int, n_outputs: int) -> nn.Module:
        return super()._make_backbone(n_inputs, _N_EMBEDDING)

    def _make_learner(self, n_inputs: int, n_outputs: int) -> PrototypeNet:
        return PrototypeNet(self._make_backbone(n_inputs, n_outputs))

    def _learn_target(self, tasks: TaskCollection) -> int:
        super()._learn_target(tasks)
        # Which class is which does not matter to prototypes: an episode has those of its support.
        self._n_slots = int(tasks.storage[1].max()) + 1
        self._slots = np.arange(len(self._training_classes))
        return self._n_slots

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        if self.module is None:
            self._learn_target(tasks)
            self._distances = PrototypeNet().eval()
        else:
            super()._fit_tasks(tasks)
        self._prior_counts = np.zeros((len(self._training_classes), 1))
        self._learn_prior(tasks)

    def _partial_fit_tasks(self, tasks: TaskCollection) -> None:
        if self.module is None:
            self._distances = deepcopy(self._distances)  # models adapted before keep theirs
        else:
            super()._partial_fit_tasks(tasks)
        self._learn_prior(tasks)

    @property
    def _learner(self) -> Any:
        return self._distances if self.module is None else super()._learner

    # ------------------------------------------------------------------ prior prototypes

    def _learn_prior(self, tasks: TaskCollection) -> None:
        """Where classes mean the same in all tasks, their prototypes over all training rows.

        After `partial_fit`, rows of earlier tasks count as they were embedded then.
        """
        if not self.shared_target_:
            return
        X, y = tasks.storage
        embedded = np.concatenate([self._embed(X[i]) for i in gen_batches(len(y), _ROWS_AT_ONCE)])
        sums = np.eye(len(self.classes_))[y].T @ embedded
        counts = np.bincount(y, minlength=len(self.classes_))[:, None] + self._prior_counts
        if self._prior_counts.any():
            earlier = np.nan_to_num(self._learner.prior_prototypes.cpu().numpy())
            sums += earlier * self._prior_counts
        # NaN stands for a class that was announced but has had no row yet.
        means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        self._prior_counts = counts
        self._learner.prior_prototypes = torch.from_numpy(means).to(self.device, self._dtype)

    def _embed(self, X: np.ndarray) -> np.ndarray:
        rows = rows_to_tensor(X, self._dtype)[None].to(self.device)
        mask = torch.ones(rows.shape[:2], dtype=torch.bool, device=rows.device)
        with torch.no_grad():
            return forward_shared(self._learner.embedding, rows, mask)[0].cpu().numpy()

    # ------------------------------------------------------------------ any number of classes

    def _encode_support(self, y: np.ndarray) -> np.ndarray:
        """Slots of the classes: those of training first, since they have prior prototypes."""
        codes = super()._encode_support(y)
        known = self._training_classes if self.shared_target_ else self.classes_
        is_new = ~np.isin(self.classes_, known)
        self._slots = np.where(is_new, len(known) + np.cumsum(is_new) - 1, np.cumsum(~is_new) - 1)
        return self._slots[codes]

    def _class_mask(self) -> Tensor | None:
        return None  # the classes that have a prototype

    def _slot_classes(self) -> np.ndarray:
        return self.classes_[np.argsort(self._slots)]

    def _logits(self, X: Any) -> np.ndarray:
        return self._output(X)[:, self._slots]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.task_tags.new_classes = True
        return tags

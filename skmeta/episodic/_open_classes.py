"""Classifiers that take any number of classes, new ones too."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from skmeta.episodic._parameters import parameters
from skmeta.episodic._targets import NeuralMetaClassifierMixin
from skmeta.tasks import TaskCollection


@parameters
class OpenClassesMixin(NeuralMetaClassifierMixin):
    """Slots of a module for classes as they come; goes left of :class:`NeuralMetaLearner`.

    The first slots belong to the classes that mean the same in all tasks, of which the module may
    know something before it sees a row; the next ones to further classes of a support, in order.
    """

    def _learn_target(self, tasks: TaskCollection) -> int:
        """Number of classes that mean the same in all tasks; zero where they are a task's own."""
        n_outputs = super()._learn_target(tasks)
        self._give_slots(self._training_classes, self._training_classes)
        return n_outputs if self.shared_target_ else 0

    def _encode_support(self, y: np.ndarray) -> np.ndarray:
        super()._encode_support(y)
        return self._give_slots(self._training_classes, y)

    def _encode_further(self, y: np.ndarray) -> np.ndarray:
        """Slots of further rows of a task: classes seen before keep theirs."""
        return self._give_slots(self._classes_by_slot, y)

    def _give_slots(self, known: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Slots of the given rows: classes that have one keep it, new ones get the next."""
        self._classes_by_slot = np.concatenate([known, np.setdiff1d(y, known)])
        self._slots = np.argsort(self._classes_by_slot)
        classes = self._classes_by_slot[self._slots]
        if self.shared_target_ or len(classes):
            self.classes_ = classes
        return self._slots[np.searchsorted(classes, y)]

    def _class_mask(self) -> Tensor | None:
        return None  # the module finds out which classes a task has

    def _slot_classes(self) -> np.ndarray:
        return self._classes_by_slot

    def _logits(self, X: Any) -> np.ndarray:
        return self._output(X)[:, self._slots]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.task_tags.new_classes = True
        return tags

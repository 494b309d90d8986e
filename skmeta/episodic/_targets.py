"""What a target is to a neural meta-learner: slots for classes, or standardised numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions
from torch import Tensor

from skmeta.base import MetaClassifierMixin, MetaRegressorMixin
from skmeta.episodic._dataset import as_outputs
from skmeta.episodic._parameters import parameters
from skmeta.nets import ClassWeight, cross_entropy, squared_error
from skmeta.tasks import TaskCollection


@parameters
class NeuralMetaClassifierMixin(MetaClassifierMixin):
    """Classes as slots of the module's output; goes left of :class:`NeuralMetaLearner`."""

    class_weight: Any = None

    _parameter_constraints: ClassVar[dict] = {
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }
    _shared_docs: ClassVar[dict] = {
        "class_weight": """
            class_weight : "balanced", dict of class to weight or None, default=None
                Weight of each class in supports and in the loss of training. "balanced" gives all
                classes that a task has the same weight in all. A dict needs classes that mean the
                same in all tasks; those that it does not name weigh one.""",
        "own_classes": """
            Where classes mean the same in all tasks, the network has one output for each; where
            they are a task's own, it has as many as a task has classes, assigned at random in each
            episode.""",
        "classes_": """
            classes_ : ndarray of shape (n_classes,)
                Classes that the estimator predicts.""",
    }
    _row_loss = staticmethod(cross_entropy)
    _stratify = True

    def _learn_target(self, tasks: TaskCollection) -> int:
        """Count the outputs: one for each class, or for each class that a task can have."""
        self._n_slots: int | None = None
        if self.shared_target_:
            return len(self.classes_)
        codes = tasks.storage[1]
        n_codes = int(codes.max()) + 1
        pairs = np.unique(tasks.row_task * n_codes + codes[tasks.row_index()])
        self._n_slots = int(np.bincount(pairs // n_codes).max())
        return self._n_slots

    def _scale_target(self, y: np.ndarray) -> np.ndarray:
        return y

    def _class_mask(self) -> Tensor | None:
        if self._n_slots is None:
            return None
        if len(self.classes_) > self._n_slots:
            raise ValueError(
                f"The support has {len(self.classes_)} classes, but training tasks had at most "
                f"{self._n_slots}, and {type(self).__name__} has one output for each."
            )
        return torch.arange(self._n_slots)[None] < len(self.classes_)

    def _weights_of_classes(self) -> ClassWeight | None:
        if self.class_weight is None:
            return None
        if isinstance(self.class_weight, str):
            return "balanced"
        if not self.shared_target_:
            raise ValueError(
                f"class_weight must be 'balanced' or None where classes are a task's own, got "
                f"{self.class_weight!r}."
            )
        classes = self._slot_classes().tolist()
        unknown = [c for c in self.class_weight if c not in classes]
        if unknown:
            raise ValueError(f"class_weight names {unknown}, but the classes are {classes}.")
        weights = [self.class_weight.get(c, 1.0) for c in classes]
        return torch.tensor(weights, dtype=self._dtype)

    def _slot_classes(self) -> np.ndarray:
        """Classes in the order of the module's outputs, where they mean the same in all tasks."""
        return self.classes_

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        proba : ndarray of shape (n_query, n_classes)
            Columns in the order of `classes_`.
        """
        logits = self._logits(X).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        proba = np.exp(logits)
        return proba / proba.sum(axis=1, keepdims=True)

    def _logits(self, X: Any) -> np.ndarray:
        return self._output(X)[:, : len(self.classes_)]


@parameters
class NeuralMetaRegressorMixin(MetaRegressorMixin):
    """Standardised targets; goes left of :class:`NeuralMetaLearner`.

    Attributes
    ----------
    y_mean_, y_scale_ : ndarray of shape (n_outputs,)
        Mean and standard deviation of the target in the training tasks, or zeros and ones with
        `normalize_y=False`.
    """

    normalize_y: bool = True

    _parameter_constraints: ClassVar[dict] = {"normalize_y": ["boolean"]}
    _shared_docs: ClassVar[dict] = {
        "normalize_y": """
            normalize_y : bool, default=True
                Whether to standardise the target by its mean and deviation in the training
                tasks.""",
        "y_scale_": """
            y_mean_, y_scale_ : ndarray of shape (n_outputs,)
                Mean and standard deviation of the target in the training tasks.""",
    }
    _row_loss = staticmethod(squared_error)
    _stratify = False
    _n_slots = None

    def _learn_target(self, tasks: TaskCollection) -> int:
        y = tasks.storage[1]
        self._is_single_output = y.ndim == 1
        y = as_outputs(y)
        self.y_mean_, self.y_scale_ = np.zeros(y.shape[1]), np.ones(y.shape[1])
        if self.normalize_y:
            self.y_mean_, scale = y.mean(axis=0), y.std(axis=0)
            self.y_scale_ = np.where(scale > 0, scale, 1.0)
        return y.shape[1]

    def _scale_target(self, y: np.ndarray) -> np.ndarray:
        y = as_outputs(y)
        if y.shape[1] != len(self.y_mean_):
            raise ValueError(
                f"y has {y.shape[1]} outputs, but training tasks had {len(self.y_mean_)}."
            )
        return (y - self.y_mean_) / self.y_scale_

    def predict(self, X: Any) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : array-like or data frame of shape (n_query, n_features)

        Returns
        -------
        y : ndarray of shape (n_query,) or (n_query, n_outputs)
        """
        y = self._output(X) * self.y_scale_ + self.y_mean_
        return y[:, 0] if self._is_single_output else y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

"""Meta-gradient descent: learn the whole inner optimiser together with the initial weights."""

from __future__ import annotations

from itertools import product
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval

from skmeta.base._exceptions import TrainingInterrupted
from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin, parameters
from skmeta.gradient_based._learner import UnrolledLearner, read_rate
from skmeta.nets import MAML, InnerSGD, LearnedRate
from skmeta.tasks import TaskCollection

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")


@parameters
class _MetaGradientDescent(UnrolledLearner):
    inner_momentum: float = 0.0
    inner_weight_decay: float = 0.0
    support_batch_size: Any = None

    _parameter_constraints: ClassVar[dict] = {
        "inner_momentum": [Interval(Real, 0, 1, closed="left")],
        "inner_weight_decay": [Interval(Real, 0, None, closed="left")],
        "n_steps": [_AT_LEAST_ONE, list],
        "support_batch_size": [_AT_LEAST_ONE, list, None],
    }
    _shared_docs: ClassVar[dict] = {
        "inner_optimizer": """
            inner_momentum, inner_weight_decay : float, default=0.0
                Momentum and weight decay that training starts from.
            n_steps : int or list of int, default=5
                Inner steps in training. Of several numbers, that with the lowest loss on held-out
                tasks is taken, after training with each.
            support_batch_size : int, None or list, default=None
                Rows of the support that an inner step sees, in turn; None shows it all of them. Of
                several, the best is taken as of `n_steps`, together with it.
            n_adapt_steps : int or None, default=None
                Inner steps when adapting to a new task; None takes `n_steps_`. It may be changed
                after `fit`. Steps beyond those of training repeat the last one's numbers.""",
        "learned_optimizer": """
            step_sizes_, momenta_, weight_decays_ : dict of ndarray of shape (n_steps,)
                What was learned for each layer, by name.
            n_steps_ : int
                Number of inner steps in training.
            support_batch_size_ : int or None
                Rows that an inner step sees.
            validation_losses_ : dict of float
                Loss on held-out tasks for each pair of `n_steps` and `support_batch_size`. Only
                where there was a choice.""",
    }

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        """Train once, or with each choice of number of steps and batch size to take the best."""
        choices = self._choices
        if len(choices) == 1:
            self.n_steps_, self.support_batch_size_ = choices[0]
            super()._fit_tasks(tasks)
            return
        self._check_choices(len(tasks))
        fitted: list[Any] = []
        interruption = None
        for self.n_steps_, self.support_batch_size_ in choices:
            try:
                super()._fit_tasks(tasks)
            except TrainingInterrupted as error:
                interruption = error
            fitted.append((self._validation_loss(), self.net_))
            if interruption is not None:
                break
        losses = [loss for loss, _ in fitted]
        self.validation_losses_ = dict(zip(choices, losses, strict=False))
        best = int(np.argmin(losses))
        self.n_steps_, self.support_batch_size_ = choices[best]
        self.net_ = fitted[best][1]
        if interruption is not None:
            raise interruption

    @property
    def _choices(self) -> list[tuple[int, int | None]]:
        return list(product(_as_list(self.n_steps), _as_list(self.support_batch_size)))

    @property
    def _n_parts_of_fit(self) -> int:
        return self.max_epochs * len(self._choices)

    def _check_choices(self, n_tasks: int) -> None:
        if not int(n_tasks * (self.train_split or 0.0)):
            raise ValueError(
                "A choice of n_steps or support_batch_size needs held-out tasks, but "
                f"train_split={self.train_split} of {n_tasks} tasks is none."
            )
        if self.checkpoint is not None:
            raise ValueError(
                "A checkpoint holds one training, so it takes one value of n_steps and of "
                "support_batch_size."
            )

    def _validation_loss(self) -> float:
        if "valid_loss" not in self.net_.history_[-1]:  # interrupted in its first epoch
            return np.inf
        losses = self.net_.history_[:, "valid_loss"]
        return losses[-1] if self.patience is None else min(losses)

    def _make_inner_optimizer(self, shapes: dict[str, torch.Size]) -> InnerSGD:
        starts = self.inner_lr, self.inner_momentum, self.inner_weight_decay
        return InnerSGD(*(LearnedRate(s, shapes, "layer", self._learner_steps) for s in starts))

    def _make_inner_loop(self, **options: Any) -> MAML:
        return super()._make_inner_loop(support_batch_size=self.support_batch_size_, **options)

    @property
    def _learner_steps(self) -> int:
        return self.n_steps_

    @property
    def momenta_(self) -> dict[str, np.ndarray]:
        """Momentum of each layer and step."""
        return read_rate(self._learner.optimizer.momentum)

    @property
    def weight_decays_(self) -> dict[str, np.ndarray]:
        """Weight decay of each layer and step."""
        return read_rate(self._learner.optimizer.weight_decay)


def _as_list(value: Any) -> list:
    return value if isinstance(value, list) else [value]


@parameters
class MetaGradientDescentClassifier(NeuralMetaClassifierMixin, _MetaGradientDescent):
    """Classifier that learns, with the initial weights, the optimiser that adapts them.

    As :class:`MAMLClassifier`, with step sizes, momenta and weight decays of the inner steps that
    are learned by the same gradient as the initial weights, for each layer and each step [1]_
    [2]_. Number of steps and batch size, which have no gradient, are chosen on held-out tasks.
    {{own_classes}}

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.1
        Step size that training starts from.
    {{inner_optimizer}}
    {{unrolled}}
    {{class_weight}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    {{learned_optimizer}}
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Antoniou, Edwards & Storkey (2019). How to train your MAML. ICLR. "Learning per-layer
       per-step learning rates".
    .. [2] Baik, Choi, Choi, Kim & Lee (2020). Meta-learning with adaptive hyperparameters. NeurIPS.
       Here, the numbers do not depend on the task.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import MetaGradientDescentClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=100, random_state=0)
    >>> meta = MetaGradientDescentClassifier(n_steps=[1, 2], max_epochs=3, random_state=0)
    >>> sorted(meta.fit(tasks).validation_losses_)
    [(1, None), (2, None)]
    """

    inner_lr: float = 0.1


@parameters
class MetaGradientDescentRegressor(NeuralMetaRegressorMixin, _MetaGradientDescent):
    """Regressor that learns, with the initial weights, the optimiser that adapts them.

    As :class:`MAMLRegressor`, with step sizes, momenta and weight decays of the inner steps that
    are learned by the same gradient as the initial weights, for each layer and each step [1]_
    [2]_. Number of steps and batch size, which have no gradient, are chosen on held-out tasks.

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.01
        Step size that training starts from.
    {{inner_optimizer}}
    {{unrolled}}
    {{normalize_y}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    {{learned_optimizer}}
    {{attributes}}
    {{y_scale_}}

    References
    ----------
    .. [1] Antoniou, Edwards & Storkey (2019). How to train your MAML. ICLR. "Learning per-layer
       per-step learning rates".
    .. [2] Baik, Choi, Choi, Kim & Lee (2020). Meta-learning with adaptive hyperparameters. NeurIPS.
       Here, the numbers do not depend on the task.

    Examples
    --------
    >>> from skmeta import MetaGradientDescentRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = MetaGradientDescentRegressor(n_steps=3, max_epochs=5, random_state=0).fit(tasks)
    >>> sorted(meta.momenta_), meta.momenta_["layers.0"].shape
    (['layers.0', 'layers.1', 'layers.2'], (3,))
    """

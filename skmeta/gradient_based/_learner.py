"""What learners that adapt by gradient steps have in common."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skmeta.base._exceptions import TrainingDivergedError, TrainingInterrupted
from skmeta.episodic import EpisodeLoss, NeuralMetaLearner, parameters
from skmeta.gradient_based._clipping import ClipGradients
from skmeta.gradient_based._losses import AnnealStepWeights, MultiStepLoss
from skmeta.gradient_based._rehearsal import Rehearsal
from skmeta.nets import (
    MAML,
    Episode,
    InnerOptimizer,
    InnerSGD,
    LearnedRate,
    MultiStepEpisode,
    Support,
    parameter_shapes,
    with_precision,
)
from skmeta.tasks import TaskCollection

_COUNT = Interval(Integral, 0, None, closed="left")


class Parts(NamedTuple):
    """A network taken apart: what is adapted, and what comes before it."""

    backbone: nn.Module
    adapted: list[str] | None = None  # names of parameters; None for all
    body: nn.Module | None = None


@parameters
class GradientBasedLearner(NeuralMetaLearner):
    """Base class of learners that take gradient steps on the support of a task."""

    inner_lr: float = 0.01
    n_steps: Any = 5
    n_adapt_steps: int | None = None
    clip_factor: float | None = 3.0
    buffer_size: int | None = 0
    compile: bool = False

    _parameter_constraints: ClassVar[dict] = {
        "compile": ["boolean"],
        "inner_lr": [Interval(Real, 0, None, closed="neither")],
        "n_steps": [_COUNT],
        "n_adapt_steps": [_COUNT, None],
        "buffer_size": [_COUNT, None],
        "clip_factor": [Interval(Real, 0, None, closed="neither"), None],
    }
    _shared_docs: ClassVar[dict] = {
        "online": """
            buffer_size : int or None, default=0
                How many past tasks `partial_fit` keeps and rehearses with the new ones: a random
                choice of all that came, or with None all of them (follow the meta-leader). 0 keeps
                none.""",
        "clipping": """
            clip_factor : float or None, default=3.0
                A meta-gradient that is longer than so many times the median of the last 100 is
                shortened to that: where inner steps overshoot, it explodes. None leaves all as
                they are.""",
        "compile": """
            compile : bool, default=False
                Whether to trace and compile the whole episode, inner steps and meta-gradient, for
                each shape of a meta-batch. Takes a C++ compiler, and up to a minute for each shape.
                Where it is not possible, training runs as it is, and a warning says why.""",
        "inner_steps": """
            n_steps : int, default={n_steps}
                Inner steps in training.
            n_adapt_steps : int or None, default=None
                Inner steps when adapting to a new task; None takes `n_steps`. It may be changed
                after `fit`. Steps beyond those of training take the step size of the last.""",
        "inner_attributes": """
            step_sizes_ : dict of ndarray
                Step sizes of each group of parameters that shares them, by name; their first axis
                is that of the steps, if each has its own.""",
    }

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        try:
            super()._fit_tasks(tasks)
        except (TrainingDivergedError, TrainingInterrupted):  # learning may go on all the same
            self._rehearsal = Rehearsal(self.buffer_size, self._seed).add(tasks)
            raise
        self._rehearsal = Rehearsal(self.buffer_size, self._seed).add(tasks)

    def _partial_fit_tasks(self, tasks: TaskCollection) -> None:
        # Remembered first, as training may be stopped.
        past, self._rehearsal = self._rehearsal, self._rehearsal.add(tasks)
        super()._partial_fit_tasks(past.join(tasks))

    def _make_learner(self, n_inputs: int, n_outputs: int) -> MAML:
        backbone, adapted, body = self._make_parts(n_inputs, n_outputs)
        shapes = parameter_shapes(backbone)
        names = shapes if adapted is None else adapted
        return self._make_inner_loop(
            backbone=backbone,
            row_loss=self._row_loss,
            optimizer=self._make_inner_optimizer({name: shapes[name] for name in names}),
            n_steps=self._learner_steps,
            adapted=adapted,
            body=body,
        )

    def _make_parts(self, n_inputs: int, n_outputs: int) -> Parts:
        """The network, and which part of it is adapted: all of it."""
        return Parts(self._make_backbone(n_inputs, n_outputs))

    def _make_inner_optimizer(self, shapes: dict[str, torch.Size]) -> InnerOptimizer:
        """What takes the steps, given the shapes of the adapted parameters."""
        return InnerSGD(self.inner_lr)

    def _make_inner_loop(self, **options: Any) -> MAML:
        """The module that adapts."""
        return MAML(**options)

    def _adapt_support(self, support: Support) -> dict[str, torch.Tensor]:
        """Take the inner steps as in training, in 32 bits; predictions are made in more."""
        support = Support(**with_precision(support._asdict(), torch.float32))
        state = self.net_.learner_as_trained().adapt(support, n_steps=self.n_adapt_steps)
        return with_precision(state, self._dtype)

    def _make_callbacks(self, n_tasks: int, fingerprint: str | None) -> list:
        callbacks = super()._make_callbacks(n_tasks, fingerprint)
        if self.clip_factor is not None:
            callbacks.insert(0, ("clip_gradients", ClipGradients(self.clip_factor)))
        return callbacks

    @property
    def _compile_episodes(self) -> bool:
        return self.compile

    @property
    def _learner_steps(self) -> int:
        """Inner steps in training."""
        return self.n_steps

    @property
    def step_sizes_(self) -> dict[str, np.ndarray]:
        """Step sizes of each group of parameters that shares them."""
        return read_rate(self._learner.optimizer.lr)


@parameters
class UnrolledLearner(GradientBasedLearner):
    """Base class of learners whose meta-gradient goes through the inner steps."""

    first_order: bool = False
    multi_step_epochs: int = 0
    recompute: bool = False

    _parameter_constraints: ClassVar[dict] = {
        "first_order": ["boolean"],
        "multi_step_epochs": [_COUNT],
        "recompute": ["boolean"],
    }
    _shared_docs: ClassVar[dict] = {
        "unrolled": """
            first_order : bool, default=False
                Whether to ignore second derivatives: faster, but not the gradient of the loss.
            multi_step_epochs : int, default=0
                Epochs at the start of training in which the query loss after each inner step
                counts, the same at first and then less and less beside that of the last step
                (MAML++). 0 counts the last step alone.
            recompute : bool, default=False
                Whether to compute an inner step again in the backward pass instead of storing it,
                which takes less memory where steps are many.""",
    }

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        if self.compile and self.recompute:
            raise ValueError(
                "compile and recompute exclude each other: compiled code decides itself what it "
                "stores."
            )
        super()._fit_tasks(tasks)

    @property
    def _is_multi_step(self) -> bool:
        return self.multi_step_epochs > 0 and self._learner_steps > 1

    def _make_inner_loop(self, **options: Any) -> MAML:
        return super()._make_inner_loop(
            first_order=self.first_order, recompute=self.recompute, **options
        )

    def _make_episode(self, learner: Any) -> nn.Module:
        return MultiStepEpisode(learner) if self._is_multi_step else Episode(learner)

    def _make_criterion(self) -> EpisodeLoss:
        if self._is_multi_step:
            return MultiStepLoss(self._row_loss, self._learner_steps)
        return EpisodeLoss(self._row_loss)

    def _make_callbacks(self, n_tasks: int, fingerprint: str | None) -> list:
        callbacks = super()._make_callbacks(n_tasks, fingerprint)
        if self._is_multi_step:
            callbacks.insert(0, ("step_weights", AnnealStepWeights(self.multi_step_epochs)))
        return callbacks


@parameters
class InnerSGDLearner(UnrolledLearner):
    """Base class of learners whose inner optimiser is the user's choice, step sizes learned or
    not."""

    inner_momentum: float = 0.0
    inner_weight_decay: float = 0.0
    learn_inner_lr: str | None = None
    inner_lr_per_step: bool = False

    _parameter_constraints: ClassVar[dict] = {
        "inner_momentum": [Interval(Real, 0, 1, closed="left")],
        "inner_weight_decay": [Interval(Real, 0, None, closed="left")],
        "learn_inner_lr": [StrOptions({"shared", "layer", "parameter"}), None],
        "inner_lr_per_step": ["boolean"],
    }
    _shared_docs: ClassVar[dict] = {
        "inner_sgd": """
            inner_momentum, inner_weight_decay : float, default=0.0
                Momentum and weight decay of the inner steps.
            learn_inner_lr : {"shared", "layer", "parameter"} or None, default=None
                Whether to learn the step size with the initialisation, starting from `inner_lr`:
                one for all parameters, one for each layer, or one for each single weight.
            inner_lr_per_step : bool, default=False
                Whether each inner step has learned step sizes of its own.""",
    }

    def _make_inner_optimizer(self, shapes: dict[str, torch.Size]) -> InnerSGD:
        lr: float | LearnedRate = self.inner_lr
        if self.learn_inner_lr is not None:
            n_steps = self.n_steps if self.inner_lr_per_step else 1
            lr = LearnedRate(self.inner_lr, shapes, self.learn_inner_lr, n_steps)
        return InnerSGD(lr, self.inner_momentum, self.inner_weight_decay)


def read_rate(rate: float | LearnedRate) -> dict[str, np.ndarray]:
    """Values of a number of the inner optimiser by group of parameters."""
    if not isinstance(rate, LearnedRate):
        return {"": np.array([rate])}
    return {group: values.cpu().numpy() for group, values in rate.read().items()}

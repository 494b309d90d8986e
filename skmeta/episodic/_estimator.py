"""Base class of neural meta-learners: the estimator around a skorch net."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from copy import deepcopy
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skmeta.base import TrainingDivergedError
from skmeta.base._exceptions import TrainingInterrupted
from skmeta.base._progress import is_part_of_a_fit
from skmeta.episodic._adapting import NeuralAdapter
from skmeta.episodic._callbacks import (
    BeginEpoch,
    Checkpoint,
    KeepBest,
    ReportToScikitLearn,
    StopOnDivergence,
    read_checkpoint,
)
from skmeta.episodic._dataset import EpisodeDataset
from skmeta.episodic._net import EpisodeLoss, EpisodicNet
from skmeta.episodic._neural_docs import NEURAL_DOCS
from skmeta.episodic._parameters import parameters
from skmeta.episodic._processes import Processes
from skmeta.nets import MLP, Episode
from skmeta.tasks import TaskCollection


@parameters
class NeuralMetaLearner(NeuralAdapter):
    """Base class of meta-learners that run on a torch module.

    A subclass also inherits from :class:`NeuralMetaClassifierMixin` or
    :class:`NeuralMetaRegressorMixin` and writes `_make_learner(n_inputs, n_outputs)`, which returns
    a torch module with `adapt(support) -> state` and `forward(state, X)` (see :mod:`skmeta.nets`).

    Parameters
    ----------
    {{module}}
    {{training}}

    Attributes
    ----------
    net_ : EpisodicNet
        The skorch net that trained the module; `net_.history_` holds the losses of each epoch.
    state_ : dict of Tensor
        What adaptation to the support gave.
    """

    module: Any = "auto"
    n_support: int | None = None
    n_query: int | None = None
    optimizer: Any = torch.optim.Adam
    lr: float = 1e-3
    max_epochs: int = 100
    batch_size: int = 16
    train_split: float | None = 0.2
    patience: int | None = 20
    callbacks: list | None = None
    checkpoint: Any = None
    device: Any = "cpu"
    distributed: bool = False
    verbose: int = 0
    preprocessor: Any = "auto"
    random_state: Any = None

    _parameter_constraints: ClassVar[dict] = {
        "module": [StrOptions({"auto"}), callable],
        "n_support": [Interval(Integral, 1, None, closed="left"), None],
        "n_query": [Interval(Integral, 1, None, closed="left"), None],
        "optimizer": [callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "train_split": [Interval(Real, 0, 1, closed="left"), None],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "callbacks": [list, None],
        "checkpoint": [str, os.PathLike, None],
        "device": [str, torch.device],
        "distributed": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }
    _shared_docs = NEURAL_DOCS

    @property
    def _compile_episodes(self) -> bool:
        """Whether training is compiled."""
        return False

    # ------------------------------------------------------------------ what a learner writes

    def _make_learner(self, n_inputs: int, n_outputs: int) -> Any:
        """Make the torch module; outputs are targets or, for classes, slots."""
        raise NotImplementedError

    def _make_episode(self, learner: Any) -> nn.Module:
        """The learner inside an episode, whose output the row loss compares with the query."""
        return Episode(learner)

    def _make_criterion(self) -> EpisodeLoss:
        """The loss of training: compares what an episode puts out with the query."""
        return EpisodeLoss(self._row_loss)

    def _make_backbone(self, n_inputs: int, n_outputs: int) -> nn.Module:
        """The user's network, or the default one."""
        if isinstance(self.module, nn.Module):
            return deepcopy(self.module)
        return (MLP if isinstance(self.module, str) else self.module)(n_inputs, n_outputs)

    # ------------------------------------------------------------------ learning

    def _learn_tasks(
        self, tasks: TaskCollection, learn: Callable[[TaskCollection], None], is_one_table: bool
    ) -> None:
        """Learn; where training was stopped, what it had learned by then stays usable."""
        try:
            learn(tasks)
        except TrainingDivergedError:
            self._adapt_after_fit(tasks, is_one_table)
            raise
        except TrainingInterrupted as interruption:
            self._adapt_after_fit(tasks, is_one_table)
            if is_part_of_a_fit(self):  # Ctrl-C is meant for the whole of it
                raise
            warnings.warn(str(interruption), stacklevel=2)
        else:
            self._adapt_after_fit(tasks, is_one_table)

    def _fit_tasks(self, tasks: TaskCollection) -> None:
        if self.checkpoint is not None and not isinstance(self.random_state, Integral):
            raise ValueError("To resume from a checkpoint, random_state must be an integer.")
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        n_outputs = self._learn_target(tasks)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            self.net_ = EpisodicNet(
                self._make_episode(self._make_learner(tasks.n_features, n_outputs)),
                criterion=self._make_criterion(),
                optimizer=self.optimizer,
                lr=self.lr,
                batch_size=self.batch_size,
                train_split=self.train_split,
                device=self.device,
                verbose=int(self.verbose),
                compile_episodes=self._compile_episodes,
                **self._optimizer_options(),
            )
            self.net_.initialize()
            fingerprint = None if self.checkpoint is None else self._fingerprint(tasks)
            self._train(tasks, fingerprint)

    def _optimizer_options(self) -> dict[str, Any]:
        # On a CPU, Adam goes through the parameters one by one unless told otherwise.
        is_plain_adam = self.optimizer is torch.optim.Adam and str(self.device) == "cpu"
        return {"optimizer__fused": True} if is_plain_adam else {}

    def _partial_fit_tasks(self, tasks: TaskCollection) -> None:
        self.net_ = deepcopy(self.net_)  # models that were adapted before keep theirs
        with torch.random.fork_rng(devices=[]):
            self._train(tasks, fingerprint=None)

    def _train(self, tasks: TaskCollection, fingerprint: str | None) -> None:
        """Train for `max_epochs`, less those that the checkpoint of this training holds."""
        net, dataset, n_done = self.net_, self._make_dataset(tasks), 0
        net.processes_ = self._processes(tasks)
        net.module_.float()
        if fingerprint is not None and os.path.exists(self.checkpoint):
            state = read_checkpoint(self.checkpoint, fingerprint)
            n_done = self.max_epochs if state["is_finished"] else state["n_epochs"]
        net.set_params(callbacks=self._make_callbacks(len(dataset), fingerprint))
        net.initialize_callbacks()
        try:
            net.partial_fit(dataset, epochs=max(self.max_epochs - n_done, 0))
        finally:  # callbacks of a past training hold memory, and some cannot be pickled
            net.callbacks, net.callbacks_, net.processes_ = None, [], None
            net.module_.eval().to(self._dtype)
        if net.is_interrupted_:
            raise TrainingInterrupted(self._describe_interruption(), self)

    def _describe_interruption(self) -> str:
        history = self.net_.history_
        if "train_loss" in history[-1]:
            learned = f"It keeps the weights of {len(history)} epochs"
        else:
            learned = "It keeps the weights of a part of the first epoch"
        goes_on = "" if self.checkpoint is None else "; another `fit` goes on from the checkpoint"
        return f"The training of {type(self).__name__} was interrupted. {learned}{goes_on}."

    @property
    def _n_parts_of_fit(self) -> int:
        return self.max_epochs

    def _processes(self, tasks: TaskCollection) -> Processes | None:
        """Those that train together, all with the same tasks; None for this one alone."""
        if not self.distributed:
            return None
        if not isinstance(self.random_state, Integral):
            raise ValueError("To train on several processes, random_state must be an integer.")
        processes = Processes()
        processes.check_same(self._fingerprint(tasks))
        return processes

    def _make_dataset(self, tasks: TaskCollection) -> EpisodeDataset:
        return EpisodeDataset(
            tasks.with_storage(y=self._scale_target(tasks.storage[1])),
            *self._episode_sizes(tasks),
            n_slots=self._n_slots,
            stratify=self._stratify,
            class_weight=self._weights_of_classes(),
            seed=self._seed,
        )

    def _episode_sizes(self, tasks: TaskCollection) -> tuple[int, int]:
        """Rows of a task in the support and, at most, in the query of an episode."""
        n_support, n_query = tasks.default_split
        return (
            n_support if self.n_support is None else self.n_support,
            n_query if self.n_query is None else self.n_query,
        )

    def _make_callbacks(self, n_tasks: int, fingerprint: str | None) -> list:
        """The user's callbacks between our own.

        Those that may stop an epoch's end come late, as later ones are then not called; the
        checkpoint comes last, as it takes and restores the states of all others.
        """
        callbacks = [("begin_epoch", BeginEpoch()), ("divergence", StopOnDivergence())]
        callbacks += [
            part if isinstance(part, tuple) else (f"user_{i}", part)
            for i, part in enumerate(deepcopy(self.callbacks or []))
        ]
        context = vars(self).get("_callback_fit_ctx")
        if context is not None:
            callbacks.append(("scikit_learn", ReportToScikitLearn(self, context)))
        if self.patience is not None and int(n_tasks * (self.train_split or 0.0)):
            callbacks.append(("keep_best", KeepBest(self.patience)))
        if fingerprint is not None:
            callbacks.append(("checkpoint", Checkpoint(self.checkpoint, fingerprint)))
        return callbacks

    def _fingerprint(self, tasks: TaskCollection) -> str:
        """Says what is trained on what; a checkpoint of anything else is refused."""
        elsewhere = {"checkpoint", "max_epochs", "verbose", "device", "distributed", "callbacks"}
        params = {
            name: _describe(value)
            for name, value in sorted(self.get_params(deep=False).items())
            if name not in elsewhere
        }
        rows = tasks.row_hashes()[tasks.row_index()]
        digest = blake2b(rows.tobytes() + tasks.sizes.tobytes() + repr(params).encode())
        return f"{type(self).__name__}-{digest.hexdigest()[:32]}"


def _describe(value: Any) -> str:
    """A text that is the same in another process: no addresses."""
    if isinstance(value, nn.Module):
        return f"{value!r}{[(k, v.double().sum().item()) for k, v in value.state_dict().items()]}"
    return getattr(value, "__qualname__", None) or repr(value)

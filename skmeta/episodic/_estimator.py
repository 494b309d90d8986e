"""Base class of neural meta-learners: the estimator around a skorch net."""

from __future__ import annotations

import os
from copy import deepcopy
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from skmeta.base import (
    BaseMetaLearner,
    MetaClassifierMixin,
    MetaRegressorMixin,
    TrainingDivergedError,
)
from skmeta.episodic._callbacks import (
    BeginEpoch,
    Checkpoint,
    KeepBest,
    ReportToScikitLearn,
    StopOnDivergence,
    read_checkpoint,
)
from skmeta.episodic._dataset import (
    EpisodeDataset,
    as_outputs,
    gather,
    rows_to_tensor,
    target_to_tensor,
)
from skmeta.episodic._net import EpisodeLoss, EpisodicNet
from skmeta.episodic._parameters import parameters
from skmeta.nets import (
    MLP,
    ClassWeight,
    Episode,
    Support,
    cross_entropy,
    squared_error,
    take_tasks,
    weigh_classes,
)
from skmeta.tasks import TaskCollection
from skmeta.tasks._split import Draw

_TASKS_AT_ONCE = 128  # in `fit_adapt_many`: their weights stay in the processor's cache


@parameters
class NeuralMetaLearner(BaseMetaLearner):
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
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    @property
    def _dtype(self) -> torch.dtype:
        """Precision of adaptation and prediction; training takes 32 bits.

        64 bits make predictions for a row the same to rounding whatever rows come with it, as
        scikit-learn asks. A user's network may not bear them, nor may another device.
        """
        is_ours = self.module is None or isinstance(self.module, str)
        return torch.float64 if is_ours and str(self.device) == "cpu" else torch.float32

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

    @property
    def _learner(self) -> Any:  # a module with `adapt`, see skmeta.nets
        return self.net_.module_.learner

    # ------------------------------------------------------------------ learning

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
        net.module_.float()
        if fingerprint is not None and os.path.exists(self.checkpoint):
            state = read_checkpoint(self.checkpoint, fingerprint)
            n_done = self.max_epochs if state["is_finished"] else state["n_epochs"]
        net.set_params(callbacks=self._make_callbacks(len(dataset), fingerprint))
        net.initialize_callbacks()
        try:
            net.partial_fit(dataset, epochs=max(self.max_epochs - n_done, 0))
        finally:  # callbacks of a past training hold memory, and some cannot be pickled
            net.callbacks, net.callbacks_ = None, []
            net.module_.eval().to(self._dtype)

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
        elsewhere = {"checkpoint", "max_epochs", "verbose", "device", "callbacks"}
        params = {
            name: _describe(value)
            for name, value in sorted(self.get_params(deep=False).items())
            if name not in elsewhere
        }
        rows = tasks.row_hashes()[tasks.row_index()]
        digest = blake2b(rows.tobytes() + tasks.sizes.tobytes() + repr(params).encode())
        return f"{type(self).__name__}-{digest.hexdigest()[:32]}"

    # ------------------------------------------------------------------ adapting

    def _adapt(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> None:
        weight = None if sample_weight is None else rows_to_tensor(sample_weight, self._dtype)[None]
        self.state_ = self._adapt_batch(
            Support(
                rows_to_tensor(X, self._dtype)[None],
                self._target_tensor(y)[None],
                torch.ones((1, len(y)), dtype=torch.bool),
                self._class_mask(),
                weight,
            )
        )

    def _adapt_many(self, models: list, tasks: TaskCollection) -> None:
        X, y = rows_to_tensor(tasks.storage[0], self._dtype), self._target_tensor(tasks.storage[1])
        by_size = np.argsort(tasks.sizes, kind="stable")  # little padding
        for start in range(0, len(models), _TASKS_AT_ONCE):
            chosen = by_size[start : start + _TASKS_AT_ONCE]
            draw = Draw(tasks.row_index(chosen), tasks.sizes[chosen])
            (X_batch, mask), (y_batch, _) = gather(X, draw), gather(y, draw)
            class_masks = [models[i]._class_mask() for i in chosen]
            class_mask = None if class_masks[0] is None else torch.cat(class_masks)
            states = self._adapt_batch(Support(X_batch, y_batch, mask, class_mask))
            for position, i in enumerate(chosen.tolist()):
                models[i]._states, models[i]._position = states, position

    @property
    def state_(self) -> dict[str, Tensor]:
        """What adaptation to the support gave: a batch of one task."""
        # Cut out when it is asked for: of many models that are adapted at once, few may be used.
        here = slice(self._position, self._position + 1)
        return {name: tensor[here] for name, tensor in self._states.items()}

    @state_.setter
    def state_(self, state: dict[str, Tensor]) -> None:
        self._states, self._position = state, 0

    def _adapt_batch(self, support: Support) -> dict[str, Tensor]:
        class_weight = self._weights_of_classes()
        if class_weight is not None:
            weight = support.mask.to(self._dtype) if support.weight is None else support.weight
            weight = weigh_classes(support.y, support.mask, class_weight, weight)
            support = support._replace(weight=weight)
        moved = {
            name: part.to(self.device)
            for name, part in support._asdict().items()
            if part is not None
        }
        states = self._adapt_support(support._replace(**moved))
        _check_adapted(states)
        return states

    def _adapt_support(self, support: Support) -> dict[str, Tensor]:
        return self._learner.adapt(support)

    def _target_tensor(self, y: np.ndarray) -> Tensor:
        return target_to_tensor(self._scale_target(y), self._dtype)

    def _class_mask(self) -> Tensor | None:
        """Which slots the task has, of shape (1, n_slots); None where it has them all."""
        return None

    def _weights_of_classes(self) -> ClassWeight | None:
        """How much each class counts, in supports and in the loss; None weighs rows the same."""
        return None

    def _output(self, X: Any) -> np.ndarray:
        """Output of the adapted module for raw query rows, of shape (n_query, n_outputs)."""
        rows = rows_to_tensor(self._validate_query(X), self._dtype).to(self.device)
        with torch.no_grad():
            return self._learner(self.state_, rows[None])[0].cpu().numpy()

    def __getstate__(self):
        state = super().__getstate__()
        if "_states" in state:  # a view would take the states of a whole batch along
            state["_states"], state["_position"] = take_tasks(self._states, self._position), 0
        return state


@parameters
class NeuralMetaClassifierMixin(MetaClassifierMixin):
    """Classes as slots of the module's output; goes left of :class:`NeuralMetaLearner`."""

    class_weight: Any = None

    _parameter_constraints: ClassVar[dict] = {
        "class_weight": [StrOptions({"balanced"}), dict, None],
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


def _describe(value: Any) -> str:
    """A text that is the same in another process: no addresses."""
    if isinstance(value, nn.Module):
        return f"{value!r}{[(k, v.double().sum().item()) for k, v in value.state_dict().items()]}"
    return getattr(value, "__qualname__", None) or repr(value)


def _check_adapted(states: dict[str, Tensor]) -> None:
    """Refuse tasks whose weights have become NaN: they would predict NaN, and say nothing."""
    bad: set[int] = set()
    for tensor in states.values():
        if tensor.is_floating_point() and tensor.isnan().any():
            bad.update(tensor.isnan().flatten(1).any(dim=1).nonzero()[:, 0].tolist())
    if bad:
        which = "the support" if len(next(iter(states.values()))) == 1 else f"{len(bad)} supports"
        raise TrainingDivergedError(
            f"Adapting to {which} diverged: weights became NaN. Look for values in it that are far "
            "from those of the training tasks, or make the inner steps smaller or fewer."
        )

"""skorch callbacks: reproducible epochs, early stopping, checkpoints, divergence, progress."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from skorch.callbacks import Callback, EarlyStopping
from skorch.history import History

from skmeta.base import TrainingDivergedError
from skmeta.tasks._hashing import combine


class BeginEpoch(Callback):
    """Makes the episodes and torch's random numbers a function of seed and epoch."""

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        dataset_train.epoch = len(net.history)
        torch.manual_seed(int(combine(dataset_train.seed, dataset_train.epoch) >> 1))


class StopOnDivergence(Callback):
    """Restores the weights of the last whole epoch where training ends in another one.

    It stops training when loss or weights become NaN or infinite; Ctrl-C stops it as well. If that
    was in the first epoch, the weights of a part of it are all there is, and stay.
    """

    def on_epoch_begin(self, net, **kwargs):
        self.good_weights_ = deepcopy(net.module_.state_dict())
        self.n_good_epochs_ = len(net.history) - 1

    def on_batch_end(self, net, loss=None, training=False, **kwargs):
        if training and not torch.isfinite(loss):
            self._stop(net, f"The loss became {loss.item()}")

    def on_epoch_end(self, net, **kwargs):
        if not all(torch.isfinite(p).all() for p in net.module_.parameters()):
            self._stop(net, "The weights became NaN or infinite")

    def on_train_end(self, net, **kwargs):
        if net.is_interrupted_ and self.n_good_epochs_:
            net.module_.load_state_dict(self.good_weights_)
            del net.history[self.n_good_epochs_ :]
        self.good_weights_ = None

    def _stop(self, net: Any, what: str) -> None:
        epoch = len(net.history)
        net.module_.load_state_dict(self.good_weights_)
        self.good_weights_ = None
        raise TrainingDivergedError(
            f"{what} in epoch {epoch}. The weights of epoch {epoch - 1} were restored. Lower the "
            "learning rates, clip gradients (callbacks=[GradientNormClipping(1.0)] from "
            "skorch.callbacks), or check the scale of the data."
        )


class KeepBest(EarlyStopping):
    """Stops when held-out tasks have not improved for `patience` epochs; restores the best."""

    _state = ("misses_", "dynamic_threshold_", "best_epoch_", "best_model_weights_")

    def __init__(self, patience: int):
        super().__init__(monitor="valid_loss", patience=patience, load_best=True, sink=_silent)

    def state_dict(self) -> dict:
        """What a checkpoint needs to go on counting."""
        state = {name: getattr(self, name) for name in self._state}
        state["dynamic_threshold_"] = float(state["dynamic_threshold_"])  # no numpy in the file
        return state

    def load_state_dict(self, state: dict) -> None:
        """Go on counting."""
        self.__dict__.update(state)


class Checkpoint(Callback):
    """Saves the whole state of training after each epoch, and resumes from it.

    The file is written beside its place and moved there, so that it is complete at any moment. A
    resumed training gives the same weights, to the bit on a CPU with one thread, as one that was
    never interrupted.

    Parameters
    ----------
    path : str or Path
        The file. If it exists when training starts, training resumes from it.
    fingerprint : str
        Says what is trained on what. A file with another fingerprint is refused.
    """

    def __init__(self, path: Any, fingerprint: str):
        self.path = path
        self.fingerprint = fingerprint

    def on_train_begin(self, net, **kwargs):
        if Path(self.path).exists():
            self._restore(net)

    def on_epoch_begin(self, net, **kwargs):
        # Now all callbacks are done with the last epoch, and the new one has only been entered
        # into the history.
        self._save(net, History(net.history[:-1]), is_finished=False)

    def on_train_end(self, net, **kwargs):
        if not net.is_interrupted_:  # otherwise the file holds the last whole epoch
            self._save(net, net.history, is_finished=True)

    def _save(self, net: Any, history: History, is_finished: bool) -> None:
        state = {
            "fingerprint": self.fingerprint,
            "is_finished": is_finished,
            "n_epochs": len(history),
            "module": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "history": json.dumps(history.to_list()),
            "callbacks": {name: part.state_dict() for name, part in _stateful(net)},
        }
        unfinished = Path(f"{self.path}.{os.getpid()}.part")
        torch.save(state, unfinished)
        os.replace(unfinished, self.path)

    def _restore(self, net: Any) -> None:
        state = read_checkpoint(self.path, self.fingerprint)
        net.module_.load_state_dict(state["module"])
        net.optimizer_.load_state_dict(state["optimizer"])
        net.history_[:] = json.loads(state["history"])
        for name, part in _stateful(net):
            part.load_state_dict(state["callbacks"][name])


def read_checkpoint(path: Any, fingerprint: str) -> dict:
    """Read a checkpoint without running code from it.

    Raises
    ------
    ValueError
        If the file is not a checkpoint, or one of another training.
    """
    try:
        state = torch.load(path, weights_only=True)
        found = state["fingerprint"]
    except Exception as error:
        raise ValueError(f"{str(path)!r} is not a checkpoint of skmeta.") from error
    if found != fingerprint:
        raise ValueError(
            f"The checkpoint {str(path)!r} comes from a training with other parameters, other "
            "tasks or another random_state. Remove it, or give `checkpoint` another path."
        )
    return state


class ReportToScikitLearn(Callback):
    """Tells scikit-learn's callbacks (`set_callbacks(ProgressBar())`) of each epoch."""

    def __init__(self, estimator: Any, context: Any):
        self.estimator = estimator
        self.context = context

    def on_epoch_begin(self, net, **kwargs):
        self._epoch = self.context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self.estimator)

    def on_epoch_end(self, net, **kwargs):
        if self._epoch.call_on_fit_task_end(estimator=self.estimator):
            raise KeyboardInterrupt  # how skorch is told to stop


def _stateful(net: Any) -> list[tuple[str, Any]]:
    """Callbacks, or learning-rate schedulers inside them, whose state belongs to training."""
    parts = ((name, getattr(c, "lr_scheduler_", c)) for name, c in net.callbacks_)
    return [(name, part) for name, part in parts if hasattr(part, "state_dict")]


def _silent(*args: Any, **kwargs: Any) -> None:
    pass

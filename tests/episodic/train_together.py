"""One of the processes that `test_distributed.py` starts: trains learners and saves their weights.

python train_together.py RANK COUNT PORT FOLDER
"""

import importlib.util
import os
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from torch import distributed, nn

from skmeta import MAMLRegressor, PrototypeClassifier, ReptileRegressor
from skmeta.datasets import make_linear_tasks
from skmeta.episodic import EpisodeDataset, EpisodeLoss, EpisodicNet
from skmeta.nets import MAML, MLP, Episode, squared_error

TASKS = make_linear_tasks(22, 8, 3, noise=0.1, random_state=0)
CLASSES = TASKS.with_storage(y=np.where(TASKS.y > 0, "ill", "well"))


def normalised(n_inputs, n_outputs):
    """A network with running averages, of which processes that train together keep one set."""
    return nn.Sequential(nn.Linear(n_inputs, 8), nn.BatchNorm1d(8), nn.Linear(8, n_outputs))


def learners(folder):
    """Unfitted learners by name. Most meta-batches cannot be shared evenly, some not at all."""
    options = {"random_state": 0, "max_epochs": 4, "batch_size": 6, "train_split": 0.25}
    return {
        "maml": (MAMLRegressor(**options | {"train_split": None}), TASKS),
        "early stopping": (
            MAMLRegressor(**options | {"lr": 0.05, "max_epochs": 30, "patience": 2}),
            TASKS,
        ),
        "many steps": (
            MAMLRegressor(n_steps=3, multi_step_epochs=3, checkpoint=folder / "c.pt", **options),
            TASKS,
        ),
        "reptile": (ReptileRegressor(n_steps=3, **options | {"batch_size": 17}), TASKS),
        "prototypes": (PrototypeClassifier(class_weight="balanced", **options), CLASSES),
    }


def weights(net):
    """All parameters, one after the other."""
    return torch.cat([param.detach().flatten() for param in net.module_.parameters()]).numpy()


def accelerated(count):
    """A net that trains by skorch's own means for several processes; None without accelerate.

    Each process takes its part of a meta-batch, which has to be as large in all.
    """
    if not importlib.util.find_spec("accelerate"):
        return None
    from accelerate import Accelerator
    from accelerate.utils import DataLoaderConfiguration
    from skorch.hf import AccelerateMixin

    class AcceleratedNet(AccelerateMixin, EpisodicNet):
        """The net that learners train, with skorch's mixin."""

    os.environ |= {"WORLD_SIZE": str(count)}
    accelerator = Accelerator(
        cpu=True, dataloader_config=DataLoaderConfiguration(split_batches=True)
    )
    # Accelerate would wrap a loss that is a module for training, and fail as it has no parameters.
    loss = EpisodeLoss(squared_error)
    return make_net(
        AcceleratedNet, accelerator=accelerator, device=None, criterion=lambda: loss.forward
    )


def make_net(kind, **options):
    """A skorch net of the given kind, the same in all processes."""
    torch.manual_seed(0)
    episode = Episode(MAML(MLP(3, 1, hidden_sizes=(8,)), squared_error))
    net = kind(
        episode,
        optimizer=torch.optim.Adam,
        lr=0.01,
        batch_size=4,
        max_epochs=3,
        train_split=None,
        verbose=0,
        **{"criterion": EpisodeLoss(squared_error)} | options,
    )
    return net.initialize()


def main():
    rank, count, port, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": str(rank)}
    distributed.init_process_group(
        "gloo", rank=rank, world_size=count, timeout=timedelta(seconds=120)
    )
    found = {}
    for name, (learner, tasks) in learners(folder).items():
        meta = learner.set_params(distributed=True).fit(tasks)
        found[name] = weights(meta.net_)
        found[f"{name}, losses"] = np.array(meta.net_.history_[:, "train_loss"])
    options = {"max_epochs": 1, "random_state": 0, "distributed": True}
    meta = MAMLRegressor(module=normalised, **options).fit(TASKS)
    found["averages"] = np.concatenate([b.numpy().ravel() for b in meta.net_.module_.buffers()])
    try:
        MAMLRegressor(**options).fit(TASKS[rank:])
    except ValueError as error:
        found["refused"] = np.array(str(error))
    net = accelerated(count)
    if net is not None:
        net.partial_fit(EpisodeDataset(TASKS[:20], 4, 4))
        found["accelerate"] = weights(net)
    np.savez(folder / f"{rank}.npz", **found)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()

"""Few-shot classification of Omniglot's characters, in the setting of the literature.

Training: the characters of the 30 background alphabets, with rotations by 90, 180 and 270 degrees
as characters of their own (Vinyals et al., 2016); each image is moved a little.
Testing: characters of the 20 evaluation alphabets as they are, n-way tasks with fresh characters
each. The network is that of all published methods below ("Conv4"); where all weights adapt, with
strides instead of pooling, as in the MAML paper on this data, and normalised by the rows at hand,
query rows included, as there. Images are 28 x 28 and binary; the data is a file with
`images_packed` (characters, 20 drawings, 98 bytes), `is_background` and `alphabet` (characters,):

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive MALLOC_MMAP_MAX_=0 \
        MALLOC_TRIM_THRESHOLD_=8589934592 python benchmarks/omniglot.py --data omniglot28.npz \
        --learner PrototypeClassifier --bfloat16 --minutes 25

The variables halve the time of a step: memory is not handed back to the system after each layer,
and threads do not spin while they wait for each other on a machine that does other work as well.

Training ends with its time, that of the processor over the number of threads, of which evaluation
is no part; the learning rate falls to zero along with it. On the way the accuracy on a few test
tasks is printed for the curve of accuracy against time; nothing depends on it. The last lines are
the accuracy over `--test-tasks` tasks of each way and number of shots, through `fit_adapt_many`,
with a 95 % confidence interval over tasks. A learner is trained once for all of them, on tasks of
more ways than those of the test: such tasks are harder, and make better features.
`--validate` holds out every fifth background alphabet and tests on their characters instead:
settings were chosen by that.

Published accuracy for 5-way 1-shot, 5-shot, 20-way 1-shot, 5-shot: prototypical networks 98.8,
99.7, 96.0, 98.9 (Snell et al., 2017), MAML 98.7, 99.9, 95.8, 98.9 (Finn et al., 2017), Meta-SGD
99.5, 99.9, 95.9, 99.0 (Li et al., 2017).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from conv4_all_tasks import StridedConv4
from skorch.callbacks import Callback
from torch.nn.functional import affine_grid, grid_sample

import skmeta
from skmeta import NWayTasks, make_n_way_tasks
from skmeta.episodic import EpisodeDataset
from skmeta.nets import ConvNet

EMBEDS = ("PrototypeClassifier", "RidgeHeadClassifier", "SVMHeadClassifier")
# Learners that adapt all weights, with what is not the default.
ADAPTS_WEIGHTS: dict[str, dict[str, Any]] = {
    "MAMLClassifier": {"n_steps": 1, "inner_lr": 1.0, "learn_inner_lr": "layer"},
    "MetaSGDClassifier": {"n_steps": 1, "inner_lr": 1.0},
}
IMAGE, N_DRAWINGS = (1, 28, 28), 20


class Embedding(ConvNet):
    """Conv4 without a last layer: 64 features.

    Pixels are in the order in which convolutions on a CPU are quickest.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Not used: both follow from the images.
    bfloat16 : bool
        Whether to compute with 16 bits inside, where the processor can.
    augment : callable, optional
        What training images go through first.
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        bfloat16: bool,
        augment: Callable[[torch.Tensor], torch.Tensor] | None,
    ):
        super().__init__(IMAGE, n_outputs=None, running_statistics=True)
        self.bfloat16, self.augment = bfloat16, augment
        self.to(memory_format=torch.channels_last)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Embed flat images."""
        images = X.reshape(-1, *IMAGE)
        if self.training and self.augment is not None:
            images = self.augment(images)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            features = self.blocks(images).flatten(start_dim=1)
        return features.to(X.dtype)


def jittered(images: torch.Tensor, size: float) -> torch.Tensor:
    """Turn, stretch and shift each image a little, differently.

    At a size of 0.06: by up to 11 degrees, 9 % along each side and 6 % of a side (1.7 pixels).
    """
    n = len(images)
    angle = size * math.pi * _uniform(n, 1, 1)
    turn = torch.cat(
        [
            torch.cat([angle.cos(), -angle.sin()], dim=2),
            torch.cat([angle.sin(), angle.cos()], dim=2),
        ],
        dim=1,
    )
    stretch = torch.exp(1.5 * size * _uniform(n, 1, 2))
    shift = 2 * size * _uniform(n, 2, 1)
    grid = affine_grid(torch.cat([turn * stretch, shift], 2), list(images.shape), False)
    return grid_sample(images, grid, align_corners=False)


def _uniform(*shape: int) -> torch.Tensor:
    """Numbers between -1 and 1."""
    return 2 * torch.rand(*shape) - 1


class WithinTime(Callback):
    """Ends training after so many minutes, anneals the learning rate, prints the curve.

    Time is that of the processor over the number of threads: about that of a clock where nothing
    else runs, and the same amount of work where other programs do.

    Parameters
    ----------
    minutes : float
        Time of training.
    curve : EpisodeDataset
        Tasks on which the accuracy is printed.
    n_points : int
        How often it is printed.
    """

    def __init__(self, minutes: float, curve: EpisodeDataset, n_points: int = 15):
        self.minutes, self.curve, self.n_points = minutes, curve, n_points

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.start, self.clock = time.process_time(), time.perf_counter()
        self.lr, self.n_tasks, self.n_printed = net.lr, 0, 0

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        for group in net.optimizer_.param_groups:
            group["lr"] = self.lr * 0.5 * (1.0 + math.cos(math.pi * min(self._share(), 1.0)))

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any):
        self.n_tasks += len(batch)
        if self._share() * self.n_points >= self.n_printed + 1:
            self._print(net)
        if self._share() >= 1.0:
            raise KeyboardInterrupt  # how skorch is told to stop

    def _minutes(self) -> float:
        return (time.process_time() - self.start) / (60 * torch.get_num_threads())

    def _share(self) -> float:
        return self._minutes() / self.minutes

    def _print(self, net: Any) -> None:
        minutes, now = self._minutes(), time.process_time()
        accuracy = 100 * accuracy_of(net.module_, self.curve)
        self.start += time.process_time() - now
        self.n_printed += 1
        passed = (time.perf_counter() - self.clock) / 60
        print(
            f"  {minutes:5.1f} min ({passed:.1f} by the clock): {self.n_tasks} tasks; "
            f"accuracy {accuracy:.2f} %",
            flush=True,
        )


def accuracy_of(module: torch.nn.Module, episodes: EpisodeDataset, batch_size: int = 4) -> float:
    """Share of query rows that a module, as it is now, classifies correctly."""
    module.eval()
    hits = []
    for start in range(0, len(episodes), batch_size):
        stop = min(start + batch_size, len(episodes))
        inputs, targets = episodes.__getitems__(range(start, stop))
        with torch.enable_grad():  # some adapt by gradients
            codes = module(**inputs).argmax(dim=-1)
        hits.append((codes == targets["y"])[targets["mask"]].numpy())
    module.train()
    return float(np.concatenate(hits).mean())


def load(path: str, validate: bool) -> tuple[np.ndarray, np.ndarray]:
    """Characters to train and to test on, of shape (n_characters, 20, 28, 28), as bytes."""
    with np.load(path) as data:
        images = np.unpackbits(data["images_packed"], axis=2).reshape(-1, N_DRAWINGS, 28, 28)
        is_background, alphabet = data["is_background"], data["alphabet"]
    if not validate:
        return images[is_background], images[~is_background]
    is_held_out = alphabet % 5 == 0
    return images[is_background & ~is_held_out], images[is_background & is_held_out]


def with_rotations(characters: np.ndarray) -> np.ndarray:
    """Characters, and their rotations as further characters."""
    return np.concatenate([np.rot90(characters, k, axes=(2, 3)) for k in range(4)])


def tasks_of(characters: np.ndarray, seed: int, **options: int) -> NWayTasks:
    """N-way tasks of characters."""
    X = characters.reshape(-1, math.prod(IMAGE))
    y = np.repeat(np.arange(len(characters)), N_DRAWINGS)
    return make_n_way_tasks(X, y, random_state=seed, **options)


def make_learner(args: argparse.Namespace, curve: EpisodeDataset) -> Any:
    """The learner with its network."""
    network = StridedConv4 if args.learner in ADAPTS_WEIGHTS else Embedding
    augment = partial(jittered, size=args.jitter) if args.jitter else None
    return getattr(skmeta, args.learner)(
        module=partial(network, bfloat16=args.bfloat16, augment=augment),
        lr=args.lr,
        batch_size=args.batch_size,
        max_epochs=10**6,
        train_split=None,
        patience=None,
        callbacks=[WithinTime(args.minutes, curve)],
        preprocessor=None,
        random_state=args.seed,
        **ADAPTS_WEIGHTS.get(args.learner, {}) | args.options,
    )


def test_accuracy(meta: Any, tasks: NWayTasks, n_support: int) -> np.ndarray:
    """Accuracy on the query of each task."""
    accuracies = []
    for start in range(0, len(tasks), 50):  # bounds memory
        part = [tasks[i] for i in range(start, min(start + 50, len(tasks)))]
        supports = [skmeta.Task(task.X[:n_support], task.y[:n_support]) for task in part]
        for model, task in zip(meta.fit_adapt_many(supports), part, strict=True):
            accuracies.append(model.score(task.X[n_support:], task.y[n_support:]))
    return np.array(accuracies)


def parse() -> argparse.Namespace:
    """Arguments; those of training depend on the learner where they are not given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="../shared/data/tasks/omniglot28.npz")
    parser.add_argument("--learner", default=EMBEDS[0], choices=(*EMBEDS, *ADAPTS_WEIGHTS))
    parser.add_argument("--test-ways", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--test-shots", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--minutes", type=float, default=30, help="of training, of the processor")
    parser.add_argument("--train-way", type=int, help="40 for embeddings, 20 for others")
    parser.add_argument("--train-shots", type=int, default=1)
    parser.add_argument("--train-query", type=int, default=2, help="rows of a class")
    parser.add_argument("--batch-size", type=int, help="tasks of a meta-batch: 1 and 2")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--options", type=json.loads, default={}, help="of the learner, as JSON")
    parser.add_argument("--bfloat16", action="store_true", help="embeddings: twice as quick")
    parser.add_argument("--jitter", type=float, default=0.06, help="of training images")
    parser.add_argument("--test-tasks", type=int, default=1000)
    parser.add_argument("--validate", action="store_true", help="test on background alphabets")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    # Harder tasks than those of the test make better features.
    usual = (20, 2) if args.learner in ADAPTS_WEIGHTS else (40, 1)
    for name, value in zip(("train_way", "batch_size"), usual, strict=True):
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def main() -> None:
    """Train and test."""
    args = parse()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {vars(args)}", flush=True)
    background, evaluation = load(args.data, args.validate)
    train = tasks_of(
        with_rotations(background),
        args.seed,
        n_way=args.train_way,
        n_support=args.train_shots,
        n_query=args.train_query,
        n_tasks=10_000,
    )
    curve = tasks_of(
        evaluation,
        args.seed + 1,
        n_way=args.test_ways[-1],
        n_support=args.test_shots[0],
        n_query=5,
        n_tasks=1000 // args.test_ways[-1],
    )
    episodes = EpisodeDataset(
        curve.with_storage(y=np.unique(curve.storage[1], return_inverse=True)[1]),
        *curve.default_split,
        # A head has as many outputs as tasks had classes in training.
        n_slots=max(args.train_way, curve.n_way),
        stratify=True,
    )
    meta = make_learner(args, episodes).fit(train)
    for way, shots in product(args.test_ways, args.test_shots):
        shape = {"n_way": way, "n_support": shots, "n_query": 15}
        test = tasks_of(evaluation, args.seed + 2, **shape, n_tasks=args.test_tasks)
        found = 100 * test_accuracy(meta, test, way * shots)
        half_width = 1.96 * found.std(ddof=1) / math.sqrt(len(found))
        print(
            f"{args.learner}, {way}-way {shots}-shot, {args.minutes:g} min: "
            f"{found.mean():.2f} +- {half_width:.2f} % over {len(found)} tasks",
            flush=True,
        )


if __name__ == "__main__":
    main()

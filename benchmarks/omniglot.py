"""Few-shot classification of Omniglot's characters, in the setting of the literature.

Training: the characters of the 30 background alphabets, with rotations by 90, 180 and 270 degrees
as characters of their own (Vinyals et al., 2016). Testing: characters of the 20 evaluation
alphabets as they are, n-way tasks with fresh characters each. The network is that of all four
published methods below ("Conv4"). Images are 28 x 28 and binary; the data is a file with
`images_packed` (characters, 20 drawings, 98 bytes) and `is_background` (characters,):

    OMP_NUM_THREADS=2 python benchmarks/omniglot.py --data omniglot28.npz \
        --learner PrototypeClassifier --way 5 --shots 1 --minutes 30

Training ends with its time, of which evaluation is no part; the learning rate falls to zero along
with it. On the way the accuracy on a few test tasks is printed for the curve of accuracy against
time; nothing depends on it. The last line is the accuracy over `--test-tasks` tasks, through
`fit_adapt_many`, with a 95 % confidence interval over tasks.

Published accuracy for 5-way 1-shot, 5-shot, 20-way 1-shot, 5-shot: prototypical networks 98.8,
99.7, 96.0, 98.9 (Snell et al., 2017), MAML 98.7, 99.9, 95.8, 98.9 (Finn et al., 2017), Meta-SGD
99.5, 99.9, 95.9, 99.0 (Li et al., 2017).
"""

from __future__ import annotations

import argparse
import math
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

import skmeta
from skmeta import NWayTasks, make_n_way_tasks
from skmeta.episodic import EpisodeDataset
from skmeta.nets import ConvNet

EMBEDS = ("PrototypeClassifier", "RidgeHeadClassifier", "SVMHeadClassifier")
ADAPTS_WEIGHTS = ("MAMLClassifier", "MetaSGDClassifier")
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
    """

    def __init__(self, n_inputs: int, n_outputs: int, bfloat16: bool):
        super().__init__(IMAGE, n_outputs=None, running_statistics=True)
        self.bfloat16 = bfloat16
        self.to(memory_format=torch.channels_last)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Embed flat images."""
        images = X.reshape(-1, *IMAGE).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            features = self.blocks(images).flatten(start_dim=1)
        return features.to(X.dtype)


def classifier(n_inputs: int, n_outputs: int) -> ConvNet:
    """Conv4 with a last layer."""
    return ConvNet(IMAGE, n_outputs=n_outputs)


class WithinTime(Callback):
    """Ends training after so many minutes, anneals the learning rate, prints the curve.

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
        self.start, self.n_tasks, self.n_printed = time.perf_counter(), 0, 0
        self.lr = net.lr

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        for group in net.optimizer_.param_groups:
            group["lr"] = self.lr * 0.5 * (1.0 + math.cos(math.pi * min(self._share(), 1.0)))

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any):
        self.n_tasks += len(batch)
        if self._share() * self.n_points >= self.n_printed + 1:
            self._print(net)
        if self._share() >= 1.0:
            raise KeyboardInterrupt  # how skorch is told to stop

    def _share(self) -> float:
        return (time.perf_counter() - self.start) / (60 * self.minutes)

    def _print(self, net: Any) -> None:
        now = time.perf_counter()
        seconds = now - self.start
        accuracy = 100 * accuracy_of(net.module_, self.curve)
        self.n_printed += 1
        print(
            f"  {seconds / 60:5.1f} min: {self.n_tasks} tasks, {self.n_tasks / seconds:.1f} per "
            f"second; accuracy {accuracy:.2f} %",
            flush=True,
        )
        self.start += time.perf_counter() - now


def accuracy_of(module: torch.nn.Module, episodes: EpisodeDataset, batch_size: int = 4) -> float:
    """Share of query rows that a module, as it is now, classifies correctly."""
    module.eval()
    hits = []
    for start in range(0, len(episodes), batch_size):
        inputs, targets = episodes.__getitems__(range(start, start + batch_size))
        with torch.enable_grad():  # some adapt by gradients
            codes = module(**inputs).argmax(dim=-1)
        hits.append((codes == targets["y"])[targets["mask"]].numpy())
    module.train()
    return float(np.concatenate(hits).mean())


def load(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Background and evaluation characters, of shape (n_characters, 20, 28, 28), as bytes."""
    with np.load(path) as data:
        images = np.unpackbits(data["images_packed"], axis=2).reshape(-1, N_DRAWINGS, 28, 28)
        is_background = data["is_background"]
    return images[is_background], images[~is_background]


def with_rotations(characters: np.ndarray) -> np.ndarray:
    """Characters, and their rotations as further characters."""
    return np.concatenate([np.rot90(characters, k, axes=(2, 3)) for k in range(4)])


def tasks_of(characters: np.ndarray, seed: int, **options: int) -> NWayTasks:
    """N-way tasks of characters."""
    X = characters.reshape(-1, math.prod(IMAGE))
    y = np.repeat(np.arange(len(characters)), N_DRAWINGS)
    return make_n_way_tasks(X, y, random_state=seed, **options)


def make_learner(args: argparse.Namespace, curve: EpisodeDataset) -> Any:
    """The learner with its network; no option of the learner itself is set but the rate."""
    adapts_weights = args.learner in ADAPTS_WEIGHTS
    return getattr(skmeta, args.learner)(
        module=classifier if adapts_weights else partial(Embedding, bfloat16=args.bfloat16),
        lr=args.lr,
        batch_size=args.batch_size,
        max_epochs=10**6,
        train_split=None,
        patience=None,
        callbacks=[WithinTime(args.minutes, curve)],
        preprocessor=None,
        random_state=args.seed,
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
    parser.add_argument("--learner", default=EMBEDS[0], choices=EMBEDS + ADAPTS_WEIGHTS)
    parser.add_argument("--way", type=int, default=5)
    parser.add_argument("--shots", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30, help="of training")
    parser.add_argument("--train-way", type=int, help="20 for embeddings, --way for others")
    parser.add_argument("--train-query", type=int, default=5, help="rows of a class in training")
    parser.add_argument("--batch-size", type=int, default=4, help="tasks of a meta-batch")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--bfloat16", action="store_true", help="embeddings: twice as quick")
    parser.add_argument("--test-tasks", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.train_way is None:  # harder tasks make a better embedding
        args.train_way = args.way if args.learner in ADAPTS_WEIGHTS else max(args.way, 20)
    return args


def main() -> None:
    """Train and test."""
    args = parse()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {vars(args)}")
    background, evaluation = load(args.data)
    train = tasks_of(
        with_rotations(background),
        args.seed,
        n_way=args.train_way,
        n_support=args.shots,
        n_query=args.train_query,
        n_tasks=10_000,
    )
    shape = {"n_way": args.way, "n_support": args.shots}
    curve = tasks_of(evaluation, args.seed + 1, **shape, n_query=5, n_tasks=100)
    test = tasks_of(evaluation, args.seed + 2, **shape, n_query=15, n_tasks=args.test_tasks)
    episodes = EpisodeDataset(
        curve.with_storage(y=np.unique(curve.storage[1], return_inverse=True)[1]),
        *curve.default_split,
        n_slots=args.way,
        stratify=True,
    )
    meta = make_learner(args, episodes).fit(train)
    found = 100 * test_accuracy(meta, test, args.way * args.shots)
    half_width = 1.96 * found.std(ddof=1) / math.sqrt(len(found))
    print(
        f"{args.learner}, {args.way}-way {args.shots}-shot, {args.minutes:g} min: "
        f"{found.mean():.2f} +- {half_width:.2f} % over {len(found)} tasks"
    )


if __name__ == "__main__":
    main()

"""Training: reproducible, stoppable, resumable, and never worse than the last good weights."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from sklearn.callback import ProgressBar
from skorch.callbacks import Callback, GradientNormClipping, LRScheduler
from torch import nn

from skmeta import MAMLClassifier, MAMLRegressor, PrototypeClassifier, TrainingDivergedError
from skmeta.datasets import make_sinusoid_tasks
from skmeta.episodic import EpisodeDataset


@pytest.fixture(scope="module")
def tasks():
    return make_sinusoid_tasks(40, random_state=0)


def weights(meta):
    return torch.cat([p.detach().flatten() for p in meta.net_.module_.parameters()])


def learner(**options):
    return MAMLRegressor(**{"max_epochs": 6, "random_state": 0, "patience": None} | options)


class Kill(Callback):
    """Stands for a power cut at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise RuntimeError("power cut")


def test_held_out_tasks_stop_training_and_the_best_weights_come_back(tasks):
    # a learning rate that is far too high: validation gets worse soon
    meta = learner(lr=0.1, max_epochs=200, patience=3).fit(tasks)
    losses = np.array(meta.net_.history[:, "valid_loss"])
    assert len(losses) == losses.argmin() + 1 + 3 < 200
    best = learner(lr=0.1, max_epochs=int(losses.argmin()) + 1).fit(tasks)
    assert torch.equal(weights(meta), weights(best))


def test_no_task_is_held_out_where_there_are_too_few(tasks):
    assert "valid_loss" not in learner(patience=2).fit(tasks[:4]).net_.history[-1]
    assert "valid_loss" not in learner(train_split=None).fit(tasks).net_.history[-1]
    assert "valid_loss" in learner().fit(tasks[:5]).net_.history[-1]


@pytest.mark.parametrize("epoch", [1, 3, 5])
@pytest.mark.parametrize("extra", [[], [LRScheduler("StepLR", step_size=2, gamma=0.1)]])
def test_a_killed_training_resumes_to_the_bit(tasks, tmp_path, epoch, extra):
    options = {"patience": 2, "lr": 0.02, "module": _dropout}
    whole = learner(callbacks=extra, **options).fit(tasks)
    path = tmp_path / "training.pt"
    with pytest.raises(RuntimeError, match="power cut"):
        learner(checkpoint=path, callbacks=[*extra, Kill(epoch)], **options).fit(tasks)
    resumed = learner(checkpoint=path, callbacks=extra, **options).fit(tasks)
    assert torch.equal(weights(resumed), weights(whole))
    losses = [meta.net_.history[:, "train_loss"] for meta in (resumed, whole)]
    assert losses[0] == losses[1]
    again = learner(checkpoint=path, callbacks=extra, **options).fit(tasks)  # nothing left to do
    assert torch.equal(weights(again), weights(whole))


def _dropout(n_inputs, n_outputs):
    return nn.Sequential(
        nn.Linear(n_inputs, 10), nn.Tanh(), nn.Dropout(0.2), nn.Linear(10, n_outputs)
    )


@pytest.mark.slow
def test_a_training_killed_from_outside_resumes_to_the_bit(tmp_path):
    path = tmp_path / "training.pt"
    script = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from skmeta import MAMLRegressor\n"
        "from skmeta.datasets import make_sinusoid_tasks\n"
        "tasks = make_sinusoid_tasks(40, random_state=0)\n"
        "meta = MAMLRegressor(max_epochs=150, random_state=0, checkpoint=sys.argv[1])\n"
        "meta.fit(tasks)\n"
        "print(*(p.double().sum().item() for p in meta.net_.module_.parameters()))\n"
    )

    def start(target):
        command = [sys.executable, "-c", script, str(target)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    expected, _ = start(tmp_path / "whole.pt").communicate()
    for wait in (0.05, 0.2, 0.4):
        process = start(path)
        while not path.exists():
            assert process.poll() is None, "The training ended before its first checkpoint."
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    found, _ = start(path).communicate()
    assert found == expected


def test_a_checkpoint_of_something_else_is_refused(tasks, tmp_path):
    path = tmp_path / "training.pt"
    learner(checkpoint=path, max_epochs=1).fit(tasks)
    for other, data in ((learner(lr=0.5), tasks), (learner(), tasks[1:])):
        with pytest.raises(ValueError, match="other parameters, other tasks"):
            other.set_params(checkpoint=path).fit(data)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a checkpoint"):
        learner(checkpoint=path).fit(tasks)
    with pytest.raises(ValueError, match="random_state must be an integer"):
        learner(checkpoint=path, random_state=None).fit(tasks)


def test_a_diverging_training_leaves_the_last_good_weights(tasks):
    class Spoil(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 4:
                for group in net.optimizer_.param_groups:
                    group["lr"] = 1e30

    meta = learner(callbacks=[Spoil()])
    with pytest.raises(TrainingDivergedError, match=r"epoch 4.*epoch 3 were restored"):
        meta.fit(tasks)
    assert torch.equal(weights(meta), weights(learner(max_epochs=3).fit(tasks)))
    assert np.isfinite(meta.fit_adapt([[0.0], [1.0]], [0.0, 1.0]).predict([[2.0]])).all()


def test_divergence_in_the_first_step_restores_the_initial_weights(tasks):
    meta = learner(inner_lr=1e25, n_steps=3)
    with pytest.raises(TrainingDivergedError, match="Lower the learning rates"):
        meta.fit(tasks)
    assert torch.isfinite(weights(meta)).all()


def test_skorch_callbacks(tasks):
    schedule = LRScheduler("StepLR", step_size=2, gamma=0.1)
    meta = learner(callbacks=[schedule, ("clip", GradientNormClipping(1e-6))]).fit(tasks)
    rates = meta.net_.history[:, "event_lr"]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])
    assert not hasattr(schedule, "lr_scheduler_")  # a parameter, which fit leaves alone


def test_scikit_learn_callbacks_see_every_epoch_and_may_stop(tasks):
    class Count:
        seen = 0

        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context):
            self.seen += context.task_name == "epoch"
            return self.seen == 4

    count = Count()
    meta = learner().set_callbacks(count).fit(tasks)
    assert count.seen == len(meta.net_.history) == 4


def test_a_progress_bar_is_shown(tasks, capsys):
    learner().set_callbacks(ProgressBar()).fit(tasks)
    out = "".join(capsys.readouterr())
    assert "MAMLRegressor" in out
    learner().fit(tasks)
    assert not "".join(capsys.readouterr())


def test_verbose_prints_losses(tasks, capsys):
    learner(verbose=1).fit(tasks)
    assert "valid_loss" in capsys.readouterr().out


def test_training_leaves_the_global_random_state_alone(tasks):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    learner(module=_dropout).fit(tasks)
    assert torch.equal(torch.rand(1), expected)


def test_user_modules(tasks):
    class Wide(nn.Module):
        def __init__(self, n_inputs, n_outputs):
            super().__init__()
            self.out = nn.Linear(n_inputs, n_outputs)

        def forward(self, X):
            return self.out(X)

    instance = nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    before = instance[0].weight.clone()
    for module in (Wide, lambda i, o: nn.Linear(i, o), instance, _dropout):
        meta = learner(module=module, max_epochs=2).fit(tasks)
        assert np.isfinite(meta.fit_adapt([[0.0], [1.0]], [0.0, 1.0]).predict([[2.0]])).all()
    assert torch.equal(instance[0].weight, before)  # it was copied


def test_several_outputs():
    tasks = make_sinusoid_tasks(20, random_state=0)
    both = np.column_stack([tasks.y, 10 - tasks.y])
    meta = learner(max_epochs=200, train_split=None).fit(tasks.with_storage(y=both))
    task = tasks[0]
    model = meta.fit_adapt(task.X, np.column_stack([task.y, 10 - task.y]))
    predicted = model.predict(task.X)
    assert predicted.shape == (20, 2)
    assert np.corrcoef(predicted.T)[0, 1] < -0.9
    with pytest.raises(ValueError, match="y has 1 outputs, but training tasks had 2"):
        meta.fit_adapt(task.X, task.y)


def test_a_meta_batch_from_worker_processes_is_the_same(tasks):
    alone = EpisodeDataset(tasks, 3, 4, seed=1)
    alone.epoch = 5
    batch = alone[7]
    loader = torch.utils.data.DataLoader(
        alone, batch_size=4, num_workers=1, collate_fn=lambda batch: batch
    )
    second = list(loader)[1]
    assert torch.equal(second.inputs["X"][3], batch.inputs["X"][0])
    assert len(second) == 4


def test_validation_episodes_stay_and_training_episodes_change(tasks):
    dataset = EpisodeDataset(tasks, 3, 4, seed=1)
    first = dataset[0].inputs["X"]
    dataset.epoch = 1
    assert not torch.equal(dataset[0].inputs["X"], first)
    dataset.epoch = 0
    assert torch.equal(dataset[0].inputs["X"], first)


def test_slots_are_a_random_bijection_of_the_support_classes():
    from skmeta import TaskCollection

    y = np.array([7, 8, 9, 7, 8, 9, 7, 8, 7, 7, 7, 7])
    tasks = TaskCollection(np.arange(12.0)[:, None], y, [0, 6, 12], shared_target=False)
    dataset = EpisodeDataset(tasks, 4, 2, n_slots=3, stratify=True)
    seen = set()
    for epoch in range(30):
        dataset.epoch = epoch
        batch = dataset.__getitems__([0, 1])
        X, slots = batch.inputs["X"][..., 0].long(), batch.inputs["y"]
        mapping = dict(zip(y[X[0]].tolist(), slots[0].tolist(), strict=True))
        assert sorted(mapping.values()) == [0, 1, 2]
        seen.add(tuple(sorted(mapping.items())))
        Xq, yq, known = (
            batch.inputs["X_query"][..., 0].long(),
            batch.targets["y"],
            batch.targets["mask"],
        )
        assert [mapping[c] for c in y[Xq[0]].tolist()] == yq[0].tolist()
        assert known[0].all()
        n_classes = len(set(y[X[1]].tolist()))
        assert batch.inputs["class_mask"][1].sum() == n_classes
    assert len(seen) == 6  # all bijections


def test_more_steps_at_adaptation_than_in_training(tasks):
    meta = learner(max_epochs=20, n_steps=1).fit(tasks)
    X, y = tasks[0].X, tasks[0].y
    errors = []
    for n_steps in (0, 1, 20):
        meta.set_params(n_adapt_steps=n_steps)
        errors.append(np.mean((meta.fit_adapt(X, y).predict(X) - y) ** 2))
    assert errors[0] > errors[1] > errors[2]
    np.testing.assert_allclose(errors[0], np.mean((meta.predict(X) - y) ** 2))


def test_a_support_with_more_classes_than_outputs():
    from sklearn.datasets import load_digits

    from skmeta import make_n_way_tasks

    X, y = load_digits(return_X_y=True)
    n_way = make_n_way_tasks(X, y, n_way=3, n_support=1, n_query=2, n_tasks=10, random_state=0)
    meta = MAMLClassifier(max_epochs=1).fit(n_way)
    with pytest.raises(ValueError, match="4 classes, but training tasks had at most 3"):
        meta.fit_adapt(X[:4], y[:4])
    model = PrototypeClassifier(max_epochs=1).fit(n_way).fit_adapt(X[:10], y[:10])
    assert len(model.classes_) == 10

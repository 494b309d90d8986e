"""Meta-gradients far longer than usual are shortened, and nothing else is."""

import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from skmeta import MAMLRegressor
from skmeta.datasets import make_sinusoid_tasks
from skmeta.gradient_based._clipping import ClipGradients


def clipped(clip, gradient):
    """What is left of a gradient."""
    param = nn.Parameter(torch.zeros(len(gradient)))
    param.grad = torch.tensor(gradient)
    clip.on_grad_computed(None, named_parameters=[("w", param)])
    return param.grad.tolist()


def test_a_gradient_is_shortened_to_a_multiple_of_the_median():
    clip = ClipGradients(3.0)
    for length in (1.0, 2.0, 2.5):  # at most three times the median so far
        assert clipped(clip, [length]) == [length]
    assert clipped(clip, [300.0, 400.0]) == pytest.approx([3.6, 4.8])
    assert clipped(clip, [6.0]) == [6.0]  # the long one has not moved what is usual by much


def test_where_most_gradients_are_zero_none_is_shortened():
    clip = ClipGradients(3.0)
    for gradient in ([0.0], [0.0], [5.0]):
        assert clipped(clip, gradient) == gradient


def test_a_gradient_that_is_not_finite_stays_so():
    clip = ClipGradients(3.0)
    clipped(clip, [1.0])
    assert not torch.isfinite(torch.tensor(clipped(clip, [float("inf"), 1.0]))).all()


def test_training_through_steps_that_overshoot_learns_more():
    tasks = make_sinusoid_tasks(500, 20, random_state=0)
    options = {"inner_lr": 0.03, "lr": 3e-3, "max_epochs": 8, "train_split": None}
    options |= {"preprocessor": None, "normalize_y": False, "random_state": 0}
    losses = [
        MAMLRegressor(clip_factor=factor, **options).fit(tasks).net_.history_[-1, "train_loss"]
        for factor in (None, 3.0)
    ]
    assert losses[1] < 0.8 * losses[0]


class StopInEpoch(Callback):
    """Ends training as Ctrl-C does."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if training and len(net.history) == 3:
            raise KeyboardInterrupt


def test_a_resumed_training_remembers_the_lengths(tmp_path):
    tasks = make_sinusoid_tasks(40, 20, random_state=0)
    options = {"max_epochs": 4, "clip_factor": 0.9, "random_state": 0}
    whole = MAMLRegressor(**options).fit(tasks)
    options["checkpoint"] = str(tmp_path / "checkpoint")
    with pytest.warns(UserWarning, match="interrupted"):
        MAMLRegressor(**options, callbacks=[StopInEpoch()]).fit(tasks)
    resumed = MAMLRegressor(**options).fit(tasks)
    for a, b in zip(
        whole.net_.module_.parameters(), resumed.net_.module_.parameters(), strict=True
    ):
        assert torch.equal(a, b)

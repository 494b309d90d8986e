"""A compiled episode has the loss and the gradients of the episode; what cannot be is said."""

import copy
import pickle
import shutil
import warnings

import pytest
import torch
from torch import nn

from skmeta.episodic import EpisodeLoss
from skmeta.nets import (
    MAML,
    MLP,
    CompilationWarning,
    CompiledEpisode,
    ConvNet,
    Episode,
    InnerSGD,
    LearnedRate,
    cross_entropy,
    parameter_shapes,
    split_head,
    squared_error,
)

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None,
    reason="compiling needs a C++ compiler",
)


def small_mlp(n_outputs=1):
    return MLP(2, n_outputs, hidden_sizes=(4,), activation="tanh")


def make_rows(n_tasks=3, n_support=5, n_query=4, n_classes=None):
    """A meta-batch with padded rows, and its targets."""
    mask, mask_query = torch.ones(n_tasks, n_support).bool(), torch.ones(n_tasks, n_query).bool()
    mask[1, -2:], mask[2], mask_query[1, -1:] = False, False, False
    X, X_query = torch.randn(n_tasks, n_support, 2), torch.randn(n_tasks, n_query, 2)
    inputs = {"X_query": X_query, "X": X, "mask": mask, "mask_query": mask_query}
    if n_classes is None:
        inputs["y"], y_query = torch.sin(X[..., :1]), torch.sin(X_query[..., :1])
    else:
        inputs["y"] = torch.randint(n_classes - 1, (n_tasks, n_support))
        y_query = torch.randint(n_classes - 1, (n_tasks, n_query))
        inputs["class_mask"] = torch.arange(n_classes).expand(n_tasks, -1) < n_classes - 1
        inputs["weight"] = torch.rand(n_tasks, n_support)
    return inputs, {"y": y_query, "mask": mask_query}


def gradients(module):
    return [param.grad for param in module.parameters()]


def assert_same_as_eager(episode, criterion, compiled, inputs, targets):
    episode.zero_grad()
    expected = criterion(episode(**inputs), **targets)
    expected.backward()
    expected_gradients = gradients(episode)
    episode.zero_grad()
    loss, _ = compiled(inputs, targets)
    torch.testing.assert_close(loss, expected.detach())
    for found, gradient in zip(gradients(episode), expected_gradients, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)


@needs_compiler
@pytest.mark.slow
def test_compiled_maml_equals_eager_also_on_other_rows():
    net = small_mlp()
    rate = LearnedRate(0.1, parameter_shapes(net), per="layer")
    episode = Episode(MAML(net, squared_error, InnerSGD(rate, momentum=0.5), n_steps=2))
    criterion = EpisodeLoss(squared_error)
    compiled = CompiledEpisode(episode, criterion)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CompilationWarning)
        assert_same_as_eager(episode, criterion, compiled, *make_rows())
    with torch.no_grad():
        for param in episode.parameters():
            param.add_(0.1 * torch.randn_like(param))
    assert_same_as_eager(episode, criterion, compiled, *make_rows())
    # Fewer rows are padded to a shape that is there.
    assert_same_as_eager(episode, criterion, compiled, *make_rows(n_support=4, n_query=3))
    assert len(compiled._functions) == 1
    assert compiled(*make_rows(n_tasks=3, n_support=5)) is not None
    # What is left of the tasks at the end of an epoch is not compiled.
    inputs, targets = make_rows()
    inputs, targets = ({k: x[:2] for k, x in part.items()} for part in (inputs, targets))
    assert compiled(inputs, targets) is None
    # Gradients add up, as those of autograd do.
    episode.zero_grad()
    rows = make_rows()
    compiled(*rows)
    once = [g.clone() for g in gradients(episode)]
    compiled(*rows)
    for found, gradient in zip(gradients(episode), once, strict=True):
        torch.testing.assert_close(found, 2 * gradient)
    # Copies compile for themselves.
    assert not copy.deepcopy(compiled)._functions
    assert not pickle.loads(pickle.dumps(compiled))._functions


@needs_compiler
@pytest.mark.slow
def test_compiled_anil_equals_eager_on_classes():
    body, head = split_head(small_mlp(n_outputs=3))
    episode = Episode(MAML(head, cross_entropy, InnerSGD(0.5), n_steps=2, body=body))
    criterion = EpisodeLoss(cross_entropy)
    compiled = CompiledEpisode(episode, criterion)
    assert_same_as_eager(episode, criterion, compiled, *make_rows(n_classes=3))
    assert compiled.reason is None


@needs_compiler
@pytest.mark.slow
def test_compiled_convolutions_of_one_task_equal_eager():
    net = ConvNet((1, 4, 4), n_outputs=3, n_channels=3, n_blocks=1)
    episode = Episode(MAML(net, cross_entropy, InnerSGD(0.5)))
    criterion = EpisodeLoss(cross_entropy)
    compiled = CompiledEpisode(episode, criterion)
    for mask in ([True] * 6, [True] * 4 + [False] * 2):
        mask = torch.tensor([mask])
        X = torch.randn(1, 6, 16).masked_fill(~mask[..., None], 0.0)
        y = torch.arange(6)[None] % 3 * mask
        inputs = {"X_query": X.flip(2), "X": X, "y": y, "mask": mask, "mask_query": mask}
        assert_same_as_eager(episode, criterion, compiled, inputs, {"y": y, "mask": mask})
    assert compiled.reason is None
    assert len(compiled._functions) == 1


def test_convolutions_of_several_tasks_are_not_compiled_together():
    net = nn.Sequential(nn.Unflatten(1, (1, 2)), nn.Conv1d(1, 3, 2), nn.Flatten())
    compiled = CompiledEpisode(Episode(MAML(net, cross_entropy)), EpisodeLoss(cross_entropy))
    with pytest.warns(CompilationWarning, match="one task at a time"):
        assert compiled(*make_rows(n_classes=3)) is None


class DataDependent(nn.Module):
    """Does something else where the rows are large."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward_tasks(self, params, X, mask=None):
        scale = 0.5 if X.abs().max() > 1 else 1.0
        return scale * X @ params["linear.weight"].mT


def test_control_flow_by_data_is_not_compiled_and_the_reason_is_said():
    episode = Episode(MAML(DataDependent(), squared_error))
    compiled = CompiledEpisode(episode, EpisodeLoss(squared_error))
    with pytest.warns(CompilationWarning, match="DataDependent"):
        assert compiled(*make_rows()) is None
    assert "DataDependent" in compiled.reason
    assert all(gradient is None for gradient in gradients(episode))
    assert compiled(*make_rows()) is None  # without a second warning


def test_a_compiler_that_fails_is_no_error(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no C++ compiler found")

    monkeypatch.setattr(torch._inductor, "compile", fail)
    episode = Episode(MAML(small_mlp(), squared_error))
    compiled = CompiledEpisode(episode, EpisodeLoss(squared_error))
    with pytest.warns(CompilationWarning, match=r"not compiled.*no C\+\+ compiler found"):
        assert compiled(*make_rows()) is None

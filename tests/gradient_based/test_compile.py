"""`compile=True`: the same training, or a warning that says why not."""

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from skmeta import MAMLRegressor
from skmeta.datasets import make_sinusoid_tasks
from skmeta.nets import CompilationWarning


def fit(**options):
    tasks = make_sinusoid_tasks(30, random_state=0)
    settings = {"n_steps": 2, "max_epochs": 3, "multi_step_epochs": 2, "random_state": 0}
    return MAMLRegressor(**settings | options).fit(tasks)


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None,
    reason="compiling needs a C++ compiler",
)
def test_compiled_training_is_the_same_to_rounding():
    compiled, eager = fit(compile=True), fit()
    assert compiled.net_.compiled_.reason is None
    losses = [compiled.net_.history_[:, "train_loss"], eager.net_.history_[:, "train_loss"]]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    x = np.linspace(-5, 5, 9)[:, None]
    np.testing.assert_allclose(compiled.predict(x), eager.predict(x), rtol=1e-3, atol=1e-4)


class Branching(nn.Module):
    """A network whose control flow depends on the rows."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_outputs, n_inputs))

    def forward_tasks(self, params, X, mask=None):
        return X @ params["weight"].mT if X.sum() > 0 else -X @ params["weight"].mT


def test_what_cannot_be_compiled_trains_as_it_is():
    with pytest.warns(CompilationWarning, match="DataDependent"):
        compiled = fit(module=Branching, multi_step_epochs=0, compile=True)
    eager = fit(module=Branching, multi_step_epochs=0)
    np.testing.assert_array_equal(compiled.predict([[1.0]]), eager.predict([[1.0]]))


def test_compiling_and_recomputing_exclude_each_other():
    with pytest.raises(ValueError, match="compile and recompute exclude each other"):
        fit(compile=True, recompute=True)

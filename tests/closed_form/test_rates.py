"""Scales of a process are learned ten times as quickly as weights, where steps are Adam's."""

import pytest
import torch

from skmeta import DeepKernelClassifier, DeepKernelRegressor
from skmeta.datasets import make_linear_tasks


def rates(meta):
    """Learning rate of each parameter that is learned."""
    names = {id(param): name for name, param in meta.net_.module_.named_parameters()}
    return {
        names[id(param)].removeprefix("learner."): group["lr"]
        for group in meta.net_.optimizer_.param_groups
        for param in group["params"]
        if param.requires_grad
    }


@pytest.fixture(scope="module")
def tasks():
    return make_linear_tasks(6, n_rows=8, random_state=0)


def test_logarithms_of_the_process_and_nothing_else(tasks):
    found = rates(DeepKernelRegressor(max_epochs=1, lr=0.002, random_state=0).fit(tasks))
    quick = {name for name, rate in found.items() if rate == pytest.approx(0.02)}
    assert quick == {"log_length_scale", "log_amplitude", "log_noise"}
    assert {found[name] for name in found.keys() - quick} == {0.002}


@pytest.mark.parametrize("approximation", ["dirichlet", "laplace"])
def test_classifiers_too(tasks, approximation):
    meta = DeepKernelClassifier(approximation=approximation, max_epochs=1, random_state=0)
    meta.fit(tasks.with_storage(y=(tasks.y > 0).astype(int)))
    assert rates(meta)["log_amplitude"] == pytest.approx(0.01)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, lambda params, lr: torch.optim.SGD(params)])
def test_other_optimisers_are_left_alone(tasks, optimizer):
    meta = DeepKernelRegressor(optimizer=optimizer, max_epochs=1, random_state=0).fit(tasks)
    assert len(set(rates(meta).values())) == 1

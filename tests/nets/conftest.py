"""Batches of tasks for the tests of the neural meta-learners."""

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from skmeta.nets import Support


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def pad():
    """Pad tasks, given as pairs ``(X, y)``, to one batch of support rows."""

    def pad(tasks, class_mask=None):
        X = pad_sequence([X for X, _ in tasks], batch_first=True)
        y = pad_sequence([y for _, y in tasks], batch_first=True)
        mask = pad_sequence([torch.ones(len(X), dtype=bool) for X, _ in tasks], batch_first=True)
        return Support(X, y, mask, class_mask)

    return pad


@pytest.fixture(scope="session")
def regression_tasks():
    """Draw tasks of given sizes, in double precision, as pairs ``(X, y)``."""

    def draw(sizes, n_features=2):
        tasks = []
        for size in sizes:
            X = torch.randn(size, n_features, dtype=torch.float64)
            tasks.append((X, torch.sin(X.sum(1, keepdim=True) + torch.randn(()))))
        return tasks

    return draw


@pytest.fixture(scope="session")
def classification_tasks():
    """Draw tasks of given sizes, in double precision, as pairs ``(X, y)``."""

    def draw(sizes, n_features=2, n_classes=3):
        return [
            (
                torch.randn(size, n_features, dtype=torch.float64),
                torch.randint(n_classes, (size,)),
            )
            for size in sizes
        ]

    return draw

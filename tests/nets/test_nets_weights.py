"""Weights of rows and classes."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_sample_weight

from skmeta import MAMLClassifier, PrototypeClassifier, RidgeHeadClassifier, TaskCollection
from skmeta.nets import masked_mean, weigh_classes


def test_balanced_weights_are_those_of_scikit_learn():
    y = torch.tensor([[0, 0, 0, 2], [1, 1, 0, 0], [2, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]]).bool()
    weight = weigh_classes(y, mask, "balanced").numpy()
    for i, real in enumerate(mask.numpy()):
        expected = compute_sample_weight("balanced", y[i].numpy()[real]) if real.any() else []
        np.testing.assert_allclose(weight[i][real], expected, rtol=1e-6)
        assert not weight[i][~real].any()


def test_balancing_takes_weights_of_rows_for_their_number():
    y, mask = torch.tensor([[0, 1, 1]]), torch.ones(1, 3).bool()
    weight = weigh_classes(y, mask, "balanced", torch.tensor([[2.0, 1.0, 3.0]]))
    np.testing.assert_allclose(weight, [[3.0, 0.75, 2.25]])


def test_weights_by_class():
    weight = weigh_classes(
        torch.tensor([[0, 1, 1]]), torch.tensor([[True, True, False]]), torch.tensor([2.0, 5.0])
    )
    assert weight.tolist() == [[2.0, 5.0, 0.0]]


def test_weighted_mean_of_losses():
    losses = torch.tensor([[1.0, 3.0, torch.inf], [1.0, 1.0, 1.0]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    mean = masked_mean(losses, mask, torch.tensor([[3.0, 1.0, 1.0], [1.0, 1.0, 1.0]]))
    assert mean.tolist() == [1.5, 0.0]


@pytest.fixture(scope="module")
def rare_class():
    """Tasks in which one row in eight is of the second class, and classes overlap."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(40) % 8 == 0, 30).astype(int)
    X = rng.normal(size=(len(y), 2)) + y[:, None]
    return TaskCollection(X, y, np.arange(0, len(y) + 1, 40))


@pytest.mark.parametrize("cls", [MAMLClassifier, RidgeHeadClassifier])
def test_balancing_finds_more_of_a_rare_class(cls, rare_class):
    task = rare_class[0]
    share = []
    for class_weight in (None, "balanced", {1: 7.0}):
        meta = cls(class_weight=class_weight, n_support=16, max_epochs=20, random_state=0)
        model = meta.fit(rare_class[1:]).fit_adapt(task.X[:16], task.y[:16])
        share.append((model.predict(task.X[16:]) == 1).mean())
    assert min(share[1:]) > share[0] + 0.1


def test_bad_class_weights(rare_class):
    with pytest.raises(ValueError, match="names \\[5\\]"):
        PrototypeClassifier(class_weight={5: 1.0}, max_epochs=1).fit(rare_class)
    with pytest.raises(ValueError, match="class_weight"):
        PrototypeClassifier(class_weight="even", max_epochs=1).fit(rare_class)


def test_balanced_heads_refuse_rows_one_by_one(rare_class):
    meta = RidgeHeadClassifier(class_weight="balanced", max_epochs=1).fit(rare_class)
    task = rare_class[0]
    with pytest.raises(ValueError, match="class_weight=None"):
        meta.fit_adapt(task.X, task.y).partial_adapt(task.X, task.y)

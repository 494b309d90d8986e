import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F

from skmeta.nets import cross_entropy, mask_classes, masked_mean, squared_error


def test_squared_error_is_the_mean_over_outputs():
    output, y = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    expected = F.mse_loss(output, y, reduction="none").mean(-1)
    torch.testing.assert_close(squared_error(output, y), expected)


def test_cross_entropy_equals_that_of_torch():
    logits, y = torch.randn(2, 3, 4), torch.randint(4, (2, 3))
    expected = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    torch.testing.assert_close(cross_entropy(logits, y).flatten(), expected)


def test_masked_mean_weighs_tasks_by_their_own_number_of_rows():
    losses = torch.tensor([[1.0, 3.0, 8.0], [5.0, math.nan, math.inf], [7.0, 7.0, 7.0]])
    mask = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]]).bool()
    assert masked_mean(losses, mask).tolist() == [4.0, 5.0, 0.0]


def test_masked_mean_without_any_row_slot():
    assert masked_mean(torch.zeros(2, 0), torch.zeros(2, 0).bool()).tolist() == [0.0, 0.0]


def test_masked_rows_receive_no_gradient():
    losses = torch.full((1, 2), math.inf, requires_grad=True)
    masked_mean(losses, torch.zeros(1, 2).bool()).sum().backward()
    assert losses.grad.tolist() == [[0.0, 0.0]]


def test_masked_classes_have_no_probability():
    logits = torch.randn(2, 3, 4)
    class_mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]]).bool()
    proba = mask_classes(logits, class_mask).softmax(-1)
    torch.testing.assert_close(proba[0, :, :2], logits[0, :, :2].softmax(-1))
    assert (proba[0, :, 2:] == 0).all()
    torch.testing.assert_close(proba[1], torch.full((3, 4), 0.25))


def test_no_class_mask_leaves_the_logits():
    logits = torch.randn(2, 3, 4)
    assert mask_classes(logits, None) is logits


def test_class_mask_of_another_width_is_refused():
    with pytest.raises(ValueError, match="class_mask has 1 classes, but there are 4 logits"):
        mask_classes(torch.zeros(2, 3, 4), torch.ones(2, 1).bool())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_masked_loss_is_finite_in_every_precision(dtype):
    logits = torch.tensor([[[900.0, 1.0]], [[900.0, 1.0]]], dtype=dtype, requires_grad=True)
    masked = mask_classes(logits, torch.tensor([[True, False], [False, False]]))
    assert masked.log_softmax(-1).isfinite().all()
    loss = masked_mean(cross_entropy(masked, torch.zeros(2, 1).long()), torch.ones(2, 1).bool())
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logits.grad.isfinite().all()


def test_first_and_second_derivatives_under_both_masks():
    """Row 2 of task 0 is padding; task 1 has no row; task 2 has no class."""
    logits = torch.randn(3, 3, 4, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([[0, 1, 3], [0, 0, 0], [0, 0, 0]])
    mask = torch.tensor([[1, 1, 0], [0, 0, 0], [1, 1, 1]]).bool()
    class_mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).bool()

    def loss(logits):
        losses = masked_mean(cross_entropy(mask_classes(logits, class_mask), y), mask)
        return losses[:2]  # the third is of the order of the largest float

    assert gradcheck(loss, logits)
    assert gradgradcheck(loss, logits)

"""Gaussian processes of classes: padding, weights, rows and classes that come later, no rows."""

import pytest
import torch
from class_processes import learned

from skmeta.nets import DirichletKernel, LaplaceKernel, Support

KERNELS = ["rbf", "cosine", "linear", "spectral_mixture"]
each_process = pytest.mark.parametrize("process_type", [DirichletKernel, LaplaceKernel])


@each_process
def test_far_from_all_rows_every_class_is_as_probable(process_type, pad):
    X, y = torch.randn(9, 2), torch.tensor([0, 0, 0, 0, 0, 0, 1, 2, 2])
    process = process_type(None, 2, 0).eval()
    proba = process(process.adapt(pad([(X, y)])), torch.full((1, 1, 2), 1e3)).softmax(-1)
    torch.testing.assert_close(proba, torch.full((1, 1, 3), 1 / 3))


@each_process
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n_outputs", [0, 3])
def test_padded_tasks_equal_tasks_one_by_one(
    process_type, kernel, n_outputs, pad, classification_tasks
):
    process = learned(process_type, kernel, n_outputs)
    class_mask = torch.ones(4, 3).bool()
    tasks, queries = classification_tasks([3, 0, 20, 1]), classification_tasks([1, 4, 6, 2])
    query = pad(queries)
    output = process(process.adapt(pad(tasks, class_mask)), query.X, query.mask)
    for i, (task, (X_query, _)) in enumerate(zip(tasks, queries, strict=True)):
        alone = process(process.adapt(pad([task], class_mask[:1])), X_query[None])
        torch.testing.assert_close(output[i : i + 1, : len(X_query)], alone)


@each_process
@pytest.mark.parametrize("n_outputs", [0, 2])
def test_rows_and_classes_that_arrive_later_count_as_if_they_had_been_there(
    process_type, n_outputs, pad
):
    process = learned(process_type, n_outputs=n_outputs).eval()
    X, y = torch.randn(12, 2).double(), torch.tensor([0, 1, 0, 0, 1, 1, 2, 0, 3, 2, 2, 3])
    state = process.adapt(pad([(X[:2], y[:2])]))
    for part in (slice(2, 3), slice(3, 8), slice(8, 12)):
        state = process.update(state, pad([(X[part], y[part])]))
    whole = process.adapt(pad([(X, y)]))
    X_query = torch.randn(1, 5, 2).double()
    torch.testing.assert_close(process(state, X_query), process(whole, X_query))


@each_process
def test_a_row_of_weight_two_is_two_rows(process_type, pad, classification_tasks):
    process = learned(process_type)
    [(X, y)] = classification_tasks([9])
    weight = torch.tensor([1, 2, 1, 3, 1, 0, 1, 1, 2])
    support = pad([(X, y)])._replace(weight=weight[None].double())
    repeated = pad([(X.repeat_interleave(weight, 0), y.repeat_interleave(weight))])
    X_query = torch.randn(1, 4, 2).double()
    first, second = (process(process.adapt(s), X_query) for s in (support, repeated))
    torch.testing.assert_close(first, second)


@each_process
def test_no_support_row_gives_the_prior(process_type):
    process, X_query = learned(process_type), torch.randn(1, 6, 2).double()
    rows = torch.zeros(1, 3, 2).double()
    support = Support(rows, rows[..., 0].long(), torch.zeros(1, 3).bool())
    logits = process(process.adapt(support), X_query)
    assert logits.isfinite().all()
    embedded = process.embedding(X_query)
    mean = embedded @ process.mean_weight + process.mean_intercept
    torch.testing.assert_close(logits.argmax(-1), mean.argmax(-1))

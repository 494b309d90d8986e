"""The rows of a support that one inner step sees."""

import torch

from skmeta.nets._support import Support


def support_batch(support: Support, step: int, size: int | None) -> Support:
    """Take the next rows of every task, in turn and starting over at the end.

    Parameters
    ----------
    support : Support
        Labelled rows of ``B`` tasks; padding comes after the real rows.
    step : int
        Number of steps taken before.
    size : int or None
        Rows of a batch. None takes the whole support. A task with no more rows takes all of them
        in every step.

    Returns
    -------
    Support
        At most ``size`` rows of each task.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import Support, support_batch
    >>> X = torch.arange(5.0).view(1, 5, 1)
    >>> support = Support(X, X, torch.ones(1, 5).bool())
    >>> [support_batch(support, step, 2).X.flatten().tolist() for step in range(4)]
    [[0.0, 1.0], [2.0, 3.0], [4.0, 0.0], [1.0, 2.0]]
    """
    n_slots = support.mask.shape[1]
    if size is None or size >= n_slots:
        return support
    n_rows = support.mask.sum(dim=1, keepdim=True)
    turn = torch.arange(size, device=n_rows.device)
    rows = (step * size + turn) % n_rows.clamp(min=1)
    # The rows of a task smaller than a batch must not be counted twice.
    is_small = n_rows <= size
    rows = torch.where(is_small, turn, rows)
    tasks = torch.arange(len(rows), device=rows.device).unsqueeze(1)
    return support._replace(
        X=support.X[tasks, rows],
        y=support.y[tasks, rows],
        mask=support.mask[tasks, rows],
        weight=None if support.weight is None else support.weight[tasks, rows],
    )

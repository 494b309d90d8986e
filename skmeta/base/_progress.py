"""What a fit tells scikit-learn's callbacks of its parts, so that a progress bar can show them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Progress:
    """A fit, or a part of one, as scikit-learn's callbacks see it.

    Parameters
    ----------
    estimator : estimator
        Whose fit it is.
    context : sklearn.callback.CallbackContext or None
        None where nobody looks: then nothing is told.
    """

    def __init__(self, estimator: Any, context: Any):
        self._estimator = estimator
        self._context = context

    @contextmanager
    def part(self, name: str, n_parts: int = 0) -> Iterator[Progress]:
        """Do one part of the work inside.

        Parameters
        ----------
        name : str
            What the part is called in a progress bar.
        n_parts : int, default=0
            Number of parts that it has itself, at most. Zero: it is shown as one step of what it is
            a part of.

        Yields
        ------
        part : Progress
        """
        context = None
        if self._context is not None:
            context = self._context.subcontext(task_name=name, max_subtasks=n_parts)
        part = Progress(self._estimator, context)
        with part.whole():
            yield part

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Do all of the work inside."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(estimator=self._estimator)
        yield
        if self._context is not None:
            self._context.call_on_fit_task_end(estimator=self._estimator)

    @contextmanager
    def fit_of(self, other: Any, name: str) -> Iterator[None]:
        """Fit another estimator inside, as one part of the work; its own parts are shown below.

        Parameters
        ----------
        other : estimator
        name : str
            What the part is called.
        """
        if self._context is None:
            yield
            return
        context = self._context.subcontext(task_name=name)
        with context.propagate_callback_context(other), Progress(self._estimator, context).whole():
            yield


def is_part_of_a_fit(estimator: Any) -> bool:
    """Whether another estimator is being fitted, of whose fit this one's is a part."""
    return hasattr(estimator, "_parent_callback_ctx")  # scikit-learn sets it for that long

"""Learners in a learned embedding whose states absorb further rows."""

from skmeta.nets._embedding import EmbeddingLearner
from skmeta.nets._state import State
from skmeta.nets._support import Support


class StreamingLearner(EmbeddingLearner):
    """Base class of learners that go on learning of a task without its earlier rows.

    A subclass writes ``_update(state, support)``, where the rows of the support are embedded.
    """

    def update(self, state: State, support: Support) -> State:
        """Take further rows into account, as if they had been in the support from the start.

        Earlier rows are not embedded again: the state holds what there is to know of them.

        Parameters
        ----------
        state : dict of Tensor
            What :meth:`adapt` or this method returned.
        support : Support
            Further rows of the same tasks.

        Returns
        -------
        dict of Tensor
            State of all rows.
        """
        with self._gradients():
            return self._update(state, self._embed_support(support))

    def _update(self, state: State, support: Support) -> State:
        """State of the rows of a state and of further, embedded ones."""
        raise NotImplementedError

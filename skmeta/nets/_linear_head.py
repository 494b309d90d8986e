"""What linear models on a learned embedding have in common."""

import torch
from torch import Tensor
from torch.nn import functional as F

from skmeta.nets._row_table import compress_rows, row_table
from skmeta.nets._state import State
from skmeta.nets._streaming import StreamingLearner
from skmeta.nets._support import Support


class LinearHead(StreamingLearner):
    """Base class of linear models whose solution depends on products of the rows alone.

    A subclass writes ``_solve(table)``, which returns the solution as a function of the support's
    table (see :func:`row_table`), and ``_predict``. The state holds the solution; "table", all that
    :meth:`update` needs of the rows, at a cost that does not grow with their number; and the class
    mask, if there is one, as "class_mask".

    Parameters
    ----------
    embedding : Module or None
        Network that maps rows of shape (N, D) to embeddings of shape (N, E); None leaves the rows
        as they are. See :func:`forward_shared` for how it is called.
    """

    def _update(self, state: State, support: Support) -> State:
        table = torch.cat(_same_width(state["table"], self._table(support)), dim=1)
        return self._to_state(table, support.class_mask)

    def _adapt(self, support: Support) -> State:
        return self._to_state(self._table(support), support.class_mask)

    def _solve(self, table: Tensor) -> State:
        raise NotImplementedError

    def _target(self, support: Support) -> Tensor:
        return support.y

    def _table(self, support: Support) -> Tensor:
        target = self._target(support).to(support.X.dtype)
        return row_table(support.X, target, support.mask, support.weight)

    def _to_state(self, table: Tensor, class_mask: Tensor | None) -> State:
        if not torch.is_grad_enabled():  # a QR decomposition is not always differentiable
            table = compress_rows(table)
        state = self._solve(table) | {"table": table}
        return state if class_mask is None else state | {"class_mask": class_mask}


def _same_width(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Add columns of zeros on the right, for classes that only the other table has."""
    width = max(first.shape[-1], second.shape[-1])
    return F.pad(first, (0, width - first.shape[-1])), F.pad(second, (0, width - second.shape[-1]))

"""Matching networks."""

from __future__ import annotations

from typing import ClassVar

from sklearn.utils._param_validation import StrOptions
from torch import nn

from skmeta.episodic import EmbeddingMetaLearner, OpenClassesMixin, parameters
from skmeta.nets import MatchingNet


@parameters
class MatchingClassifier(OpenClassesMixin, EmbeddingMetaLearner):
    """Classifier by attention to the support in a learned embedding.

    A matching network [1]_ is a nearest-neighbour classifier whose neighbourhoods are soft and
    learned: the probability of a class is the attention that a row pays to the class's rows. A
    class may thus consist of several clusters. A new task may have any number of classes, also
    ones that no training task had. Where classes mean the same in all tasks, each has a learned
    row in every support, by which it is known before any other.

    Parameters
    ----------
    {{embedding}}
    similarity : {"cosine", "euclidean"}, default="cosine"
        What attention grows with: the cosine of two embeddings, or the negative square of their
        distance; times a learned scale.
    full_context : bool, default=False
        Whether rows are embedded in view of the whole support ("full-context embeddings"): each
        attends to the support's rows once, in no order.
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Vinyals, Blundell, Lillicrap, Kavukcuoglu & Wierstra (2016). Matching networks for one
       shot learning. NeurIPS. Equation 1 and section 2.1; contexts by attention, not by LSTMs.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmeta import MatchingClassifier, make_n_way_tasks
    >>> X, y = make_blobs(600, n_features=8, centers=30, random_state=0)
    >>> train = make_n_way_tasks(
    ...     X[y < 26], y[y < 26], n_way=3, n_query=5, n_tasks=200, random_state=0
    ... )
    >>> meta = MatchingClassifier(max_epochs=5, random_state=0).fit(train)
    >>> X_new, y_new = X[y > 25], y[y > 25]  # four classes that no training task had
    >>> meta.fit_adapt(X_new[:20], y_new[:20]).score(X_new[20:], y_new[20:]) > 0.9
    True
    """

    similarity: str = "cosine"
    full_context: bool = False

    _parameter_constraints: ClassVar[dict] = {
        "similarity": [StrOptions({"cosine", "euclidean"})],
        "full_context": ["boolean"],
    }

    def _make_on_embedding(
        self, embedding: nn.Module, n_features: int, n_outputs: int
    ) -> MatchingNet:
        return MatchingNet(
            embedding,
            n_features,
            n_outputs,
            similarity=self.similarity,
            full_context=self.full_context,
        )

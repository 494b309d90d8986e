"""Relation networks."""

from __future__ import annotations

from torch import nn

from skmeta.episodic import parameters
from skmeta.metric_based._class_means import _ClassMeanClassifier
from skmeta.nets import RelationNet


@parameters
class RelationClassifier(_ClassMeanClassifier):
    """Classifier by a learned comparison of rows with class means, in a learned embedding.

    A relation network [1]_ has no metric of its own making: a small network, trained together with
    the embedding, says how well a row and the mean of a class go together. A new task may have any
    number of classes, also ones that no training task had. Where classes mean the same in all
    tasks, each has a learned prior mean, which counts as a learned number of rows and stands in for
    a class without a row in the support.

    Parameters
    ----------
    {{embedding}}
    {{priors}}
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Sung, Yang, Zhang, Xiang, Torr & Hospedales (2018). Learning to compare: relation network
       for few-shot learning. CVPR. Equation 1; trained by cross-entropy.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmeta import RelationClassifier, make_n_way_tasks
    >>> X, y = make_blobs(600, n_features=8, centers=30, random_state=0)
    >>> train = make_n_way_tasks(
    ...     X[y < 26], y[y < 26], n_way=3, n_query=5, n_tasks=200, random_state=0
    ... )
    >>> meta = RelationClassifier(max_epochs=10, random_state=0).fit(train)
    >>> X_new, y_new = X[y > 25], y[y > 25]  # four classes that no training task had
    >>> meta.fit_adapt(X_new[:20], y_new[:20]).score(X_new[20:], y_new[20:]) > 0.9
    True
    """

    def _make_on_embedding(
        self, embedding: nn.Module, n_features: int, n_outputs: int
    ) -> RelationNet:
        return RelationNet(embedding, n_features, **self._prior_options(n_features, n_outputs))

"""Prototypical networks."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from skmeta.episodic import parameters
from skmeta.metric_based._class_means import _ClassMeanClassifier
from skmeta.nets import PrototypeNet


@parameters
class PrototypeClassifier(_ClassMeanClassifier):
    """Classifier by the nearest class mean in a learned embedding.

    A prototypical network [1]_ embeds rows such that those of a class lie around their mean, its
    prototype. A new task may have any number of classes, also ones that no training task had.
    Where classes mean the same in all tasks, each has a learned prior prototype, which counts as a
    learned number of rows and stands in for a class without a row in the support.

    An embedding that sees few classes in training (a dozen, say) learns these by heart, and may
    tell new ones apart worse than the rows as they are: compare with `module=None`.

    Parameters
    ----------
    module : "auto", callable, torch module or None, default="auto"
        The embedding. "auto" is a multi-layer perceptron with two hidden layers of 64 tanh units
        and 64 outputs; a callable is called with the numbers of inputs and outputs (64); a module
        is copied and trained from its weights. None compares rows as they are, and learns nothing
        but the means of classes: with the Euclidean metric this is
        :class:`sklearn.neighbors.NearestCentroid`.
    metric : {"euclidean", "mahalanobis"}, default="euclidean"
        "mahalanobis" measures distances from a class by the covariance of its rows in the support,
        shrunk towards that of all rows and towards the identity, by learned amounts [2]_. It wants
        several rows of each class.
    {{priors}} With `module=None`, always the latter.
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Snell, Swersky & Zemel (2017). Prototypical networks for few-shot learning. NeurIPS.
       Equations 1 and 2.
    .. [2] Bateni, Goyal, Masrani, Wood & Sigal (2020). Improved few-shot visual classification.
       CVPR. Equations 1 and 2.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmeta import PrototypeClassifier, make_n_way_tasks
    >>> X, y = make_blobs(600, n_features=8, centers=30, random_state=0)
    >>> train = make_n_way_tasks(
    ...     X[y < 26], y[y < 26], n_way=3, n_query=5, n_tasks=200, random_state=0
    ... )
    >>> meta = PrototypeClassifier(max_epochs=3, random_state=0).fit(train)
    >>> X_new, y_new = X[y > 25], y[y > 25]  # four classes that no training task had
    >>> model = meta.fit_adapt(X_new[:20], y_new[:20])
    >>> model.classes_
    array([26, 27, 28, 29])
    >>> model.score(X_new[20:], y_new[20:]) > 0.9
    True

    Further rows are absorbed without the earlier ones:

    >>> model.partial_adapt(X_new[20:30], y_new[20:30]).n_support_
    30
    """

    metric: str = "euclidean"

    _parameter_constraints: ClassVar[dict] = {
        "metric": [StrOptions({"euclidean", "mahalanobis"})],
    }

    def _make_on_embedding(
        self, embedding: nn.Module, n_features: int, n_outputs: int
    ) -> PrototypeNet:
        options = self._prior_options(n_features, n_outputs)
        learns = self.module is not None
        if not learns:
            options |= {"learn_prior": False, "learn_shares": False}
        return PrototypeNet(embedding, **options, metric=self.metric, learn_metric=learns)

    def _logits(self, X: Any) -> np.ndarray:
        logits = super()._logits(X)
        weights = self._weights_of_classes()
        if self.module is None and isinstance(weights, Tensor):
            # No loss is there to weigh, and means do not depend on weights: odds have to.
            smallest = np.finfo(np.float64).tiny
            logits = logits + np.log(np.maximum(weights.numpy(), smallest))[self._slots]
        return logits

"""Logistic regression and support vector machines on a learned embedding."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval
from torch import nn

from skmeta.episodic import EmbeddingMetaLearner, OpenClassesMixin, parameters
from skmeta.nets import DualHead, LogisticHead, SVMHead


@parameters
class _DualHeadClassifier(OpenClassesMixin, EmbeddingMetaLearner):
    alpha: float = 1.0
    learn_prior: bool = True

    _parameter_constraints: ClassVar[dict] = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "learn_prior": ["boolean"],
    }
    _shared_docs: ClassVar[dict] = {
        "prior_head": """
            alpha : float, default=1.0
                Penalty on the distance of a task's head to the prior's, the inverse of `C` in
                scikit-learn; where training starts from if `learn_prior`.
            learn_prior : bool, default=True
                Whether to learn the penalties, of weights and of the intercept, the head to which
                they shrink, and a scale of the logits. Otherwise penalties are `alpha`, heads
                shrink to zero, and all that there is to learn is the embedding.""",
    }

    _head: ClassVar[Any]  # the torch module

    def _make_on_embedding(self, embedding: nn.Module, n_features: int, n_outputs: int) -> DualHead:
        return self._head(embedding, n_features, n_outputs, self.alpha, self.learn_prior)


@parameters
class LogisticHeadClassifier(_DualHeadClassifier):
    """Classifier by logistic regression on a learned embedding.

    The embedding is trained such that multinomial logistic regression on the embedded support of a
    task classifies its query well (LR-D2 [1]_). Each regression is solved by Newton's method, and
    differentiated at its solution. A new task may have any number of classes, also ones that no
    training task had. Where classes mean the same in all tasks, heads shrink to a learned one,
    which is also the prediction before any support.

    The cost of adaptation grows with the cube of the number of support rows: some hundreds are
    fine.

    Parameters
    ----------
    {{embedding}}
    {{prior_head}}
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Bertinetto, Henriques, Torr & Vedaldi (2019). Meta-learning with differentiable
       closed-form solvers. ICLR. Section 3.2.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmeta import LogisticHeadClassifier, make_n_way_tasks
    >>> X, y = make_blobs(600, n_features=8, centers=30, random_state=0)
    >>> train = make_n_way_tasks(
    ...     X[y < 26], y[y < 26], n_way=3, n_query=5, n_tasks=100, random_state=0
    ... )
    >>> meta = LogisticHeadClassifier(max_epochs=2, random_state=0).fit(train)
    >>> X_new, y_new = X[y > 25], y[y > 25]  # four classes that no training task had
    >>> meta.fit_adapt(X_new[:20], y_new[:20]).score(X_new[20:], y_new[20:]) > 0.9
    True
    """

    _head = LogisticHead


@parameters
class SVMHeadClassifier(_DualHeadClassifier):
    """Classifier by a support vector machine on a learned embedding.

    The embedding is trained such that the multi-class support vector machine of Crammer and Singer
    on the embedded support of a task classifies its query well (MetaOptNet [1]_). The dual of each
    machine is solved to rounding, and differentiated by the implicit function theorem. A new task
    may have any number of classes, also ones that no training task had. Where classes mean the same
    in all tasks, heads shrink to a learned one, which is also the prediction before any support.

    The cost of adaptation grows with the cube of the number of support rows: some hundreds are
    fine.

    Parameters
    ----------
    {{embedding}}
    {{prior_head}}
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Lee, Maji, Ravichandran & Soatto (2019). Meta-learning with differentiable convex
       optimization. CVPR. Equations 7 to 12.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmeta import SVMHeadClassifier, make_n_way_tasks
    >>> X, y = make_blobs(600, n_features=8, centers=30, random_state=0)
    >>> train = make_n_way_tasks(
    ...     X[y < 26], y[y < 26], n_way=3, n_query=5, n_tasks=100, random_state=0
    ... )
    >>> meta = SVMHeadClassifier(max_epochs=2, random_state=0).fit(train)
    >>> X_new, y_new = X[y > 25], y[y > 25]  # four classes that no training task had
    >>> meta.fit_adapt(X_new[:20], y_new[:20]).score(X_new[20:], y_new[20:]) > 0.9
    True
    """

    _head = SVMHead

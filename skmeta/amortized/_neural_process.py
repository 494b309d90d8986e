"""Neural processes."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import is_classifier
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from torch import nn

from skmeta.amortized._learner import (
    AmortizedClassifierMixin,
    AmortizedLearner,
    AmortizedRegressorMixin,
)
from skmeta.episodic import EmbeddingMetaLearner, StreamingMixin, parameters
from skmeta.nets import NeuralProcess


@parameters
class _NeuralProcessLearner(StreamingMixin, AmortizedLearner, EmbeddingMetaLearner):
    """What the regressor and the classifier have in common."""

    encoder: str = "attention"

    _parameter_constraints: ClassVar[dict] = {
        "module": [StrOptions({"auto"}), callable],
        "encoder": [StrOptions({"mean", "attention", "transformer"})],
    }
    _shared_docs: ClassVar[dict] = {
        "neural_process": """
            module : "auto", callable or torch module, default="auto"
                A network that rows go through before anything else, one for images say. "auto"
                takes rows as they are; a callable is called with the numbers of inputs and outputs
                (64); a module is copied and trained from its weights.
            encoder : {"mean", "attention", "transformer"}, default="attention"
                What is made of the support: the mean of encoded rows [1]_, encoded rows that each
                query row attends to [2]_, or rows that attend to each other in three layers [3]_.
                The first has a state of fixed size; the last takes longest.""",
    }

    def _make_on_embedding(
        self, embedding: nn.Module, n_features: int, n_outputs: int
    ) -> NeuralProcess:
        return NeuralProcess(n_features, self._make_code(n_outputs), self.encoder, embedding)

    def _make_backbone(self, n_inputs: int, n_outputs: int) -> nn.Module:
        if isinstance(self.module, str):  # the process has layers enough of its own
            return nn.Identity()
        return super()._make_backbone(n_inputs, n_outputs)

    @available_if(lambda self: self.encoder != "transformer")
    def partial_adapt(self, X: Any, y: Any) -> Any:
        """Adapt to further rows of the same task; not with the encoder "transformer".

        Rows seen before are neither needed nor encoded again.

        Parameters
        ----------
        X : array-like or data frame of shape (n_new, n_features)
            Further labelled rows.
        y : array-like of shape (n_new,) or (n_new, n_outputs)
            Their target.

        Returns
        -------
        model : BaseMetaLearner
            A new estimator, equal to rounding to `fit_adapt` on all rows. `self` is unchanged.

        Raises
        ------
        ValueError
            If classes are weighed, or are a task's own.
        """
        if is_classifier(self) and not getattr(self, "shared_target_", True):
            raise ValueError(
                "partial_adapt needs classes that mean the same in all tasks: a further row may be "
                "of a class for which the earlier ones, which are not kept, were not encoded."
            )
        return super().partial_adapt(X, y)


@parameters
class NeuralProcessRegressor(AmortizedRegressorMixin, _NeuralProcessLearner):
    """Regressor by a neural process: a network that predicts from the support in one pass.

    An encoder of the support and a decoder are trained such that query rows of training tasks are
    likely, given the normal distribution that is predicted for each. Adapting takes no gradient
    and solves nothing. The process is conditional: it has no latent variable, and rows are
    predicted each for itself.

    {{sizes}}

    Parameters
    ----------
    {{neural_process}}
    {{normalize_y}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{y_scale_}}

    References
    ----------
    .. [1] Garnelo et al. (2018). Conditional neural processes. ICML.
    .. [2] Kim et al. (2019). Attentive neural processes. ICLR. The deterministic path alone.
    .. [3] Nguyen & Grover (2022). Transformer neural processes: uncertainty-aware meta learning via
       sequence modeling. ICML. TNP-D.

    Examples
    --------
    >>> from skmeta import NeuralProcessRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=200, random_state=0)
    >>> meta = NeuralProcessRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> mean, std = model.predict([[1.0], [2.0]], return_std=True)
    >>> model.partial_adapt([[1.0]], [0.7]).n_support_
    4
    """


@parameters
class NeuralProcessClassifier(AmortizedClassifierMixin, _NeuralProcessLearner):
    """Classifier by a neural process: a network that predicts from the support in one pass.

    An encoder of the support and a decoder are trained such that the classes of query rows of
    training tasks are likely. Adapting takes no gradient and solves nothing. Where classes mean the
    same in all tasks, the network is told them by indicators; where they are a task's own, it is
    asked for each class whether a row is of it, so that there may be any number of them, in any
    order.

    {{sizes}}

    Parameters
    ----------
    {{neural_process}}
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Garnelo et al. (2018). Conditional neural processes. ICML.
    .. [2] Kim et al. (2019). Attentive neural processes. ICLR. The deterministic path alone.
    .. [3] Nguyen & Grover (2022). Transformer neural processes: uncertainty-aware meta learning via
       sequence modeling. ICML. TNP-D.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmeta import NeuralProcessClassifier, make_n_way_tasks
    >>> X, y = make_blobs(600, n_features=2, centers=30, random_state=0)
    >>> train = make_n_way_tasks(
    ...     X[y < 26], y[y < 26], n_way=3, n_support=3, n_query=5, n_tasks=200, random_state=0
    ... )
    >>> meta = NeuralProcessClassifier(max_epochs=3, random_state=0).fit(train)
    >>> meta.fit_adapt(X[y > 25], y[y > 25]).classes_  # four classes, new ones
    array([26, 27, 28, 29])
    """

"""Hypernetworks: the support generates the parameters of a network."""

from __future__ import annotations

from skmeta.amortized._learner import (
    AmortizedClassifierMixin,
    AmortizedLearner,
    AmortizedRegressorMixin,
)
from skmeta.episodic import parameters
from skmeta.nets import HyperNet


@parameters
class _HyperNetworkLearner(AmortizedLearner):
    """What the regressor and the classifier have in common."""

    def _make_learner(self, n_inputs: int, n_outputs: int) -> HyperNet:
        code = self._make_code(n_outputs)
        return HyperNet(self._make_backbone(n_inputs, code.n_outputs), n_inputs, code)


@parameters
class HyperNetworkRegressor(AmortizedRegressorMixin, _HyperNetworkLearner):
    """Regressor whose parameters a second network generates from the support.

    The hypernetwork encodes the rows of the support, takes their mean, and adds a linear function
    of it to initial parameters of a small network, all of which are learned. That network then
    predicts mean and variance of query rows, whose likelihood training maximises. A model of a task
    is a network of its own, and adapting takes no gradient.

    {{sizes}}

    Parameters
    ----------
    module : "auto", callable or torch module, default="auto"
        The network of a task. "auto" is a multi-layer perceptron with two hidden layers of 40
        units; a callable is called with the numbers of inputs and outputs, which are two for each
        target (mean and variance); a module is copied. All parameters are generated, so it should
        be small.
    {{normalize_y}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{y_scale_}}

    References
    ----------
    .. [1] Ha, Dai & Le (2017). HyperNetworks. ICLR.
    .. [2] Zhmoginov, Sandler & Vladymyrov (2022). HyperTransformer: model generation for supervised
       and semi-supervised few-shot learning. ICML. The set encoder is a mean here, not a
       transformer.

    Examples
    --------
    >>> from skmeta import HyperNetworkRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=200, random_state=0)
    >>> meta = HyperNetworkRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> model.state_["layers.0.weight"].shape  # of the task's own network
    torch.Size([1, 40, 1])
    """


@parameters
class HyperNetworkClassifier(AmortizedClassifierMixin, _HyperNetworkLearner):
    """Classifier whose parameters a second network generates from the support.

    The hypernetwork encodes the rows of the support, takes their mean, and adds a linear function
    of it to initial parameters of a small network, all of which are learned. That network then
    predicts logits of query rows. A model of a task is a network of its own, and adapting takes no
    gradient. Where classes are a task's own, each class has a network, which says whether a row is
    of it; there may be any number of classes, in any order.

    {{sizes}}

    Parameters
    ----------
    module : "auto", callable or torch module, default="auto"
        The network of a task. "auto" is a multi-layer perceptron with two hidden layers of 40
        units; a callable is called with the numbers of inputs and outputs: the classes, or one
        where classes are a task's own; a module is copied. All parameters are generated, so it
        should be small.
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Ha, Dai & Le (2017). HyperNetworks. ICLR.
    .. [2] Zhmoginov, Sandler & Vladymyrov (2022). HyperTransformer: model generation for supervised
       and semi-supervised few-shot learning. ICML. The set encoder is a mean here, not a
       transformer.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmeta import HyperNetworkClassifier, make_n_way_tasks
    >>> X, y = make_blobs(600, n_features=2, centers=30, random_state=0)
    >>> train = make_n_way_tasks(
    ...     X[y < 26], y[y < 26], n_way=3, n_support=3, n_query=5, n_tasks=200, random_state=0
    ... )
    >>> meta = HyperNetworkClassifier(max_epochs=3, random_state=0).fit(train)
    >>> meta.fit_adapt(X[y > 25], y[y > 25]).classes_  # four classes, new ones
    array([26, 27, 28, 29])
    """

"""Meta-SGD: learn the initial weights together with a step size for each of them."""

from __future__ import annotations

import torch

from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin, parameters
from skmeta.gradient_based._learner import UnrolledLearner
from skmeta.nets import InnerSGD, LearnedRate


@parameters
class _MetaSGD(UnrolledLearner):
    def _make_inner_optimizer(self, shapes: dict[str, torch.Size]) -> InnerSGD:
        return InnerSGD(LearnedRate(self.inner_lr, shapes, per="parameter"))


@parameters
class MetaSGDClassifier(NeuralMetaClassifierMixin, _MetaSGD):
    """Classifier whose network and step sizes are learned: each weight has a step size of its own.

    Meta-SGD [1]_ is :class:`MAMLClassifier` with a learned step size for each single weight, which
    learns the direction of a step as well as its length. Step sizes may become negative.
    {{own_classes}}

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.1
        Step size that training starts from.
    {{inner_steps}}
    {{unrolled}}
    {{class_weight}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    {{inner_attributes}}
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Li, Zhou, Chen & Li (2017). Meta-SGD: Learning to learn quickly for few-shot learning.
       arXiv:1707.09835.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import MetaSGDClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=100, random_state=0)
    >>> meta = MetaSGDClassifier(max_epochs=3, random_state=0).fit(tasks)
    >>> meta.fit_adapt(tasks[0].X, tasks[0].y).predict(tasks[0].X).shape
    (48,)
    """

    inner_lr: float = 0.1


@parameters
class MetaSGDRegressor(NeuralMetaRegressorMixin, _MetaSGD):
    """Regressor whose network and step sizes are learned: each weight has a step size of its own.

    Meta-SGD [1]_ is :class:`MAMLRegressor` with a learned step size for each single weight, which
    learns the direction of a step as well as its length. Step sizes may become negative.

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.01
        Step size that training starts from.
    {{inner_steps}}
    {{unrolled}}
    {{normalize_y}}
    {{clipping}}
    {{online}}
    {{compile}}
    {{training}}

    Attributes
    ----------
    {{inner_attributes}}
    {{attributes}}
    {{y_scale_}}

    References
    ----------
    .. [1] Li, Zhou, Chen & Li (2017). Meta-SGD: Learning to learn quickly for few-shot learning.
       arXiv:1707.09835.

    Examples
    --------
    >>> from skmeta import MetaSGDRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = MetaSGDRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> meta.step_sizes_["layers.1.weight"].shape
    (1, 40, 40)
    """

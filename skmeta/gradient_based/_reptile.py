"""Reptile: meta-learning by training on one task after the other, with no second derivatives."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import nn

from skmeta.episodic import (
    EpisodeLoss,
    NeuralMetaClassifierMixin,
    NeuralMetaRegressorMixin,
    parameters,
)
from skmeta.gradient_based._learner import GradientBasedLearner
from skmeta.gradient_based._losses import ReptileLoss
from skmeta.nets import MAML, InnerSGD, ReptileEpisode


@parameters
class _Reptile(GradientBasedLearner):
    n_steps: Any = 10  # cheap, and what second-order information there is comes from them
    lr: float = 3e-3
    inner_momentum: float = 0.0
    support_batch_size: int | None = None

    _parameter_constraints: ClassVar[dict] = {
        "inner_momentum": [Interval(Real, 0, 1, closed="left")],
        "support_batch_size": [Interval(Integral, 1, None, closed="left"), None],
    }
    _shared_docs: ClassVar[dict] = {
        "reptile": """
            inner_momentum : float, default=0.0
                Momentum of the inner steps.
            support_batch_size : int or None, default=None
                Rows of the support that an inner step sees, in turn; None shows it all of them.""",
    }

    def _make_inner_optimizer(self, shapes: dict[str, torch.Size]) -> InnerSGD:
        return InnerSGD(self.inner_lr, self.inner_momentum)

    def _make_inner_loop(self, **options: Any) -> MAML:
        return MAML(first_order=True, support_batch_size=self.support_batch_size, **options)

    def _make_episode(self, learner: Any) -> nn.Module:
        return ReptileEpisode(learner)

    def _make_criterion(self) -> EpisodeLoss:
        return ReptileLoss(self._row_loss)


@parameters
class ReptileClassifier(NeuralMetaClassifierMixin, _Reptile):
    """Classifier whose initial weights lie amid those that training on single tasks leads to.

    Reptile [1]_ takes `n_steps` ordinary gradient steps on the support of each task of a meta-batch
    and moves the initial weights towards where they lead: the outer optimiser gets the mean of
    initial minus adapted weights for a gradient. With `optimizer=torch.optim.SGD`, `lr` is the
    share of the way that is gone, as in the paper. Query rows serve to stop early alone, so that
    `n_support` should leave few of them. With a single step there is no second-order information
    in this gradient, and Reptile learns what all tasks have in common, but not to adapt.
    {{own_classes}}

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.1
        Step size of the inner steps.
    {{inner_steps}}
    {{reptile}}
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
    .. [1] Nichol, Achiam & Schulman (2018). On first-order meta-learning algorithms.
       arXiv:1803.02999. The batched version.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import ReptileClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=100, random_state=0)
    >>> meta = ReptileClassifier(max_epochs=3, random_state=0).fit(tasks)
    >>> meta.fit_adapt(tasks[0].X, tasks[0].y).predict(tasks[0].X).shape
    (48,)
    """

    inner_lr: float = 0.1


@parameters
class ReptileRegressor(NeuralMetaRegressorMixin, _Reptile):
    """Regressor whose initial weights lie amid those that training on single tasks leads to.

    Reptile [1]_ takes `n_steps` ordinary gradient steps on the support of each task of a meta-batch
    and moves the initial weights towards where they lead: the outer optimiser gets the mean of
    initial minus adapted weights for a gradient. With `optimizer=torch.optim.SGD`, `lr` is the
    share of the way that is gone, as in the paper. Query rows serve to stop early alone, so that
    `n_support` should leave few of them. With a single step there is no second-order information
    in this gradient, and Reptile learns what all tasks have in common, but not to adapt.

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.02
        Step size of the inner steps.
    {{inner_steps}}
    {{reptile}}
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
    .. [1] Nichol, Achiam & Schulman (2018). On first-order meta-learning algorithms.
       arXiv:1803.02999. The batched version.

    Examples
    --------
    >>> from skmeta import ReptileRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = ReptileRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> model.predict([[1.0], [2.0]]).shape
    (2,)
    """

    inner_lr: float = 0.02

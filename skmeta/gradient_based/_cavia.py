"""CAVIA: tell a shared network about the task by a few context parameters."""

from __future__ import annotations

from numbers import Integral
from typing import ClassVar

from sklearn.utils._param_validation import Interval

from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin, parameters
from skmeta.gradient_based._learner import InnerSGDLearner, Parts
from skmeta.nets import ContextNet


@parameters
class _CAVIA(InnerSGDLearner):
    inner_lr: float = 1.0
    lr: float = 3e-3  # all of a task passes through few inputs, whose weights have far to go
    n_context: int = 5

    _parameter_constraints: ClassVar[dict] = {
        "n_context": [Interval(Integral, 1, None, closed="left")]
    }
    _shared_docs: ClassVar[dict] = {
        "context": """
            module : "auto", callable or torch module, default="auto"
                The network. "auto" is a multi-layer perceptron with two hidden layers of 40 units;
                a callable (a class, or `functools.partial` of one) is called with the numbers of
                inputs, context parameters included, and outputs; a module is copied and trained
                from its weights, and must take the context parameters behind the inputs. A network
                for images (:class:`skmeta.nets.ConvNet`) gets a channel for each of them.
            n_context : int, default=5
                Number of context parameters.""",
    }

    def _make_parts(self, n_inputs: int, n_outputs: int) -> Parts:
        network = self._make_backbone(n_inputs + self.n_context, n_outputs)
        return Parts(ContextNet(network, self.n_context), ["context"])


@parameters
class CAVIAClassifier(NeuralMetaClassifierMixin, _CAVIA):
    """Classifier that adapts a few context parameters beside the input of a shared network.

    CAVIA [1]_ learns a network with some further inputs. On a new task these start from zero and
    are moved by gradient descent on the support; the network itself is the same for all tasks. A
    task's own part is thus `n_context` numbers, which lie in `state_` and describe the task.
    {{own_classes}}

    Parameters
    ----------
    {{context}}
    inner_lr : float, default=1.0
        Step size of the inner steps.
    {{inner_steps}}
    {{inner_sgd}}
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
    .. [1] Zintgraf, Shiarlis, Kurin, Hofmann & Whiteson (2019). Fast context adaptation via
       meta-learning. ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import CAVIAClassifier, make_n_way_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X, y, n_way=3, n_tasks=100, random_state=0)
    >>> meta = CAVIAClassifier(n_context=20, max_epochs=3, random_state=0).fit(tasks)
    >>> meta.fit_adapt(tasks[0].X, tasks[0].y).state_["backbone.context"].shape
    torch.Size([1, 20])
    """


@parameters
class CAVIARegressor(NeuralMetaRegressorMixin, _CAVIA):
    """Regressor that adapts a few context parameters beside the input of a shared network.

    CAVIA [1]_ learns a network with some further inputs. On a new task these start from zero and
    are moved by gradient descent on the support; the network itself is the same for all tasks. A
    task's own part is thus `n_context` numbers, which lie in `state_` and describe the task.

    Parameters
    ----------
    {{context}}
    inner_lr : float, default=1.0
        Step size of the inner steps.
    {{inner_steps}}
    {{inner_sgd}}
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
    .. [1] Zintgraf, Shiarlis, Kurin, Hofmann & Whiteson (2019). Fast context adaptation via
       meta-learning. ICML.

    Examples
    --------
    >>> from skmeta import CAVIARegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = CAVIARegressor(n_context=4, max_epochs=5, random_state=0).fit(tasks)
    >>> meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5]).state_["backbone.context"].shape
    torch.Size([1, 4])
    """

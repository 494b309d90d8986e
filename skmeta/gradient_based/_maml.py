"""Model-agnostic meta-learning."""

from __future__ import annotations

from skmeta.episodic import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin, parameters
from skmeta.gradient_based._learner import InnerSGDLearner


@parameters
class MAMLClassifier(NeuralMetaClassifierMixin, InnerSGDLearner):
    """Classifier whose network is a few gradient steps away from any task.

    Model-agnostic meta-learning [1]_ learns the initial weights of a network such that `n_steps`
    steps of gradient descent on the support of a task give a network that is good on its query.
    Step sizes may be learned, and the loss after each step may count, as in MAML++ [2]_.
    {{own_classes}}

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.1
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
    .. [1] Finn, Abbeel & Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML.
    .. [2] Antoniou, Edwards & Storkey (2019). How to train your MAML. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmeta import MAMLClassifier, make_n_way_tasks, split_support_query
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = make_n_way_tasks(X[y < 6], y[y < 6], n_way=3, n_tasks=200, random_state=0)
    >>> meta = MAMLClassifier(max_epochs=3, random_state=0).fit(tasks)
    >>> new = make_n_way_tasks(X[y > 5], y[y > 5], n_way=3, n_support=5, n_tasks=1, random_state=0)
    >>> support, query = split_support_query(new, n_support=15, stratify=True)
    >>> model = meta.fit_adapt(support[0].X, support[0].y)
    >>> model.score(query[0].X, query[0].y) > 0.5
    True
    """

    inner_lr: float = 0.1


@parameters
class MAMLRegressor(NeuralMetaRegressorMixin, InnerSGDLearner):
    """Regressor whose network is a few gradient steps away from any task.

    Model-agnostic meta-learning [1]_ learns the initial weights of a network such that `n_steps`
    steps of gradient descent on the support of a task give a network that is good on its query.
    Step sizes may be learned, and the loss after each step may count, as in MAML++ [2]_.

    Parameters
    ----------
    {{module}}
    inner_lr : float, default=0.01
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
    .. [1] Finn, Abbeel & Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML.
    .. [2] Antoniou, Edwards & Storkey (2019). How to train your MAML. ICLR.

    Examples
    --------
    >>> from skmeta import MAMLRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=100, random_state=0)
    >>> meta = MAMLRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> model.predict([[1.0], [2.0]]).shape
    (2,)
    """

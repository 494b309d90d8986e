"""Bayesian linear regression on a learned embedding."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval
from torch import nn

from skmeta.closed_form._gaussian import _GaussianRegressor
from skmeta.episodic import parameters
from skmeta.nets import BayesianLinear


@parameters
class BayesianLinearRegressor(_GaussianRegressor):
    """Regressor by Bayesian linear regression on a learned embedding.

    The embedding, the mean and covariance of the weights' prior, and the noise are trained such
    that training tasks are likely (ALPaCA [1]_). The weights of a new task have a posterior, which
    gives a predictive distribution and not a number alone. Where targets are linear in the rows,
    `module=None` learns a linear mixed model.

    Parameters
    ----------
    {{embedding}}
    noise : float, default=0.1
        Variance of the noise that training starts from, in units of the normalised target. What is
        learned is never below 1e-4, a deviation of 1 %.
    objective : {"marginal", "predictive"}, default="marginal"
        What training maximises: the likelihood of all `n_support + n_query` rows of a task
        together, which suits supports of any size; or that of each row of the query given a support
        of `n_support` rows.
    {{normalize_y}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    y_mean_, y_scale_ : ndarray of shape (n_outputs,)
        Mean and standard deviation of the target in the training tasks.

    References
    ----------
    .. [1] Harrison, Sharma & Pavone (2018). Meta-learning priors for efficient online Bayesian
       regression. WAFR. Equations 4 to 6 and algorithm 1.

    Examples
    --------
    >>> from skmeta import BayesianLinearRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=500, random_state=0)
    >>> meta = BayesianLinearRegressor(max_epochs=5, random_state=0).fit(tasks)
    >>> model = meta.fit_adapt([[-3.0], [0.0], [3.0]], [0.5, 1.0, -0.5])
    >>> mean, std = model.predict([[1.0], [2.0]], return_std=True)
    >>> model.predict_quantiles([[1.0], [2.0]], [0.1, 0.9]).shape
    (2, 2)

    A further row is absorbed without the earlier ones, and makes the model surer:

    >>> surer = model.partial_adapt([[1.0]], [1.5])
    >>> bool(surer.predict([[1.0]], return_std=True)[1] < std[0])
    True
    """

    noise: float = 0.1

    _parameter_constraints: ClassVar[dict] = {
        "noise": [Interval(Real, 0, None, closed="neither")],
    }

    def _make_on_embedding(
        self, embedding: nn.Module, n_features: int, n_outputs: int
    ) -> BayesianLinear:
        return BayesianLinear(embedding, n_features, n_outputs, self.noise)

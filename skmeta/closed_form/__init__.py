"""Meta-learners that solve each task in closed form on a learned embedding."""

from skmeta.closed_form._bayesian_linear import BayesianLinearRegressor
from skmeta.closed_form._deep_kernel import DeepKernelRegressor
from skmeta.closed_form._dirichlet_kernel import DeepKernelClassifier
from skmeta.closed_form._dual_head import LogisticHeadClassifier, SVMHeadClassifier
from skmeta.closed_form._ridge_head import RidgeHeadClassifier, RidgeHeadRegressor

__all__ = [
    "BayesianLinearRegressor",
    "DeepKernelClassifier",
    "DeepKernelRegressor",
    "LogisticHeadClassifier",
    "RidgeHeadClassifier",
    "RidgeHeadRegressor",
    "SVMHeadClassifier",
]

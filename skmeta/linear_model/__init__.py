"""Linear meta-learners: tasks whose weights are drawn around common ones."""

from skmeta.linear_model._logistic import MetaLogisticRegression
from skmeta.linear_model._ridge import MetaRidgeRegressor

__all__ = ["MetaLogisticRegression", "MetaRidgeRegressor"]

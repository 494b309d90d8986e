"""Meta-learners made of other learners: boosting with per-task Gaussian processes, stacking."""

from skmeta.ensemble._auto import AutoMetaClassifier, AutoMetaRegressor
from skmeta.ensemble._boosting_classifier import MetaBoostingClassifier
from skmeta.ensemble._boosting_regressor import MetaBoostingRegressor
from skmeta.ensemble._pooled_learner import PooledClassifier, PooledRegressor
from skmeta.ensemble._stacking import MetaStackingClassifier, MetaStackingRegressor
from skmeta.ensemble._stacking_report import StackingReport

__all__ = [
    "AutoMetaClassifier",
    "AutoMetaRegressor",
    "MetaBoostingClassifier",
    "MetaBoostingRegressor",
    "MetaStackingClassifier",
    "MetaStackingRegressor",
    "PooledClassifier",
    "PooledRegressor",
    "StackingReport",
]

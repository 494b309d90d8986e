"""The meta-learner contract, and ordinary scikit-learn views of a meta-learner."""

from skmeta.base._evaluation import few_shot_scores
from skmeta.base._exceptions import TrainingDivergedError
from skmeta.base._few_shot import FewShotClassifier, FewShotRegressor
from skmeta.base._meta_learner import BaseMetaLearner
from skmeta.base._mixins import MetaClassifierMixin, MetaRegressorMixin
from skmeta.base._preprocessing import TablePreprocessor
from skmeta.base._shared_classes import SharedClassesMixin
from skmeta.base._tags import MetaLearnerTags
from skmeta.base._taskwise import TaskwiseClassifier, TaskwiseRegressor

__all__ = [
    "BaseMetaLearner",
    "FewShotClassifier",
    "FewShotRegressor",
    "MetaClassifierMixin",
    "MetaLearnerTags",
    "MetaRegressorMixin",
    "SharedClassesMixin",
    "TablePreprocessor",
    "TaskwiseClassifier",
    "TaskwiseRegressor",
    "TrainingDivergedError",
    "few_shot_scores",
]

"""The bridge from task collections to torch: episodes, the skorch net that trains on them, and
the base class of neural meta-learners."""

from skmeta.episodic._callbacks import Checkpoint, KeepBest, ReportToScikitLearn, StopOnDivergence
from skmeta.episodic._dataset import EpisodeBatch, EpisodeDataset
from skmeta.episodic._embedding import EmbeddingMetaLearner
from skmeta.episodic._estimator import NeuralMetaLearner
from skmeta.episodic._gaussian import GaussianRegressorMixin
from skmeta.episodic._net import EpisodeLoss, EpisodicNet
from skmeta.episodic._open_classes import OpenClassesMixin
from skmeta.episodic._parameters import parameters
from skmeta.episodic._streaming import StreamingMixin
from skmeta.episodic._targets import NeuralMetaClassifierMixin, NeuralMetaRegressorMixin

__all__ = [
    "Checkpoint",
    "EmbeddingMetaLearner",
    "EpisodeBatch",
    "EpisodeDataset",
    "EpisodeLoss",
    "EpisodicNet",
    "GaussianRegressorMixin",
    "KeepBest",
    "NeuralMetaClassifierMixin",
    "NeuralMetaLearner",
    "NeuralMetaRegressorMixin",
    "OpenClassesMixin",
    "ReportToScikitLearn",
    "StopOnDivergence",
    "StreamingMixin",
    "parameters",
]

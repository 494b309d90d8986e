"""The bridge from task collections to torch: episodes, the skorch net that trains on them, and
the base class of neural meta-learners."""

from skmeta.episodic._callbacks import Checkpoint, KeepBest, ReportToScikitLearn, StopOnDivergence
from skmeta.episodic._dataset import EpisodeBatch, EpisodeDataset
from skmeta.episodic._estimator import (
    NeuralMetaClassifierMixin,
    NeuralMetaLearner,
    NeuralMetaRegressorMixin,
)
from skmeta.episodic._net import EpisodicNet
from skmeta.episodic._parameters import parameters

__all__ = [
    "Checkpoint",
    "EpisodeBatch",
    "EpisodeDataset",
    "EpisodicNet",
    "KeepBest",
    "NeuralMetaClassifierMixin",
    "NeuralMetaLearner",
    "NeuralMetaRegressorMixin",
    "ReportToScikitLearn",
    "StopOnDivergence",
    "parameters",
]

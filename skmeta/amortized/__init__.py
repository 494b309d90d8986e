"""Meta-learners that read a support in one pass: what a task is was learned beforehand."""

from skmeta.amortized._hyper_network import HyperNetworkClassifier, HyperNetworkRegressor
from skmeta.amortized._in_context import InContextClassifier, InContextRegressor
from skmeta.amortized._neural_process import NeuralProcessClassifier, NeuralProcessRegressor

__all__ = [
    "HyperNetworkClassifier",
    "HyperNetworkRegressor",
    "InContextClassifier",
    "InContextRegressor",
    "NeuralProcessClassifier",
    "NeuralProcessRegressor",
]

"""Meta-learners that adapt by gradient steps."""

from skmeta.gradient_based._anil import ANILClassifier, ANILRegressor
from skmeta.gradient_based._bayesian_maml import BayesianMAMLClassifier, BayesianMAMLRegressor
from skmeta.gradient_based._bias_maml import BiasMAMLClassifier, BiasMAMLRegressor
from skmeta.gradient_based._cavia import CAVIAClassifier, CAVIARegressor
from skmeta.gradient_based._imaml import IMAMLClassifier, IMAMLRegressor
from skmeta.gradient_based._learned_optimizer import (
    LearnedOptimizerClassifier,
    LearnedOptimizerRegressor,
)
from skmeta.gradient_based._maml import MAMLClassifier, MAMLRegressor
from skmeta.gradient_based._meta_gradient_descent import (
    MetaGradientDescentClassifier,
    MetaGradientDescentRegressor,
)
from skmeta.gradient_based._meta_sgd import MetaSGDClassifier, MetaSGDRegressor
from skmeta.gradient_based._reptile import ReptileClassifier, ReptileRegressor

__all__ = [
    "ANILClassifier",
    "ANILRegressor",
    "BayesianMAMLClassifier",
    "BayesianMAMLRegressor",
    "BiasMAMLClassifier",
    "BiasMAMLRegressor",
    "CAVIAClassifier",
    "CAVIARegressor",
    "IMAMLClassifier",
    "IMAMLRegressor",
    "LearnedOptimizerClassifier",
    "LearnedOptimizerRegressor",
    "MAMLClassifier",
    "MAMLRegressor",
    "MetaGradientDescentClassifier",
    "MetaGradientDescentRegressor",
    "MetaSGDClassifier",
    "MetaSGDRegressor",
    "ReptileClassifier",
    "ReptileRegressor",
]

"""Meta support vector machines: a function that tasks share, and its correction for each task."""

from skmeta.svm._classifier import MetaSVC
from skmeta.svm._regressor import MetaSVR

__all__ = ["MetaSVC", "MetaSVR"]

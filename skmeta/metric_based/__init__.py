"""Meta-learners that compare a query row with the support."""

from skmeta.metric_based._prototypes import PrototypeClassifier

__all__ = ["PrototypeClassifier"]

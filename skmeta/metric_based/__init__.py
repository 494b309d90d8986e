"""Meta-learners that compare a query row with the support."""

from skmeta.metric_based._matching import MatchingClassifier
from skmeta.metric_based._prototypes import PrototypeClassifier
from skmeta.metric_based._relation import RelationClassifier

__all__ = ["MatchingClassifier", "PrototypeClassifier", "RelationClassifier"]

"""Meta-learners that adapt by gradient steps."""

from skmeta.gradient_based._maml import MAMLClassifier, MAMLRegressor

__all__ = ["MAMLClassifier", "MAMLRegressor"]

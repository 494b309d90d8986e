"""The conformance suite: what every meta-learner promises, for ours and for third parties'."""

from skmeta.testing._discovery import all_meta_learners
from skmeta.testing._suite import check_meta_learner

__all__ = ["all_meta_learners", "check_meta_learner"]

"""Choosing and evaluating meta-learners."""

from skmeta.model_selection._few_shot import FewShotScorer, cross_val_few_shot, few_shot_scorer

__all__ = ["FewShotScorer", "cross_val_few_shot", "few_shot_scorer"]

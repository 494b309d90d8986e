"""Choosing and evaluating meta-learners, and searching for hyperparameters."""

import lazy_loader

from skmeta.model_selection._few_shot import FewShotScorer, cross_val_few_shot, few_shot_scorer
from skmeta.model_selection._search._prior import HyperparameterPrior

# A subclass of an Optuna class: it is imported when it is first used.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"_search._sampler": ["TransferSampler"]}
)

__all__ = [
    "FewShotScorer",
    "HyperparameterPrior",
    "TransferSampler",
    "cross_val_few_shot",
    "few_shot_scorer",
]

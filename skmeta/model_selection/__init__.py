"""Choosing and evaluating meta-learners, and searching for hyperparameters."""

import lazy_loader

from skmeta.model_selection._few_shot import FewShotScorer, cross_val_few_shot, few_shot_scorer
from skmeta.model_selection._meta_search._refit import one_standard_error
from skmeta.model_selection._metafeatures._extract import MetaFeatures, metafeatures

# What needs Optuna or torch is imported when it is first used.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "_hypergradient._search": ["HypergradientSearchCV"],
        "_meta_search._meta_search_cv": ["MetaSearchCV"],
        "_search._prior": ["HyperparameterPrior"],
        "_search._sampler": ["TransferSampler"],
    },
)

__all__ = [
    "FewShotScorer",
    "HypergradientSearchCV",
    "HyperparameterPrior",
    "MetaFeatures",
    "MetaSearchCV",
    "TransferSampler",
    "cross_val_few_shot",
    "few_shot_scorer",
    "metafeatures",
    "one_standard_error",
]

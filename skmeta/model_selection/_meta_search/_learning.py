"""The part of a search that learns from many datasets and from past studies."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from optuna.study import Study
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, indexable

from skmeta.model_selection._meta_search._datasets import describe_datasets, search_datasets
from skmeta.model_selection._meta_search._past import copy_study, read_studies
from skmeta.model_selection._meta_search._results import collect_results
from skmeta.model_selection._meta_search._sampling import learn_prior


class PastLearner(BaseSearchCV):
    """Learn a prior over hyperparameters: from datasets, which are searched, and from studies.

    It owns the fitted attributes `studies_` and `prior_`. What it needs of :class:`MetaSearchCV` is
    `_search`, which searches one dataset.
    """

    random_state: Any
    meta_features: Any
    studies_: dict[Any, Study]

    def _unfit(self) -> None:
        """Drop what an earlier fit learned: one dataset and several leave different attributes."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        self._described: dict[Any, np.ndarray] = {}

    def _fit_datasets(self, datasets: Any) -> Self:
        context = self._init_callback_context(max_subtasks=len(datasets), sequential_subtasks=False)
        context.call_on_fit_task_begin(estimator=self)
        self._search_datasets(datasets, context)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _search_datasets(self, datasets: Any, context: Any = None) -> None:
        seeds = check_random_state(self.random_state)
        studies = search_datasets(self, datasets, _search_only, seeds, context)
        if self.meta_features is not None:
            described = describe_datasets(self.meta_features, datasets)
            self._described = self._described | described
        self._learn(studies)

    def add_datasets(self, datasets: Any) -> Self:
        """Search further datasets, and learn from them as well.

        Parameters
        ----------
        datasets : TaskCollection or list of Task
            A dataset with the name of a past one takes its place.

        Returns
        -------
        self : MetaSearchCV
        """
        self._start_if_new()
        self._search_datasets(datasets)
        return self

    def fit_studies(self, studies: Any, *, dataset: str = "dataset", score: str = "score") -> Self:
        """Learn the prior from past searches; nothing is evaluated.

        Parameters
        ----------
        studies : dict of name to Study, list of Study, or data frame
            Optuna studies; or a table with a row for each evaluation, with any number of them for
            each dataset. Columns that begin with `param_` hold the parameters (as in
            `cv_results_`), or else all columns but two. Higher scores are better in a table; a
            study has its direction. A parameter that a study lacks had the estimator's own value.
        dataset, score : str
            Columns of the table that say which dataset was evaluated, and the score.

        Returns
        -------
        self : MetaSearchCV
            Call `fit_adapt` with a new dataset.
        """
        self._unfit()
        return self.add_studies(studies, dataset=dataset, score=score)

    def add_studies(self, studies: Any, *, dataset: str = "dataset", score: str = "score") -> Self:
        """Learn from further past searches as well.

        Parameters
        ----------
        studies : dict of name to Study, list of Study, or data frame
            As in `fit_studies`. A dataset with the name of a past one takes its place.
        dataset, score : str
            Columns of a data frame.

        Returns
        -------
        self : MetaSearchCV
        """
        self._start_if_new()
        found = read_studies(studies, dataset=dataset, score=score)
        # What was measured of a dataset goes with the study whose place is taken.
        self._described = {n: row for n, row in self._described.items() if n not in found}
        return self._learn({name: copy_study(study) for name, study in found.items()})

    def _start_if_new(self) -> None:
        if not hasattr(self, "studies_"):
            self._validate_params()
            self._unfit()

    def forget(self, *names: Any) -> Self:
        """Learn the prior without some of the past datasets.

        Parameters
        ----------
        *names : hashable
            Names of datasets: keys of `studies_`.

        Returns
        -------
        self : MetaSearchCV
        """
        check_is_fitted(self, "studies_")
        unknown = [name for name in names if name not in self.studies_]
        if unknown:
            raise ValueError(f"No past dataset is called {unknown}; there are {[*self.studies_]}.")
        return self._relearn({n: s for n, s in self.studies_.items() if n not in names})

    def _learn(self, studies: dict[Any, Study]) -> Self:
        """Learn the prior from past studies and these."""
        if not any(len(study.get_trials(deepcopy=False)) > 1 for study in studies.values()):
            raise ValueError(
                f"There is nothing to learn from: none of {len(studies)} studies has two completed "
                "trials."
            )
        return self._relearn(getattr(self, "studies_", {}) | studies)

    def _relearn(self, studies: dict[Any, Study]) -> Self:
        self.studies_ = studies
        self.prior_ = learn_prior(self, studies, self._described)
        return self


def _search_only(search: Any, X: Any, y: Any) -> Study:
    """The study of one of many datasets, without a refit."""
    X, y = indexable(X, y)
    study = search._search(X, y, search._get_routed_params_for_fit({}), None)
    collect_results(search, study)  # an error if all fits failed
    return study

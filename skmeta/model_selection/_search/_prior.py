"""What past searches say about a hyperparameter space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from optuna.distributions import BaseDistribution
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmeta.model_selection._search._candidates import best_of_each
from skmeta.model_selection._search._kernel import ConfigurationKernel
from skmeta.model_selection._search._past import PastSearches, make_encoder
from skmeta.model_selection._search._pool import CandidatePool
from skmeta.model_selection._search._portfolio import greedy_portfolio
from skmeta.model_selection._search._proposals import TableProposals
from skmeta.model_selection._search._relevance import relevance_of
from skmeta.model_selection._search._scale import ScaleModel
from skmeta.model_selection._search._studies import PastStudy, read_studies, read_study
from skmeta.model_selection._search._table import (
    TablePrior,
    has_common_meaning,
    learn_kernel,
    likeness,
    standardise_rows,
)
from skmeta.model_selection._search._validation import (
    NO_META_FEATURES,
    check_distinct,
    check_meta_features,
    check_scores,
)

# Configurations that stand for the space of past studies.
_N_CONFIGS = 150


class HyperparameterPrior(TableProposals, BaseEstimator):
    """Prior over the configurations of a search, learned from past evaluations.

    It knows which configurations are good in general (a default and a portfolio), how the scores of
    configurations go together over datasets (a Gaussian prior), and proposes what to try next on a
    new dataset. Proposals come from past datasets as a whole, each corrected and weighted by what
    was seen: a portfolio before any evidence, a Gaussian surrogate after much. A surrogate that
    knows the new dataset alone takes over where it predicts better than the past does.

    Parameters
    ----------
    strength : float, default=20
        How many datasets the likeness of hyperparameters counts for, against the covariance
        observed over datasets.
    noise : float, default=0.003
        Variance of the noise on a score, relative to its variance over datasets.
    sharpness : float, default=0.4
        How fast evidence singles out past datasets. It is multiplied by `n_datasets ** (2 / 7)`,
        the inverse squared bandwidth of a density in about three dimensions (Scott's rule), and by
        the share of the table that is not a gap.
    n_rows : int, default=300
        Number of plausible datasets to reason with, at the least.
    smoothing : float, default=0.1
        How far copies of past datasets stray from them, where there are fewer than `n_rows`.
    caution : float, default=0.05
        Prior probability that the past is of no use; 0 switches the guard off.
    scale : {"auto", "common", "own"}, default="auto"
        Whether scores of different datasets mean the same ("common": accuracies), or each dataset
        has a location and scale of its own ("own": errors in the units of a target). By default
        they mean the same unless levels or spreads of past datasets differ by a factor of 30. The
        scale of a new dataset is inferred from its scores, with "common" where they are out of the
        range of the past.
    random_state : int, RandomState instance or None, default=None
        Draws for gaps and copies.

    Attributes
    ----------
    default_ : int
        Configuration with the least mean regret.
    portfolio_ : ndarray of shape (n_configs,)
        All configurations, in the order of a greedy portfolio.
    mean_ : ndarray of shape (n_configs,)
        Mean score of the prior.
    covariance_ : ndarray of shape (n_configs, n_configs)
        Covariance of scores over datasets.
    noise_ : float
        Variance of the noise on a score.
    n_datasets_ : int
        Number of past datasets.
    configs_ : list of dict or None
        The configurations that indices refer to.
    studies_ : list of PastStudy
        Past datasets: `name`, `configs`, `scores`, `meta_features`.
    space_ : dict of str to BaseDistribution
        What is known of the space from Optuna studies.
    scale_ : {"common", "own"}
        What `scale` came to; `mean_`, `covariance_` and `noise_` are in standard units for "own".
    meta_feature_share_ : float
        Weight that likeness of datasets by their meta-features has in the choice of past datasets,
        from 0 (it predicts nothing) to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta.model_selection import HyperparameterPrior
    >>> scores = np.array([[0.9, 0.8, 0.1], [0.7, 0.8, 0.2], [0.9, 0.7, np.nan]])
    >>> prior = HyperparameterPrior(random_state=0)
    >>> prior = prior.fit(scores, [{"C": 1.0}, {"C": 10.0}, {"C": 1e4}])
    >>> prior.default_
    0
    >>> prior.propose(tried=[0], scores=[0.6])
    1
    >>> prior.add([0.2, 0.9, 0.8], name="new").n_datasets_
    4
    >>> prior.remove("new").n_datasets_
    3
    """

    _parameter_constraints: dict = {
        "strength": [Interval(Real, 0, None, closed="neither")],
        "noise": [Interval(Real, 0, None, closed="neither")],
        "sharpness": [Interval(Real, 0, None, closed="left")],
        "n_rows": [Interval(Integral, 1, None, closed="left")],
        "smoothing": [Interval(Real, 0, 1, closed="both")],
        "caution": [Interval(Real, 0, 1, closed="left")],
        "scale": [StrOptions({"auto", "common", "own"})],
        "random_state": ["random_state"],
    }

    space_: dict[str, BaseDistribution]
    configs_: list[dict[str, Any]] | None
    _kernel: ConfigurationKernel | None
    _past: PastSearches | None
    _table_rows: dict[Any, np.ndarray] | None
    _studies: list[PastStudy]
    _meta_features: dict[Any, np.ndarray | None]

    def __init__(
        self,
        *,
        strength: float = 20.0,
        noise: float = 0.003,
        sharpness: float = 0.4,
        n_rows: int = 300,
        smoothing: float = 0.1,
        caution: float = 0.05,
        scale: str = "auto",
        random_state: Any = None,
    ):
        self.strength = strength
        self.noise = noise
        self.sharpness = sharpness
        self.n_rows = n_rows
        self.smoothing = smoothing
        self.caution = caution
        self.scale = scale
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        scores: Any,
        configs: Sequence[Mapping[str, Any]] | None = None,
        *,
        names: Sequence[Any] | None = None,
        meta_features: Any = None,
    ) -> Self:
        """Learn from a table of evaluations.

        Parameters
        ----------
        scores : array-like of shape (n_datasets, n_configs)
            Higher is better; NaN where a configuration was not tried.
        configs : list of dict, default=None
            Hyperparameters of each configuration; not all need the same ones. Without them, nothing
            is known of the likeness of configurations.
        names : sequence of hashable, default=None
            Names of the datasets; by default 0, 1, ...
        meta_features : array-like of shape (n_datasets, n_meta_features), default=None
            See :func:`~skmeta.model_selection.metafeatures`.

        Returns
        -------
        self : HyperparameterPrior

        Raises
        ------
        ValueError
            If a dataset has no score, or lengths do not match.
        """
        scores = check_scores(scores, configs)
        names = list(range(len(scores)) if names is None else names)
        rows = check_meta_features(meta_features, len(scores))
        if len(names) != len(scores):
            raise ValueError(f"Got {len(names)} names for {len(scores)} datasets.")
        self.configs_ = None if configs is None else [dict(config) for config in configs]
        self.space_ = {}
        self._meta_features = dict(zip(names, rows, strict=True))
        check_distinct(names)
        self._kernel = None
        return self._learn_table(dict(zip(names, scores, strict=True)))

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_studies(
        self,
        studies: Any,
        space: Mapping[str, Any] | None = None,
        *,
        meta_features: Any = None,
    ) -> Self:
        """Learn from past searches, whatever configurations each of them tried.

        Parameters
        ----------
        studies : list or dict (by name) of optuna.Study or of (configs, scores)
            Studies have one objective each, in its own direction. In pairs, `configs` is a list of
            dict, and of `scores` the higher is better. Those with fewer than two trials are left
            out.
        space : dict of str to optuna.distributions.BaseDistribution, default=None
            The current space, where it differs from that of the studies. Studies that did not know
            a hyperparameter or a choice yet are used all the same.
        meta_features : array-like of shape (n_studies, n_meta_features), default=None

        Returns
        -------
        self : HyperparameterPrior
            `configs_` are the best configurations of the studies.

        Raises
        ------
        ValueError
            If no study has two completed trials, or one has several objectives.
        """
        read, known = read_studies(studies, meta_features)
        check_distinct([study.name for study in read])
        self.space_ = known | dict(space or {})
        self._kernel = None
        return self._learn_studies(read)

    # ------------------------------------------------------------------ datasets come and go

    def add(self, study: Any, *, name: Any, meta_features: Any = None) -> Self:
        """Add a dataset, without learning anew how configurations are alike.

        Parameters
        ----------
        study : array-like of shape (n_configs,), optuna.Study, or (configs, scores)
            After `fit` a row of the table, after `fit_studies` a study.
        name : hashable
        meta_features : array-like of shape (n_meta_features,), default=None

        Returns
        -------
        self : HyperparameterPrior

        Raises
        ------
        ValueError
            If there is a dataset of this name.
        """
        check_is_fitted(self)
        check_distinct([*self._names(), name])
        if self._table_rows is None:
            added = read_study(study, name, meta_features)
            if len(added.scores) < 2:
                raise ValueError(f"Study {name!r} has fewer than two completed trials.")
            return self._learn_studies([*self.studies_, added])
        rows = check_scores([study], None)
        if rows.shape[1] != len(self.mean_):
            raise ValueError(f"study has {rows.shape[1]} scores, expected {len(self.mean_)}.")
        features = check_meta_features(None if meta_features is None else [meta_features], 1)
        self._meta_features = self._meta_features | {name: features[0]}
        return self._learn_table(self._table_rows | {name: rows[0]})

    def remove(self, name: Any) -> Self:
        """Remove a dataset.

        Parameters
        ----------
        name : hashable

        Returns
        -------
        self : HyperparameterPrior

        Raises
        ------
        KeyError
            If there is no dataset of this name.
        ValueError
            If it is the last one.
        """
        check_is_fitted(self)
        names = self._names()
        if name not in names:
            raise KeyError(f"No dataset is called {name!r}; there are {names}.")
        if len(names) == 1:
            raise ValueError(f"{name!r} is the only dataset: a prior needs at least one.")
        if self._table_rows is None:
            return self._learn_studies([study for study in self.studies_ if study.name != name])
        return self._learn_table({k: v for k, v in self._table_rows.items() if k != name})

    def _names(self) -> list[Any]:
        if self._table_rows is None:
            return [study.name for study in self._studies]
        return [*self._table_rows]

    # ------------------------------------------------------------------ learning

    def _learn_table(self, table: dict[Any, np.ndarray]) -> Self:
        self._table_rows = table
        raw = np.array([*table.values()])
        features = [self._meta_features[name] for name in table]
        is_common = has_common_meaning(raw) if self.scale == "auto" else self.scale == "common"
        if is_common:
            scores, self._scale = raw, ScaleModel.common(raw)
        else:
            scores, self._scale = standardise_rows(raw)
        self.scale_ = "common" if is_common else "own"
        self._past = None
        self._kernel = self._kernel or learn_kernel(scores, self.configs_)
        self._learn(scores, likeness(self._kernel, scores, self.configs_))
        self._relevance = relevance_of(features, self._table.past_rows(len(raw)))
        return self

    def _learn_studies(self, studies: list[PastStudy]) -> Self:
        self._table_rows, self._studies = None, studies
        past = PastSearches(studies, make_encoder(studies, self.space_), self._kernel)
        self._past, self._kernel = past, past.kernel
        self._scale, self.scale_ = past.scale, "own"
        configs = [study.configs for study in studies]
        self.configs_ = best_of_each(configs, [study.scores for study in studies], _N_CONFIGS)
        vectors = past.encoder.encode(self.configs_)
        self._learn(past.rows(vectors), past.kernel(vectors, vectors))
        self._relevance = past.relevance
        return self

    def _learn(self, scores: np.ndarray, kernel: np.ndarray) -> None:
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        rng = np.random.default_rng(seed)
        self._table = TablePrior.learn(scores, kernel, self.get_params(deep=False), rng)
        self.n_datasets_ = len(scores)
        self.mean_, self.covariance_ = self._table.mean, self._table.covariance
        self.noise_ = self._table.noise
        rows = self._table.ensemble.rows
        self.portfolio_ = greedy_portfolio(rows, rows.shape[1])
        self.default_ = int(self.portfolio_[0])

    @property
    def studies_(self) -> list[PastStudy]:
        """Past datasets: `name`, `configs`, `scores`, `meta_features`."""
        check_is_fitted(self, "mean_")
        if self._table_rows is None:
            return self._studies
        configs = self.configs_ or [{"configuration": str(i)} for i in range(len(self.mean_))]
        return [
            read_study((configs, row), name, self._meta_features[name])
            for name, row in self._table_rows.items()
        ]

    @property
    def meta_feature_share_(self) -> float:
        """Weight of the likeness of datasets by their meta-features, between 0 and 1."""
        check_is_fitted(self, "mean_")
        return self._relevance.share if self._relevance else 0.0

    def past_searches(self) -> PastSearches:
        """Past datasets as functions of any configuration, for samplers and displays.

        Raises
        ------
        ValueError
            If the prior was fitted to a table without `configs`.
        """
        check_is_fitted(self)
        if self.configs_ is None:
            raise ValueError("The prior knows no hyperparameters: fit it with configs.")
        if self._past is None:
            usable = [study for study in self.studies_ if len(study.scores) > 1]
            self._past = PastSearches(usable, make_encoder(usable, self.space_))
        return self._past

    def pool(
        self, configs: Sequence[Mapping[str, Any]], meta_features: Any = None
    ) -> CandidatePool:
        """Search a new dataset among configurations that the past need not have tried.

        Parameters
        ----------
        configs : list of dict
        meta_features : array-like of shape (n_meta_features,), default=None
            Those of the new dataset, for which past ones like it then weigh more.

        Returns
        -------
        pool : CandidatePool
            Its `propose(tried, scores, pending)` says which of `configs` to try next.
        """
        past = self.past_searches()
        if meta_features is not None:
            meta_features = np.asarray(meta_features, dtype=np.float64).reshape(-1)
            if past.weights(meta_features) is None:
                raise ValueError(NO_META_FEATURES)
        return CandidatePool(past, configs, meta_features, self.caution)

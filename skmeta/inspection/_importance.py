"""How much each hyperparameter matters, over past datasets."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.stats import sobol_indices, uniform
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skmeta.model_selection import HyperparameterPrior
from skmeta.model_selection._search._space import UnitSpace


class HyperparameterImportanceDisplay:
    """Importance of each hyperparameter, averaged over the datasets of a prior.

    The importance on one dataset is the share of the variance of its scores, over the space, that
    would remain if all other hyperparameters were known (Sobol's total index: the hyperparameter
    alone, and all interactions that it takes part in). Shares add up to more than one where there
    are interactions. Scores are those of the prior's surrogate.

    Parameters
    ----------
    importances : ndarray of shape (n_datasets, n_hyperparameters)
        NaN for a dataset on which all configurations score the same.
    names : list of str
        The hyperparameters.
    datasets : list
        Names of the datasets.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : matplotlib BarContainer

    See Also
    --------
    GoodValuesDisplay : Which values are good.

    References
    ----------
    .. [1] Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter
       importance", ICML 2014.
    .. [2] van Rijn and Hutter, "Hyperparameter importance across datasets", KDD 2018.
    .. [3] Saltelli et al., "Variance based sensitivity analysis of model output", Computer Physics
       Communications, 2010, table 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta.inspection import HyperparameterImportanceDisplay
    >>> from skmeta.model_selection import HyperparameterPrior
    >>> rng = np.random.default_rng(0)
    >>> configs = [{"a": a, "b": b} for a, b in rng.random((40, 2))]
    >>> scores = [[(c["a"] - best) ** 2 for c in configs] for best in (0.1, 0.2, 0.3)]
    >>> prior = HyperparameterPrior(random_state=0).fit(scores, configs)
    >>> display = HyperparameterImportanceDisplay.from_prior(prior)
    >>> display.names[display.importances.mean(axis=0).argmax()]
    'a'
    """

    def __init__(self, importances: np.ndarray, *, names: Sequence[str], datasets: Sequence[Any]):
        self.importances = importances
        self.names = list(names)
        self.datasets = list(datasets)

    @classmethod
    def from_prior(
        cls, prior: HyperparameterPrior, *, n_samples: int = 128, random_state: Any = 0
    ) -> Self:
        """Compute the importances from a prior.

        Parameters
        ----------
        prior : HyperparameterPrior
            Fitted to studies, or to a table with `configs`.
        n_samples : int, default=128
            Points of the design for each index, a power of two. The surrogate is evaluated at
            `n_samples * (n_hyperparameters + 2)` configurations.
        random_state : int or Generator, default=0
            Scrambles the design.

        Returns
        -------
        display : HyperparameterImportanceDisplay

        Raises
        ------
        ValueError
            If the prior knows no hyperparameters, or `n_samples` is not a power of two.
        """
        if n_samples < 2 or n_samples & (n_samples - 1):
            raise ValueError(f"n_samples must be a power of two, got {n_samples}.")
        past = prior.past_searches()
        space = UnitSpace([study.configs for study in past.studies], prior.space_)

        def surrogate(points: np.ndarray) -> np.ndarray:
            return past.rows(past.encoder.encode(space.configurations(points.T)))

        with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)  # datasets without any variance
            found = sobol_indices(
                func=surrogate,
                n=n_samples,
                dists=[uniform()] * len(space.names),
                rng=np.random.default_rng(random_state),
            )
        total = np.clip(found.total_order, 0.0, 1.0).reshape(len(past.studies), -1)
        total[[np.ptp(study.scores) == 0 for study in past.studies]] = np.nan
        return cls(total, names=space.names, datasets=[study.name for study in past.studies])

    def plot(self, ax: Any = None, *, band: float = 0.8, max_shown: int = 15) -> Self:
        """Draw a bar for the mean importance, and a line for the range over datasets.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        band : float, default=0.8
            Share of the datasets within the line.
        max_shown : int, default=15
            Number of hyperparameters, the most important ones.

        Returns
        -------
        display : HyperparameterImportanceDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        if ax is None:
            ax = plt.subplots(layout="constrained")[1]
        known = self.importances[np.isfinite(self.importances).all(axis=1)]
        if not len(known):
            raise ValueError("No dataset's scores vary: there is no importance to show.")
        order = known.mean(axis=0).argsort()[-max_shown:]
        mean, names = known.mean(axis=0)[order], [self.names[i] for i in order]
        tail = (1 - band) / 2
        low, high = np.quantile(known[:, order], [tail, 1 - tail], axis=0)
        self.bars_ = ax.barh(names, mean, color="tab:blue", alpha=0.6)
        ax.hlines(names, low, high, color="black", label=f"{band:.0%} of datasets")
        ax.set(xlabel="Share of variance, with interactions", xlim=(0, None))
        ax.legend(loc="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self

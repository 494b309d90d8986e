"""Which values of hyperparameters are good, over past datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skmeta.model_selection import HyperparameterPrior
from skmeta.model_selection._search._encoding import is_number
from skmeta.model_selection._search._space import UnitSpace
from skmeta.model_selection._search._studies import PastStudy

_N_COLUMNS = 3
_N_POINTS = 200


class GoodValuesDisplay:
    """Densities of the values that good configurations have, beside those of all.

    Good are the best configurations of each past dataset. All datasets weigh the same, however many
    configurations were tried on them. A value is favoured where the density of the good exceeds
    that of all.

    Parameters
    ----------
    good : dict of str to (values, weights)
        Values of each hyperparameter in good configurations, and weights that sum to one.
    tried : dict of str to (values, weights)
        The same for all configurations.
    space : dict of str to BaseDistribution
        Ranges, scales and choices.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One for each hyperparameter.
    ax_ : matplotlib Axes
        The area that holds them all.
    figure_ : matplotlib Figure

    See Also
    --------
    HyperparameterImportanceDisplay : How much each hyperparameter matters.

    References
    ----------
    .. [1] van Rijn and Hutter, "Hyperparameter importance across datasets", KDD 2018, section 4.2
       (densities of good values).

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta.inspection import GoodValuesDisplay
    >>> from skmeta.model_selection import HyperparameterPrior
    >>> rng = np.random.default_rng(0)
    >>> configs = [{"a": a, "b": b} for a, b in rng.random((40, 2))]
    >>> scores = [[-((c["a"] - best) ** 2) for c in configs] for best in (0.1, 0.2, 0.3)]
    >>> prior = HyperparameterPrior(random_state=0).fit(scores, configs)
    >>> values, weights = GoodValuesDisplay.from_prior(prior).good["a"]
    >>> round(float(values @ weights), 1)
    0.2
    """

    def __init__(
        self,
        good: Mapping[str, tuple[Any, np.ndarray]],
        tried: Mapping[str, tuple[Any, np.ndarray]],
        *,
        space: Mapping[str, BaseDistribution],
    ):
        self.good = good
        self.tried = tried
        self.space = space

    @classmethod
    def from_prior(
        cls, prior: HyperparameterPrior, *, top: float = 0.1, names: Sequence[str] | None = None
    ) -> Self:
        """Collect the good values of a prior's past datasets.

        Parameters
        ----------
        prior : HyperparameterPrior
            Fitted to studies, or to a table with `configs`.
        top : float, default=0.1
            Share of a dataset's configurations that are good; one at the least.
        names : list of str, default=None
            Which hyperparameters; by default all.

        Returns
        -------
        display : GoodValuesDisplay

        Raises
        ------
        ValueError
            If the prior knows no hyperparameters, `top` is not in (0, 1], or a name is unknown.
        """
        if not 0 < top <= 1:
            raise ValueError(f"top must be above 0 and at most 1, got {top}.")
        studies = prior.past_searches().studies
        space = UnitSpace([study.configs for study in studies], prior.space_).space
        names = sorted(space) if names is None else list(names)
        unknown = sorted(set(names) - set(space))
        if unknown:
            raise ValueError(f"Unknown hyperparameters {unknown}; the prior has {sorted(space)}.")
        return cls(
            {name: _collect(studies, name, top) for name in names},
            {name: _collect(studies, name, 1.0) for name in names},
            space={name: space[name] for name in names},
        )

    def plot(self, ax: Any = None) -> Self:
        """Draw a panel for each hyperparameter.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            An area that is divided among the panels.

        Returns
        -------
        display : GoodValuesDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt
        from matplotlib.gridspec import GridSpecFromSubplotSpec

        n_columns = min(_N_COLUMNS, len(self.good))
        n_rows = -(-len(self.good) // n_columns)
        if ax is None:
            ax = plt.subplots(figsize=(3.2 * n_columns, 2.4 * n_rows))[1]
        ax.set_axis_off()
        grid = GridSpecFromSubplotSpec(
            n_rows, n_columns, ax.get_subplotspec(), hspace=0.9, wspace=0.25
        )
        self.ax_, self.figure_ = ax, ax.figure
        self.axes_ = np.array(
            [self.figure_.add_subplot(grid[i]) for i in range(len(self.good))], dtype=object
        )
        for panel, name in zip(self.axes_, self.good, strict=True):
            self._plot_one(panel, name)
        handles, labels = self.axes_[0].get_legend_handles_labels()
        self.figure_.legend(handles, labels, loc="lower right", ncols=2, fontsize="small")
        return self

    def _plot_one(self, ax: Any, name: str) -> None:
        distribution = self.space[name]
        if isinstance(distribution, CategoricalDistribution):
            _plot_choices(ax, distribution.choices, self.good[name], self.tried[name])
        else:
            _plot_densities(ax, distribution, self.good[name], self.tried[name])
        ax.set_title(name, fontsize="medium")
        ax.set(yticks=[], ylim=(0, None))


def _collect(studies: Sequence[PastStudy], name: str, top: float) -> tuple[Any, np.ndarray]:
    """Values in the best configurations of each study; each study weighs the same."""
    values: list[Any] = []
    weights: list[float] = []
    for study in studies:
        n_best = max(1, round(top * len(study.scores)))
        best = np.argsort(-study.scores, kind="stable")[:n_best]
        found = [study.configs[i][name] for i in best if name in study.configs[i]]
        values += found
        weights += [1 / n_best] * len(found)
    total = sum(weights) or 1.0
    is_numeric = all(is_number(value) for value in values)
    return np.array(values) if is_numeric else values, np.array(weights) / total


def _plot_choices(ax: Any, choices: Sequence[Any], good: Any, tried: Any) -> None:
    places = np.arange(len(choices))
    for shift, label, (values, weights) in [(-0.2, "good", good), (0.2, "tried", tried)]:
        found = np.array([repr(value) for value in values])
        shares = [weights[found == repr(choice)].sum() for choice in choices]
        color = "tab:blue" if label == "good" else "lightgray"
        ax.bar(places + shift, shares, width=0.4, color=color, label=label)
    ax.set_xticks(
        places, [str(choice) for choice in choices], rotation=20, ha="right", fontsize="small"
    )


def _plot_densities(ax: Any, distribution: Any, good: Any, tried: Any) -> None:
    warp = np.log if distribution.log else np.asarray
    low, high = warp([distribution.low, distribution.high])
    grid = np.linspace(low, high, _N_POINTS)
    places = np.exp(grid) if distribution.log else grid
    for label, (values, weights) in [("tried", tried), ("good", good)]:
        density = _density(warp(np.asarray(values, dtype=np.float64)), weights, grid)
        if label == "good":
            ax.fill_between(places, density, color="tab:blue", alpha=0.4, label=label)
        else:
            ax.plot(places, density, color="gray", linestyle="--", label=label)
    if distribution.log:
        ax.set_xscale("log")


def _density(values: np.ndarray, weights: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Kernel density on a grid, mirrored at its ends so that no mass leaks out."""
    low, high = grid[0], grid[-1]
    # Scott's rule, but not so narrow that a few values look like a comb.
    mean = weights @ values
    spread = np.sqrt(weights @ (values - mean) ** 2)
    width = max(spread * len(values) ** -0.2, 0.05 * (high - low), 1e-12)
    density = np.zeros_like(grid)
    for mirrored in (values, 2 * low - values, 2 * high - values):
        apart = (grid[:, None] - mirrored) / width
        density += np.exp(-0.5 * apart**2) @ weights / (width * np.sqrt(2 * np.pi))
    return density

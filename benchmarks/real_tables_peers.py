"""Mixed models of other packages in the protocol of `real_tables.py`, for regression.

`statsmodels` (MixedLM), `gpboost` and `merf` fit random effects of the groups that they have seen.
For a new group they predict the population's mean only; what its few labelled rows say is added
here by hand: the best linear unbiased prediction of its random effects, with the covariances that
the package has estimated. Packages that are not installed are left out, and named.

Each comes with random intercepts, and with random intercepts and slopes of all columns where there
are at most six: correlated ones, but for `gpboost`, which has independent ones only. MixedLM has
nothing to tune. The trees of the other two do: their packages' defaults are among a few settings,
the best of which is found on a third of the training tasks, by the error after as many support rows
as the protocol's smallest number.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

MAX_SLOPES = 6
# Rows of a group -> the columns that have random effects.
Design = Callable[[np.ndarray], np.ndarray]


def random_effects(
    Z: np.ndarray, residual: np.ndarray, covariance: np.ndarray, noise: float
) -> np.ndarray:
    """Best linear unbiased prediction of a new group's random effects."""
    marginal = Z @ covariance @ Z.T + noise * np.eye(len(Z))
    return covariance @ Z.T @ np.linalg.solve(marginal, residual)


def ones(X: np.ndarray) -> np.ndarray:
    """The design of a random intercept."""
    return np.ones((len(X), 1))


def with_ones(X: np.ndarray) -> np.ndarray:
    """The design of a random intercept and slopes."""
    return np.column_stack([ones(X), X])


class MixedLM:
    """Linear mixed model of statsmodels, by restricted maximum likelihood."""

    settings = ({},)

    def __init__(self, design: Design):
        self.design = design

    def fit(self, X, y, group):
        from statsmodels.regression.mixed_linear_model import MixedLM

        model = MixedLM(y, with_ones(X), groups=group, exog_re=self.design(X))
        found = model.fit()
        self.weights, self.noise = np.asarray(found.fe_params), float(found.scale)
        self.covariance = np.asarray(found.cov_re)
        return self

    def prior(self, X):
        return with_ones(X) @ self.weights


class Boosted:
    """Trees with independent random effects, of gpboost."""

    settings = (
        {},
        {"learning_rate": 0.05, "num_leaves": 15, "n_rounds": 100},
        {"learning_rate": 0.05, "num_leaves": 4, "n_rounds": 200},
        {"learning_rate": 0.02, "num_leaves": 15, "n_rounds": 50},
    )

    def __init__(self, design: Design, n_rounds: int = 100, **params: float):
        self.design, self.n_rounds, self.params = design, n_rounds, params

    def fit(self, X, y, group):
        import gpboost

        self.center, self.scale = y.mean(), y.std()  # its step size is made for a target of size 1
        effects = gpboost.GPModel(group_data=group, likelihood="gaussian", **self._slopes(X))
        self.booster = gpboost.train(
            params={"verbose": 0, "num_threads": 1, **self.params},
            train_set=gpboost.Dataset(X, (y - self.center) / self.scale),
            gp_model=effects,
            num_boost_round=self.n_rounds,
        )
        n_effects = self.design(X).shape[1]
        variances = self.scale**2 * np.asarray(effects.get_cov_pars()).ravel()[: 1 + n_effects]
        self.noise, self.covariance = variances[0], np.diag(variances[1:])
        return self

    def prior(self, X):
        coefficients = self._slopes(X).get("group_rand_coef_data")
        said = self.booster.predict(
            data=X,
            group_data_pred=np.full(len(X), -1),  # a group that was not seen
            group_rand_coef_data_pred=coefficients,
            pred_latent=True,
        )
        return self.center + self.scale * np.asarray(said["fixed_effect"])

    def _slopes(self, X):
        """What tells it of random slopes: the columns, and the effect that each belongs to."""
        n_slopes = self.design(X).shape[1] - 1
        if not n_slopes:
            return {}
        return {"group_rand_coef_data": X, "ind_effect_group_rand_coef": [1] * n_slopes}


class Forest:
    """Random forest with random effects, of merf."""

    settings = ({}, {"min_samples_leaf": 5}, {"min_samples_leaf": 20})

    def __init__(self, design: Design, min_samples_leaf: int = 1):
        self.design, self.min_samples_leaf = design, min_samples_leaf

    def fit(self, X, y, group):
        from merf import MERF
        from sklearn.ensemble import RandomForestRegressor

        logging.getLogger("merf").setLevel(logging.WARNING)
        trees = RandomForestRegressor(
            n_estimators=100, min_samples_leaf=self.min_samples_leaf, random_state=0
        )
        self.model = MERF(trees, max_iterations=20)
        self.model.fit(X, self.design(X), pd.Series(group), y)
        self.covariance = np.asarray(self.model.D_hat_history[-1])
        self.noise = float(self.model.sigma2_hat_history[-1])
        return self

    def prior(self, X):
        return self.model.trained_fe_model.predict(X)


PACKAGES = {"statsmodels": MixedLM, "gpboost": Boosted, "merf": Forest}


def kinds(n_columns: int) -> Iterator[tuple[str, Any, Design]]:
    """Name, class and design of each peer that can be fitted."""
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        print(f"not installed: {', '.join(missing)}")
    designs = {"intercept": ones, "slopes": with_ones}
    if n_columns > MAX_SLOPES:
        del designs["slopes"]
    for package, kind in PACKAGES.items():
        if package not in missing:
            for effects, design in designs.items():
                yield f"{package} {effects}", kind, design


# ---------------------------------------------------------------------- fitting and adapting


def predict(model: Any, X: np.ndarray, y: np.ndarray, X_query: np.ndarray) -> np.ndarray:
    """Predict rows of a new group from its support."""
    effects = random_effects(model.design(X), y - model.prior(X), model.covariance, model.noise)
    return model.prior(X_query) + model.design(X_query) @ effects


def tune(kind: Any, design: Design, table: GroupedRows, n_support: int) -> dict:
    """The setting of least error on a third of the groups, after a few of their rows."""
    if len(kind.settings) == 1:
        return kind.settings[0]
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.unique(table.group))
    is_held = np.isin(table.group, groups[: len(groups) // 3])
    errors = [0.0] * len(kind.settings)
    for i, setting in enumerate(kind.settings):
        model = kind(design, **setting).fit(*table.take(~is_held))
        for group in groups[: len(groups) // 3]:
            rows = np.random.default_rng(0).permutation(np.flatnonzero(table.group == group))
            if len(rows) <= n_support:
                continue
            X, y, _ = table.take(rows)
            said = predict(model, X[:n_support], y[:n_support], X[n_support:])
            errors[i] += float(np.mean((said - y[n_support:]) ** 2))
    return kind.settings[int(np.argmin(errors))]


def independent(X: np.ndarray) -> list[int]:
    """Columns that are no combination of a constant and of columns before them."""
    triangle = np.abs(np.linalg.qr(with_ones(X), mode="r").diagonal())
    return np.flatnonzero(triangle[1:] > 1e-6 * np.sqrt(len(X))).tolist()


class GroupedRows(NamedTuple):
    """Rows of training tasks."""

    X: np.ndarray
    y: np.ndarray
    group: np.ndarray

    def take(self, rows: np.ndarray) -> GroupedRows:
        """Some of them."""
        return GroupedRows(self.X[rows], self.y[rows], self.group[rows])


def run_peers(protocol: Any, baselines: Any, collection: Any, seed: int, support: str) -> list:
    """One row per held-out task, k and peer."""
    episodes = list(protocol.episodes(collection, seed, support=support))
    train = episodes[0].train
    prep = baselines.Prep(train.X, collection.categorical)
    X, rows = prep.dense(train.X), []
    columns = independent(X)
    table = GroupedRows(X[:, columns], train.y, train.task)
    for name, kind, design in kinds(len(columns)):
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # estimates on the boundary, which are what they are
            try:
                setting = tune(kind, design, table, min(e.k for e in episodes))
                model = kind(design, **setting).fit(*table)
            except np.linalg.LinAlgError as error:
                print(f"{collection.name}, seed {seed}: {name} failed: {error}")
                continue
        fit_seconds = time.process_time() - start
        print(f"{collection.name}, seed {seed}: {name} {setting}")
        for e in episodes:
            S, Q = (prep.dense(part.X)[:, columns] for part in (e.support, e.query))
            start = time.process_time()
            said = predict(model, S, e.support.y, Q)
            adapt_ms = 1000 * (time.process_time() - start)
            error = float(np.mean((said - e.query.y) ** 2))
            found = {"task": e.task, "k": e.k, "method": name, "mse": error}
            rows.append({**found, "fit_s": fit_seconds, "adapt_ms": adapt_ms})
    return rows

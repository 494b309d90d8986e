"""Mixed models of other packages in the protocol of `real_tables.py`, for regression.

`statsmodels` (MixedLM), `gpboost` and `merf` fit random effects of the groups that they have seen.
For a new group they predict the population's mean only; what its few labelled rows say is added
here by hand: the best linear unbiased prediction of its random effects, with the covariances that
the package has estimated. Packages that are not installed are left out, and named.

Random slopes are those of all columns where there are at most six (boosted models: of none).
`merf` has 10 iterations of 100 trees here, `gpboost` 100 trees of 15 leaves.
"""

from __future__ import annotations

import logging
import time
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

MAX_SLOPES = 6


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

    def __init__(self, slopes: bool):
        self.design = with_ones if slopes else ones

    def fit(self, X, y, group):
        from statsmodels.regression.mixed_linear_model import MixedLM

        model = MixedLM(y, with_ones(X), groups=group, exog_re=self.design(X))
        found = model.fit(method=["lbfgs", "bfgs", "cg"])
        self.weights, self.noise = np.asarray(found.fe_params), float(found.scale)
        self.covariance = np.asarray(found.cov_re)
        return self

    def prior(self, X):
        return with_ones(X) @ self.weights


class Boosted:
    """Trees with a random intercept, of gpboost."""

    design = staticmethod(ones)

    def fit(self, X, y, group):
        import gpboost

        self.center, self.scale = y.mean(), y.std()  # its step size is made for a target of size 1
        effects = gpboost.GPModel(group_data=group, likelihood="gaussian")
        self.booster = gpboost.train(
            params={"learning_rate": 0.05, "num_leaves": 15, "verbose": 0, "num_threads": 1},
            train_set=gpboost.Dataset(X, (y - self.center) / self.scale),
            gp_model=effects,
            num_boost_round=100,
        )
        noise, variance = self.scale**2 * np.asarray(effects.get_cov_pars()).ravel()[:2]
        self.noise, self.covariance = noise, np.array([[variance]])
        return self

    def prior(self, X):
        unseen = np.full(len(X), -1)
        said = self.booster.predict(data=X, group_data_pred=unseen, pred_latent=True)
        return self.center + self.scale * np.asarray(said["fixed_effect"])


class Forest:
    """Random forest with a random intercept, of merf."""

    design = staticmethod(ones)

    def fit(self, X, y, group):
        from merf import MERF
        from sklearn.ensemble import RandomForestRegressor

        logging.getLogger("merf").setLevel(logging.WARNING)
        trees = RandomForestRegressor(n_estimators=100, min_samples_leaf=3, random_state=0)
        self.model = MERF(fixed_effects_model=trees, max_iterations=10)
        self.model.fit(X, ones(X), pd.Series(group), y)
        self.covariance = np.asarray(self.model.D_hat_history[-1])
        self.noise = float(self.model.sigma2_hat_history[-1])
        return self

    def prior(self, X):
        return self.model.trained_fe_model.predict(X)


def peers(n_columns: int) -> dict[str, Any]:
    """Unfitted models by name."""
    found: dict[str, tuple[str, Any]] = {
        "MixedLM intercept": ("statsmodels", MixedLM(slopes=False)),
        "gpboost intercept": ("gpboost", Boosted()),
        "merf intercept": ("merf", Forest()),
    }
    if n_columns <= MAX_SLOPES:
        found["MixedLM slopes"] = ("statsmodels", MixedLM(slopes=True))
    missing = {package for package, _ in found.values() if find_spec(package) is None}
    if missing:
        print(f"not installed: {', '.join(sorted(missing))}")
    return {name: model for name, (package, model) in found.items() if package not in missing}


def run_peers(protocol: Any, baselines: Any, collection: Any, seed: int, support: str) -> list:
    """One row per held-out task, k and peer."""
    episodes = list(protocol.episodes(collection, seed, support=support))
    train = episodes[0].train
    prep = baselines.Prep(train.X, collection.categorical)
    X, rows = prep.dense(train.X), []
    varies = X.std(axis=0) > 0
    X = X[:, varies]
    for name, model in peers(X.shape[1]).items():
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # estimates on the boundary, which are what they are
            try:
                model.fit(X, train.y, train.task)
            except np.linalg.LinAlgError as error:
                print(f"{collection.name}, seed {seed}: {name} failed: {error}")
                continue
        fit_seconds = time.process_time() - start
        for e in episodes:
            S, Q = (prep.dense(part.X)[:, varies] for part in (e.support, e.query))
            start = time.process_time()
            residual = e.support.y - model.prior(S)
            effects = random_effects(model.design(S), residual, model.covariance, model.noise)
            adapt_ms = 1000 * (time.process_time() - start)
            said = model.prior(Q) + model.design(Q) @ effects
            rows.append(
                {
                    "task": e.task,
                    "k": e.k,
                    "method": name,
                    "mse": float(np.mean((said - e.query.y) ** 2)),
                    "fit_s": fit_seconds,
                    "adapt_ms": adapt_ms,
                }
            )
    return rows

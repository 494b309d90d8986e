"""
==========================================
Hyperparameters, from searches of the past
==========================================

Whoever tunes a support vector machine for the twentieth time knows where to begin. Optuna's
samplers do not: each study starts from nothing. :class:`~skmeta.model_selection.TransferSampler`
is an Optuna sampler that starts from past studies, and
:class:`~skmeta.model_selection.HyperparameterPrior` shows what they taught.

The past here is sixteen random searches of 20 trials, each on a small generated dataset. Four new
datasets are then searched with Optuna's default sampler, which knows no past, and with the
transfer sampler.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
import optuna
from optuna.samplers import RandomSampler, TPESampler
from sklearn.datasets import make_classification
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skmeta.inspection import GoodValuesDisplay, HyperparameterImportanceDisplay
from skmeta.model_selection import HyperparameterPrior, TransferSampler, metafeatures

optuna.logging.set_verbosity(optuna.logging.ERROR)

# %%
# Datasets and objective
# ----------------------
# Datasets differ in the number of columns, in how many of them matter, in the noise of the labels,
# and in the shape of the classes. The space is conditional: a linear kernel has no `gamma`.


def make_dataset(seed):
    """A small problem of classification, with properties drawn at random."""
    rng = np.random.default_rng(seed)
    n_columns = int(rng.integers(4, 25))
    return make_classification(
        n_samples=120,
        n_features=n_columns,
        n_informative=int(rng.integers(3, n_columns)),
        n_redundant=0,
        n_clusters_per_class=int(rng.integers(1, 4)),
        flip_y=rng.uniform(0, 0.15),
        random_state=seed,
    )


def objective_on(X, y):
    """Cross-validated accuracy of a support vector machine."""

    def objective(trial):
        params = {
            "C": trial.suggest_float("C", 1e-3, 1e2, log=True),
            "kernel": trial.suggest_categorical("kernel", ["linear", "rbf"]),
            "shrinking": trial.suggest_categorical("shrinking", [True, False]),
        }
        if params["kernel"] == "rbf":
            params["gamma"] = trial.suggest_float("gamma", 1e-5, 10, log=True)
        model = make_pipeline(StandardScaler(), SVC(**params))
        return cross_val_score(model, X, y, cv=3).mean()

    return objective


def search(X, y, sampler, n_trials=20):
    """A study of one dataset."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective_on(X, y), n_trials=n_trials, catch=(ValueError,))
    return study


# %%
# The past
# --------
# Each past dataset is also described by a short vector of meta-features, so that datasets like a
# new one can weigh more. How much they do is learned, and it is nothing where meta-features say
# nothing.

past = [make_dataset(seed) for seed in range(16)]
studies = [search(X, y, RandomSampler(seed)) for seed, (X, y) in enumerate(past)]
features = [metafeatures(X, y).values for X, y in past]

prior = HyperparameterPrior(random_state=0).fit_studies(studies, meta_features=features)
print("A good start:", prior.configs_[prior.default_])
print(f"Weight of meta-features: {prior.meta_feature_share_:.2f}")

# %%
# What matters, and which values are good
# ---------------------------------------
# A bar is the share of the variance of the accuracy that a hyperparameter takes part in; the line
# is the range over datasets. `shrinking` is a detail of the solver, and the prior has found out.

HyperparameterImportanceDisplay.from_prior(prior).plot()
plt.show()

# %%
# Values of the best tenth of the configurations of each dataset, beside all values that were tried.

GoodValuesDisplay.from_prior(prior).plot()
plt.show()

# %%
# New datasets
# ------------
# The same number of trials with and without the past, three seeds each.

new = [make_dataset(seed) for seed in range(100, 104)]


def curves(make_sampler):
    """Best accuracy so far, of shape (runs, trials)."""
    found = []
    for X, y in new:
        for seed in range(3):
            study = search(X, y, make_sampler(X, y, seed), n_trials=15)
            found.append(np.maximum.accumulate([t.value or 0.0 for t in study.trials]))
    return np.array(found).reshape(len(new), 3, -1)


results = {
    "TPE, no past": curves(lambda X, y, seed: TPESampler(seed=seed)),
    "transfer": curves(
        lambda X, y, seed: TransferSampler(
            studies,
            seed=seed,
            meta_features=features,
            target_meta_features=metafeatures(X, y).values,
        )
    ),
}

# %%
# Regret is the distance to the best accuracy that any run found on the same dataset.

best = np.max([runs.max(axis=(1, 2)) for runs in results.values()], axis=0)
fig, ax = plt.subplots(layout="constrained")
for name, runs in results.items():
    regret = (best[:, None, None] - runs).reshape(-1, runs.shape[-1])
    ax.plot(np.arange(1, runs.shape[-1] + 1), regret.mean(axis=0), marker="o", label=name)
ax.set(xlabel="Trials", ylabel="Mean regret (accuracy)", ylim=(0, None))
ax.set_title("Four new datasets, three seeds")
ax.legend()
plt.show()

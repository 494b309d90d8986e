"""
======================================
A search that has searched before
======================================

A grid search starts from nothing each time. :class:`~skmeta.MetaSearchCV` is a search like
:class:`~sklearn.model_selection.GridSearchCV`, but one that learns from the datasets that it has
searched before: on a new one it begins with what was good on others, and goes on as on those that
the new one turns out to resemble.

Here, a support vector machine is tuned on twelve small datasets. Each in turn plays the new one,
and the other eleven are the past.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
from optuna.samplers import RandomSampler
from scipy.stats import loguniform
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_circles,
    make_classification,
    make_gaussian_quantiles,
    make_moons,
)
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skmeta import MetaSearchCV, Task
from skmeta.model_selection import one_standard_error

# %%
# The datasets
# ------------
# Four well-known ones and eight that are drawn at random. They differ in the number of rows, of
# columns and of classes: a search needs nothing in common but the estimator.


def first_rows(load, n_rows=300):
    X, y = load(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:n_rows]
    return X[rows], y[rows]


data = {
    "iris": first_rows(load_iris),
    "wine": first_rows(load_wine),
    "cancer": first_rows(load_breast_cancer),
    "digits": first_rows(load_digits),
    "moons": make_moons(200, noise=0.25, random_state=0),
    "circles": make_circles(200, noise=0.15, factor=0.5, random_state=0),
    "shells": make_gaussian_quantiles(n_samples=250, n_features=4, n_classes=3, random_state=0),
    "thin shells": make_gaussian_quantiles(n_samples=250, n_features=8, random_state=1),
}
for seed, (n_informative, flip) in enumerate([(2, 0.0), (5, 0.05), (8, 0.1), (12, 0.0)]):
    data[f"clusters {n_informative}"] = make_classification(
        250, 15, n_informative=n_informative, n_redundant=2, flip_y=flip, random_state=seed
    )
datasets = {name: Task(X, y, name=name) for name, (X, y) in data.items()}

# %%
# What to search over
# -------------------
# A dict of distributions, as for :class:`~sklearn.model_selection.RandomizedSearchCV`. Parameters
# of a step of a pipeline have their usual names, and a step itself can be a choice.

model = Pipeline([("scale", StandardScaler()), ("svc", SVC())])
space = {
    "scale": [StandardScaler(), "passthrough"],
    "svc__C": loguniform(1e-3, 1e4),
    "svc__gamma": loguniform(1e-6, 1e2),
}

# %%
# The past
# --------
# `fit` on several datasets searches each of them, and learns a prior. `n_jobs=2` would search two
# at a time.

N_TRIALS = 15
learned = MetaSearchCV(model, space, n_trials=30, cv=3, random_state=0)
learned.fit(list(datasets.values()))
best = learned.prior_.configs_[learned.prior_.default_]
print(f"Good in general: {best}")

# %%
# A new dataset
# -------------
# `fit_adapt` searches a new dataset and returns a fitted search. To see what the past is worth,
# each dataset is searched with what was learned from all others (`fit_studies` learns from searches
# that were kept), and without: by Optuna's TPE sampler and at random. Without a past a search
# depends on luck, so it is repeated with two seeds of its own on each dataset.


def best_so_far(search):
    return np.maximum.accumulate(search.cv_results_["mean_test_score"])


curves = {"with a prior": [], "without (TPE)": [], "without (random)": []}
for position, (name, task) in enumerate(datasets.items()):
    others = {other: study for other, study in learned.studies_.items() if other != name}
    search = MetaSearchCV(model, space, n_trials=N_TRIALS, cv=3, refit=False)
    found = {label: [] for label in curves}
    for seed in (2 * position, 2 * position + 1):
        search.set_params(random_state=seed).fit_studies(others)
        found["with a prior"].append(best_so_far(search.fit_adapt(task.X, task.y)))
        cold = search.set_params(sampler="auto").fit(task.X, task.y)
        found["without (TPE)"].append(best_so_far(cold))
        cold = search.set_params(sampler=RandomSampler(seed)).fit(task.X, task.y)
        found["without (random)"].append(best_so_far(cold))
        search.set_params(sampler="auto")
    top = max(curve[-1] for part in found.values() for curve in part)
    top = max(top, learned.studies_[name].best_value)
    for label, part in found.items():
        curves[label].append(top - np.mean(part, axis=0))

# %%
# How far is the best configuration from the best one that anyone has found on this dataset? The
# lines are means over the twelve datasets.

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
trials = np.arange(1, N_TRIALS + 1)
styles = zip(["#0072B2", "#D55E00", "#8a8a8a"], ["-", "--", ":"], strict=True)
for (label, part), (color, style) in zip(curves.items(), styles, strict=True):
    axes.plot(trials, np.mean(part, axis=0), style, color=color, label=label, linewidth=2)
axes.set_xlabel("trials on the new dataset")
axes.set_ylabel("accuracy lost to the best known")
axes.set_xticks([1, 5, 10, 15])
axes.set_ylim(bottom=0)
axes.legend(frameon=False, title="search")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

for label, part in curves.items():
    losses = np.mean(part, axis=0)
    print(f"{label:18} loses {losses[0]:.3f} after 1 trial, {losses[4]:.3f} after 5, "
          f"{losses[-1]:.3f} after {N_TRIALS}")  # fmt: skip

# %%
# Inside a pipeline
# -----------------
# A search is an estimator: what was learned travels with it as the parameter `prior`, into
# pipelines, cross-validation and ensembles. Here eight trials are spent inside of each outer fold,
# and of the configurations within one standard error of the best the quickest to fit is taken.

search = MetaSearchCV(
    SVC(), {name: space[f"svc__{name}"] for name in ("C", "gamma")}, n_trials=8, cv=3,
    refit=one_standard_error(), random_state=0,
)  # fmt: skip
search.fit([task for name, task in datasets.items() if name != "wine"])
with_prior = make_pipeline(StandardScaler(), search.set_params(prior=search.prior_))
X, y = data["wine"]
print(f"Wine, a search in each of five folds: {cross_val_score(with_prior, X, y).mean():.3f}")

"""
=============================================
Learning how to set a network's learning rate
=============================================

A network has hyperparameters that no default gets right: the learning rate, the batch size, weight
decay and dropout. They depend on each other and on the dataset, but not on it alone: what trains
well on many datasets is a good start on the next one.

:class:`~skmeta.MetaSearchCV` learns that start. Here the estimator is a pipeline with a skorch
network. It is searched on ten generated datasets, and what was learned is used on four real ones,
with three trials each.

This illustrates; it is no benchmark. The default here (a learning rate of 0.01 and batches of 128
rows for 12 epochs) takes few steps, and is weak by construction. The range of learning rates was
widened after scores on these four datasets had been seen.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
import torch
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_gaussian_quantiles,
)
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from skmeta import MetaSearchCV, Task
from skmeta.inspection import GoodValuesDisplay

torch.manual_seed(0)

# %%
# The network
# -----------
# Two hidden layers, trained for 12 epochs by stochastic gradient descent. Datasets
# differ in width, so that a callback sets the sizes of the first and the last layer.


class Network(nn.Sequential):
    def __init__(self, n_inputs=1, n_classes=2, dropout=0.0):
        super().__init__(
            nn.Linear(n_inputs, 32), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(32, 32), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(32, n_classes),
        )  # fmt: skip


class SetSizes(Callback):
    def on_train_begin(self, net, X, y):
        net.set_params(module__n_inputs=X.shape[1], module__n_classes=len(np.unique(y)))


net = NeuralNetClassifier(
    Network, criterion=nn.CrossEntropyLoss, max_epochs=12,
    callbacks=[SetSizes], train_split=None, verbose=0,
)  # fmt: skip
model = Pipeline([("scale", StandardScaler()), ("net", net)])
space = {
    "net__lr": FloatDistribution(1e-3, 10.0, log=True),
    "net__batch_size": IntDistribution(8, 128, log=True),
    "net__optimizer__weight_decay": FloatDistribution(1e-6, 0.1, log=True),
    "net__module__dropout": FloatDistribution(0.0, 0.6),
}

# %%
# The past
# --------
# Ten generated datasets, with properties drawn at random. `fit` searches each of them with 15
# trials, and learns a prior.


def generate(seed):
    rng = np.random.default_rng(seed)
    n_rows, n_columns, n_classes = rng.integers([100, 5, 2], [250, 30, 5])
    if seed % 3 == 0:
        X, y = make_gaussian_quantiles(
            n_samples=n_rows, n_features=min(n_columns, 6), n_classes=n_classes, random_state=seed
        )
    else:
        X, y = make_classification(
            n_rows, n_columns, n_informative=rng.integers(4, n_columns), n_redundant=0,
            n_classes=n_classes, flip_y=rng.uniform(0, 0.1), random_state=seed,
        )  # fmt: skip
    return Task(X.astype(np.float32), y, name=f"generated {seed}")


search = MetaSearchCV(model, space, n_trials=15, cv=2, random_state=0)
search.fit([generate(seed) for seed in range(10)])
for name, value in search.prior_.configs_[search.prior_.default_].items():
    print(f"Good in general: {name} = {value:.3g}")

# %%
# Values that the best fifth of the trials have, over all datasets, beside all that were tried.

figure, axes = plt.subplots(figsize=(7, 2.8))
names = ["net__lr", "net__batch_size"]
display = GoodValuesDisplay.from_prior(search.prior_, top=0.2, names=names).plot(axes)
for panel, title in zip(display.axes_, ["learning rate", "batch size"], strict=True):
    panel.set_title(title)
figure.subplots_adjust(bottom=0.3)
plt.show()

# %%
# New datasets
# ------------
# Real ones this time. Each search has three trials, and its winner is scored on test rows that no
# search has seen. The default is the network as it is above, with skorch's learning rate of 0.01
# and batches of 128 rows. Everything is done with three seeds.

new = {
    "iris": load_iris(return_X_y=True),
    "wine": load_wine(return_X_y=True),
    "cancer": load_breast_cancer(return_X_y=True),
    "digits": load_digits(return_X_y=True),
}
N_SEEDS = 3
accuracy = {"default": {}, "random search": {}, "learned prior": {}}
for name, (X, y) in new.items():
    found = {label: [] for label in accuracy}
    for seed in range(N_SEEDS):
        X_train, X_test, y_train, y_test = train_test_split(
            X.astype(np.float32), y, train_size=min(200, len(y) // 2), stratify=y, random_state=seed
        )
        torch.manual_seed(seed)
        default = clone(model).fit(X_train, y_train)
        found["default"].append(default.score(X_test, y_test))
        short = clone(search).set_params(n_trials=3, sampler=RandomSampler(seed))
        found["random search"].append(short.fit(X_train, y_train).score(X_test, y_test))
        search.set_params(n_trials=3, random_state=seed)
        best = search.fit_adapt(X_train, y_train)
        found["learned prior"].append(best.score(X_test, y_test))
    for label, scores in found.items():
        accuracy[label][name] = scores
    print(f"{name:8}" + ", ".join(f"{k} {np.mean(v):.3f}" for k, v in found.items()))

# %%
# The prior is worth most where luck runs out: three random trials often miss the range of learning
# rates that train at all.

figure, axes = plt.subplots(figsize=(6.5, 3.5), layout="constrained")
styles = zip(["#8a8a8a", "#D55E00", "#0072B2"], ["s", "^", "o"], strict=True)
for shift, ((label, part), (color, marker)) in enumerate(
    zip(accuracy.items(), styles, strict=True)
):
    scores = np.array(list(part.values()))
    places = np.arange(len(part)) + 0.2 * (shift - 1)
    axes.plot(places, scores.mean(axis=1), marker, color=color, label=label, markersize=8)
    axes.vlines(places, scores.min(axis=1), scores.max(axis=1), color=color)
axes.set_xticks(np.arange(len(new)), list(new))
axes.set_ylabel("accuracy on test rows")
figure.legend(frameon=False, loc="outside upper center", ncols=3)
axes.spines[["top", "right"]].set_visible(False)
plt.show()

"""
=======================================================
Learning a learning rate by gradients, across datasets
=======================================================

How good a network becomes depends smoothly on its learning rate and weight decay, so that its
validation loss has derivatives by them: they are carried through the training, step by step.
:class:`~skmeta.HypergradientSearchCV` averages these derivatives over datasets, and follows them to
a setting that is good on all: a prior. Batch size has no derivative, and is chosen among a few.

A new dataset then needs no search at all, or a few steps from the prior.

This illustrates; ``benchmarks/search_hypergradient.py`` compares on real datasets and equal time.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from skmeta import HypergradientSearchCV, Task

# %%
# The network
# -----------
# Two hidden layers, and twelve epochs of stochastic gradient descent with momentum. Datasets differ
# in width, so that a callback sets the sizes of the first and the last layer.


class Network(nn.Sequential):
    def __init__(self, n_inputs=1, n_classes=2):
        super().__init__(
            nn.Linear(n_inputs, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
            nn.Linear(32, n_classes),
        )  # fmt: skip


class SetSizes(Callback):
    def on_train_begin(self, net, X, y):
        net.set_params(module__n_inputs=X.shape[1], module__n_classes=len(np.unique(y)))


net = NeuralNetClassifier(
    Network, criterion=nn.CrossEntropyLoss, optimizer__momentum=0.9, max_epochs=12,
    callbacks=[SetSizes], train_split=None, verbose=0,
)  # fmt: skip
model = Pipeline([("scale", StandardScaler()), ("net", net)])
space = {
    "net__lr": loguniform(1e-4, 1.0),
    "net__optimizer__weight_decay": loguniform(1e-6, 0.1),
    "net__batch_size": [16, 64],
}

# %%
# The past
# --------
# Six generated datasets of different sizes and difficulty. For each batch size, ten steps lead from
# skorch's default to a learning rate and a weight decay. Each step trains once on each dataset.


def generate(seed):
    rng = np.random.default_rng(seed)
    n_rows, n_columns, n_classes = rng.integers([100, 6, 2], [200, 25, 5])
    X, y = make_classification(
        n_rows, n_columns, n_informative=rng.integers(4, n_columns), n_redundant=0,
        n_classes=n_classes, flip_y=rng.uniform(0, 0.1), random_state=seed,
    )  # fmt: skip
    return Task(X.astype(np.float32), y, name=f"generated {seed}")


search = HypergradientSearchCV(model, space, n_steps=10, random_state=0)
search.fit([generate(seed) for seed in range(6)])
for name, value in search.prior_.items():
    print(f"Good in general: {name} = {value:.3g}")

# %%
# New datasets
# ------------
# Real ones this time: the loss on test rows with skorch's defaults (a learning rate of 0.01 and
# batches of 128 rows), with the prior as it is, and after three steps from it.

new = {
    "iris": load_iris(return_X_y=True),
    "wine": load_wine(return_X_y=True),
    "cancer": load_breast_cancer(return_X_y=True),
    "digits": load_digits(return_X_y=True),
}
losses = {"skorch's defaults": [], "prior": [], "three steps from the prior": []}
for name, (X, y) in new.items():
    X_train, X_test, y_train, y_test = train_test_split(
        X.astype(np.float32), y, train_size=min(200, len(y) // 2), stratify=y, random_state=0
    )
    best = search.fit_adapt(X_train, y_train)
    for label, params in zip(losses, ({}, search.prior_, best.best_params_), strict=True):
        torch.manual_seed(0)
        fitted = clone(model).set_params(**params).fit(X_train, y_train)
        chances = fitted.predict_proba(X_test).astype(float)  # sums are one in float32 only
        losses[label].append(log_loss(y_test, chances / chances.sum(axis=1, keepdims=True)))
    print(f"{name:8}" + ", ".join(f"{label} {part[-1]:.3f}" for label, part in losses.items()))

# %%
# On the left, how the learning rate was learned for each batch size; on the right, what it is
# worth. The defaults take few steps here, and are weak by construction.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
colors = ["#0072B2", "#D55E00", "#009E73"]
for number, (size, color) in enumerate(zip(space["net__batch_size"], colors, strict=False)):
    is_part = search.path_["choice"] == number
    left.plot(search.path_["net__lr"][is_part], "o-", color=color, label=f"batches of {size}")
left.set(xlabel="step", ylabel="learning rate", yscale="log")
left.set_yticks([0.01, 0.02, 0.05, 0.1], ["0.01", "0.02", "0.05", "0.1"], minor=False)
left.minorticks_off()
left.legend(frameon=False)
styles = zip(["#8a8a8a", *colors[:2]], ["s", "o", "^"], strict=True)
for (label, part), (color, marker) in zip(losses.items(), styles, strict=True):
    right.plot(range(len(new)), part, marker, color=color, label=label, markersize=8)
right.set_xticks(range(len(new)), list(new))
right.set(ylabel="log-loss on test rows", ylim=(0, None))
right.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()

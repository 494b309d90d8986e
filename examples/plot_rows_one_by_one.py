"""
Rows that arrive one by one
===========================

Measurements of a new patient, machine or shop often come one at a time. A model that is adapted
can take in a further row without the earlier ones: `partial_adapt` returns the model of all rows.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from skorch.callbacks import LRScheduler

from skmeta import BayesianLinearRegressor
from skmeta.datasets import make_sinusoid_tasks

# %%
# Learn from many tables
# ----------------------
# Each is a sine wave of its own amplitude and phase, with a little noise.

torch.set_num_threads(1)  # enough for a small network, and the results repeat to the bit
meta = BayesianLinearRegressor(
    lr=3e-3,
    max_epochs=12,
    train_split=None,
    callbacks=[LRScheduler("CosineAnnealingLR", T_max=12)],
    preprocessor=None,
    random_state=0,
).fit(make_sinusoid_tasks(n_tasks=2000, n_rows=25, noise=0.1, random_state=0))

# %%
# A stream of rows
# ----------------
# The model of one task is a posterior of the weights of a last layer. A further row changes it by a
# small update, whose cost does not depend on how many rows there were.

rng = np.random.default_rng(3)
n_rows = 12
X = rng.uniform(-5, 5, size=(n_rows, 1))
y = 4.0 * np.sin(X[:, 0] - 2.8) + 0.1 * rng.standard_normal(n_rows)

models = [meta]  # before any row: the prior
for i in range(n_rows):
    models.append(models[-1].partial_adapt(X[i : i + 1], y[i : i + 1]))

# %%
# The last one is, up to rounding, the model that has seen all rows at once.

grid = np.linspace(-5, 5, 200)[:, None]
at_once = meta.fit_adapt(X, y).predict(grid)
print(f"largest difference: {np.abs(models[-1].predict(grid) - at_once).max():.1e}")

# %%
# What it believes after each row
# -------------------------------
# The band holds 95 % of what is to be expected; the row that came last is marked. To the right, the
# error on the whole wave.

wave = 4.0 * np.sin(grid[:, 0] - 2.8)
shown = [0, 1, 2, 4, 12]
plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(2, 3, figsize=(10, 5.6), layout="constrained")
for ax, n_seen in zip(axes.flat, shown, strict=False):
    low, middle, high = models[n_seen].predict_quantiles(grid).T
    ax.fill_between(grid[:, 0], low, high, color="#0072B2", alpha=0.25, linewidth=0)
    ax.plot(grid, middle, color="#0072B2", linewidth=2)
    ax.plot(grid, wave, color="0.35", linestyle="--", linewidth=1)
    ax.plot(X[:n_seen], y[:n_seen], "o", color="black", markersize=5)
    if n_seen:
        ax.plot(X[n_seen - 1], y[n_seen - 1], "o", color="#D55E00", markersize=9)
    ax.set(title=f"{n_seen} row{'s' * (n_seen != 1)}", xlim=(-5, 5), ylim=(-7, 7))
    ax.spines[["top", "right"]].set_visible(False)
errors = [np.mean((model.predict(grid) - wave) ** 2) for model in models]
last = axes.flat[-1]
last.semilogy(range(n_rows + 1), errors, "o-", color="#0072B2", markersize=5)
last.set(title="Mean squared error", xlabel="Rows so far")
last.grid(axis="y", alpha=0.3)
last.spines[["top", "right"]].set_visible(False)
if len(sys.argv) > 1:  # python plot_rows_one_by_one.py rows.png
    figure.savefig(sys.argv[1], dpi=110)
if plt.get_backend().lower() != "agg":  # there is a screen
    plt.show()

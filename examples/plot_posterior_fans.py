"""
Posterior fans: three learners that know what they do not know
===============================================================

A Gaussian process over a learned embedding, Bayesian linear regression on one, and a neural process
have learned from the same small tables. Each is given 0, 2 and 6 rows of the same new one, and
says what it expects, and how far off it may be.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from skorch.callbacks import LRScheduler

from skmeta import BayesianLinearRegressor, DeepKernelRegressor, NeuralProcessRegressor
from skmeta.datasets import make_sinusoid_tasks

# %%
# Small tables
# ------------
# Each is a sine wave of its own amplitude and phase, seen at 25 points with a little noise. What is
# to be learned is that tables are sine waves; no learner is told.

torch.set_num_threads(1)  # enough for small networks, and the results repeat to the bit
tasks = make_sinusoid_tasks(n_tasks=2000, n_rows=25, noise=0.1, random_state=0)

# %%
# Three learners
# --------------
# The first two solve each table in closed form on an embedding that they have learned, and train on
# the likelihood of whole tables. The neural process solves nothing: its network reads the rows and
# says mean and variance, and it has to learn from examples how uncertain few rows leave us.

learners = {
    "Gaussian process": (DeepKernelRegressor(), 4),
    "Bayesian linear": (BayesianLinearRegressor(), 4),
    "Neural process": (NeuralProcessRegressor(encoder="attention"), 16),
}
for learner, n_epochs in learners.values():
    learner.set_params(
        n_support=10,
        n_query=15,
        lr=3e-3,
        max_epochs=n_epochs,
        train_split=None,
        callbacks=[LRScheduler("CosineAnnealingLR", T_max=n_epochs)],
        preprocessor=None,
        random_state=0,
    ).fit(tasks)

# %%
# A new table
# -----------
# It is none of those. The rows that are given lie to the left, so that the right is where a learner
# has nothing but what it knows of sine waves.

amplitude, phase = 3.0, 0.5
rng = np.random.default_rng(4)
X = np.array([-3.5, -0.5, -4.5, -2.2, 0.6, -1.4])[:, None]
y = amplitude * np.sin(X[:, 0] - phase) + 0.1 * rng.standard_normal(len(X))
grid = np.linspace(-5, 5, 200)[:, None]
wave = amplitude * np.sin(grid[:, 0] - phase)

# %%
# The fans
# --------
# Darker means more probable: the bands hold 50, 80 and 95 % of what is to be expected. Before any
# row, all three expect what they have seen on average. Given rows, fans narrow around them first.

tails = np.array([0.025, 0.1, 0.25, 0.75, 0.9, 0.975])
colours = {  # the colours of Okabe and Ito, which everyone can tell apart
    "Gaussian process": "#0072B2",
    "Bayesian linear": "#009E73",
    "Neural process": "#D55E00",
}
plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(3, 3, figsize=(10, 7.5), sharex=True, sharey=True, layout="constrained")
for row, (name, (learner, _)) in zip(axes, learners.items(), strict=True):
    for ax, n_rows in zip(row, (0, 2, 6), strict=True):
        model = learner.fit_adapt(X[:n_rows], y[:n_rows]) if n_rows else learner
        bounds = model.predict_quantiles(grid, tails).T
        for lower, upper in zip(bounds[:3], bounds[:2:-1], strict=True):
            ax.fill_between(grid[:, 0], lower, upper, color=colours[name], alpha=0.22, linewidth=0)
        ax.plot(grid, model.predict(grid), color=colours[name], linewidth=2)
        ax.plot(grid, wave, color="0.35", linestyle="--", linewidth=1)
        ax.plot(X[:n_rows], y[:n_rows], "o", color="black", markersize=6)
        ax.spines[["top", "right"]].set_visible(False)
        inside = (bounds[0] <= wave) & (wave <= bounds[-1])
        print(f"{name}, {n_rows} rows: {np.mean(inside):.0%} of the wave in the 95 % band")
    row[0].set_ylabel(name)
for ax, title in zip(axes[0], ("Before any row", "2 rows", "6 rows"), strict=True):
    ax.set_title(title)
axes[0, 0].set(xlim=(-5, 5), ylim=(-7, 7))
figure.supxlabel("x     (dashed: the wave itself)")
if len(sys.argv) > 1:  # python plot_posterior_fans.py fans.png
    figure.savefig(sys.argv[1], dpi=110)
if plt.get_backend().lower() != "agg":  # there is a screen
    plt.show()

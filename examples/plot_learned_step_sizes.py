"""
====================================
Step sizes that are learned by layer
====================================

How far should a gradient step go? A meta-learner need not be told: the loss after adaptation has a
gradient in the step sizes just as it has one in the initial weights. Here
:class:`~skmeta.MetaGradientDescentRegressor` learns a step size, a momentum and a weight decay for
each layer of the network and each of five steps, on sine waves of different amplitude and phase.
We look at what it has learned, and whether that pays against step sizes that are the same
everywhere.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np

from skmeta import MAMLRegressor, MetaGradientDescentRegressor
from skmeta.base import few_shot_scores
from skmeta.datasets import make_sinusoid_tasks

# %%
# Train
# -----
# Both learners get the same tasks, epochs and starting point: a step size of 0.01.

tasks = make_sinusoid_tasks(n_tasks=3000, n_rows=30, random_state=0)
training = {
    "inner_lr": 0.01,
    "n_steps": 5,
    "lr": 0.003,
    "max_epochs": 8,
    "batch_size": 25,
    "random_state": 0,
}
fixed = MAMLRegressor(**training).fit(tasks)
learned = MetaGradientDescentRegressor(**training).fit(tasks)

# %%
# What was learned
# ----------------
# `step_sizes_`, `momenta_` and `weight_decays_` hold one number for each step, by layer. They are
# free to become negative: only the loss on query rows says what they should be.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
steps = np.arange(1, 6)
panels = {
    "Step size": learned.step_sizes_,
    "Momentum": learned.momenta_,
    "Weight decay": learned.weight_decays_,
}
names = {"layers.0": "first layer", "layers.1": "second layer", "layers.2": "last layer"}
for ax, (title, numbers) in zip(axes, panels.items(), strict=True):
    for layer, values in numbers.items():
        ax.plot(steps, values, "o-", label=names[layer])
        print(f"{title:13s} {names[layer]:13s}", np.round(values, 4))
    ax.axhline(0.01 if title == "Step size" else 0.0, color="grey", lw=1, ls=":")
    ax.set(title=f"{title} (start: dotted)", xlabel="inner step", xticks=steps)
axes[2].legend(fontsize="small", loc="lower right")

# %%
# Does it pay?
# ------------
# Errors on 300 new waves, of which 10 rows are known, after each number of steps.

new = make_sinusoid_tasks(n_tasks=300, n_rows=40, random_state=1)
figure, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
for meta, label in ((fixed, "fixed, 0.01"), (learned, "learned")):
    errors = []
    for n_steps in range(6):
        meta.set_params(n_adapt_steps=n_steps)
        scores = few_shot_scores(meta, new, n_support=10, scoring="neg_mean_squared_error")
        errors.append(-scores.mean())
    ax.plot(range(6), errors, "o-", label=label)
    print(label, np.round(errors, 2))
ax.set(title="Error on new waves", xlabel="steps taken", ylabel="mean squared error")
ax.legend()
plt.show()

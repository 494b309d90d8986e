"""
===========================
Adaptation, step by step
===========================

A meta-learner that adapts by gradient steps has learned weights from which a few steps lead to a
good model of any task of a family. Here the family is that of sine waves of different amplitude and
phase. We look at what the network predicts before the first step, and after each of the next ones,
and set it beside a network that has been trained on the same rows but starts from random weights.

The number of steps need not be that of training: :class:`~skmeta.MAMLRegressor` trains with one,
and goes on improving for many more.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skmeta import MAMLRegressor, TaskCollection
from skmeta.datasets import make_sinusoid_tasks

# %%
# Learn from ten thousand waves
# -----------------------------
# Each task has 30 rows: 10 are for adapting, 20 for the loss that training minimises. Targets are
# left as they are, so that the step size means what it does in the MAML paper.

tasks = make_sinusoid_tasks(n_tasks=10_000, n_rows=30, random_state=0)
meta = MAMLRegressor(
    inner_lr=0.01,
    n_steps=1,
    lr=0.003,
    max_epochs=6,
    batch_size=25,
    normalize_y=False,
    preprocessor=None,
    random_state=0,
).fit(tasks)
print(f"{len(meta.net_.history_)} epochs, held-out loss {meta.net_.history_[-1, 'valid_loss']:.2f}")

# %%
# The opponent is the same network with weights that have learned nothing.

untrained = clone(meta).set_params(max_epochs=1, lr=1e-12).fit(tasks[:50])

# %%
# A new wave
# ----------
# `n_adapt_steps` may be changed after `fit`. Zero steps give the prior.

new = make_sinusoid_tasks(n_tasks=1, n_rows=10, random_state=3)[0]
grid = np.linspace(-5, 5, 200)[:, None]

steps = [0, 1, 2, 5, 10]
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
for ax, learner, title in zip(
    axes, (meta, untrained), ("Meta-trained weights", "Random weights"), strict=True
):
    for n_steps, shade in zip(steps, plt.cm.viridis(np.linspace(0.9, 0.1, 5)), strict=True):
        model = learner.set_params(n_adapt_steps=n_steps).fit_adapt(new.X, new.y)
        ax.plot(grid, model.predict(grid), color=shade, label=f"{n_steps} steps")
    ax.plot(new.X, new.y, "ok", label="the ten rows")
    ax.set(title=title, xlabel="x", ylabel="y", ylim=(-6, 6))
axes[0].legend(fontsize="small", ncol=2)

# %%
# Over many waves
# ---------------
# The error on unseen rows of 200 new waves, after each number of steps. All waves are adapted to
# in one pass by `fit_adapt_many`.

many = make_sinusoid_tasks(n_tasks=200, n_rows=60, random_state=4)
X, y = many.X.reshape(200, 60, 1), many.y.reshape(200, 60)
supports = TaskCollection(X[:, :10].reshape(-1, 1), y[:, :10].ravel(), np.arange(0, 2001, 10))


def error(learner, n_steps):
    models = learner.set_params(n_adapt_steps=n_steps).fit_adapt_many(supports)
    predicted = np.array([model.predict(x) for model, x in zip(models, X[:, 10:], strict=True)])
    return np.mean((predicted - y[:, 10:]) ** 2)


steps = [0, 1, 2, 5, 10, 20, 50]
figure, ax = plt.subplots(figsize=(5.5, 4.2), layout="constrained")
for learner, label in ((meta, "meta-trained"), (untrained, "random")):
    errors = [error(learner, n_steps) for n_steps in steps]
    ax.plot(steps, errors, "o-", label=label)
    print(label, ", ".join(f"{n}: {e:.2f}" for n, e in zip(steps, errors, strict=True)))
ax.set(
    title="200 new waves",
    xlabel="steps",
    ylabel="mean squared error",
    yscale="log",
    xscale="symlog",
)
ax.legend()
plt.show()

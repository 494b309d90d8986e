"""
=====================================
A stream of tasks that drifts
=====================================

Tasks may come one after the other and change as they come. `partial_fit` goes on learning from the
new ones; with `buffer_size=None` it also rehearses all that came before, which is known as follow
the meta-leader (Finn, Rajeswaran, Kakade & Levine, 2019, "Online meta-learning", ICML).

Here the tasks are sine waves whose phase and frequency drift. In each round, five new waves come.
Each learner first adapts to five rows of each and is judged by the others; only then may it learn
from them.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skmeta import MAMLRegressor, TaskCollection

N_ROUNDS, N_WAVES, N_ROWS, N_SHOTS = 24, 5, 25, 5


def draw_round(i):
    """Waves of round `i`: from long ones with a phase near 0 to short ones with a phase near pi."""
    rng = np.random.default_rng(i)
    progress = i / (N_ROUNDS - 1)
    phase = np.pi * progress + rng.uniform(0, 1, size=(N_WAVES, 1))
    frequency = 0.7 + 0.6 * progress
    amplitude = rng.uniform(0.5, 2, size=(N_WAVES, 1))
    x = rng.uniform(-4, 4, size=(N_WAVES, N_ROWS))
    y = amplitude * np.sin(frequency * x - phase)
    return TaskCollection(x.reshape(-1, 1), y.ravel(), np.arange(N_WAVES + 1) * N_ROWS)


rounds = [draw_round(i) for i in range(N_ROUNDS)]


def loss(meta, tasks):
    """Mean squared error on the rows that were not adapted to."""
    x, y = tasks.X.reshape(N_WAVES, N_ROWS, 1), tasks.y.reshape(N_WAVES, N_ROWS)
    models = [meta.fit_adapt(x[i, :N_SHOTS], y[i, :N_SHOTS]) for i in range(N_WAVES)]
    predicted = np.array([model.predict(x[i, N_SHOTS:]) for i, model in enumerate(models)])
    return np.mean((predicted - y[:, N_SHOTS:]) ** 2)


# %%
# Four ways to learn
# ------------------
# Both kinds of `partial_fit` take a few passes over what they are given in each round. Retraining
# from scratch takes many passes over all waves so far. Without meta-learning, the same network
# starts from the same random weights for every wave, and takes a hundred steps.

learner = MAMLRegressor(
    n_support=N_SHOTS,
    inner_lr=0.02,
    lr=3e-3,
    max_epochs=6,
    train_split=None,
    preprocessor=None,
    normalize_y=False,
    random_state=0,
)
stream = clone(learner)
leader = clone(learner).set_params(buffer_size=None)
scratch = clone(learner).set_params(max_epochs=30)
untrained = clone(learner).set_params(max_epochs=1, lr=1e-12, n_adapt_steps=100).fit(rounds[0])

names = [
    "partial_fit, new waves only",
    "follow the meta-leader",
    "from scratch",
    "no meta-learning",
]
losses = np.zeros((4, N_ROUNDS - 1))
for i, (past, new) in enumerate(pairwise(rounds)):
    stream.partial_fit(past)
    leader.partial_fit(past)
    scratch.fit([task for tasks in rounds[: i + 1] for task in tasks])
    losses[:, i] = [loss(meta, new) for meta in (stream, leader, scratch, untrained)]

# %%
# Regret
# ------
# The regret against retraining from scratch is the sum of what a learner has lost more than it, up
# to each round. Where the line falls, the learner does better. Old waves are like new ones in that
# learning from them beats learning nothing, but they are no guide to where the drift leads: the
# learner that forgets them does best here, and the one that rehearses all of them about as well as
# training from scratch, which takes many more passes.

regret = np.cumsum(losses - losses[2], axis=1)
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5))
for name, in_round, so_far in zip(names, losses, regret, strict=True):
    left.plot(np.arange(1, N_ROUNDS), in_round, label=name)
    right.plot(np.arange(1, N_ROUNDS), so_far, label=name)
    print(f"{name:30s} mean loss {in_round.mean():.3f}, regret {so_far[-1]:+.2f}")
left.set(title="Loss on new waves", xlabel="round", ylabel="mean squared error")
right.set(title="Regret against training from scratch", xlabel="round", ylabel="sum of differences")
left.legend(fontsize="small")
fig.tight_layout()
plt.show()

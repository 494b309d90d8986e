"""
What to look at before trusting a meta-learner
==============================================

Four pictures of a learner on tasks that it has not seen: how its score grows with the rows that it
adapts to, which tasks gain, whether it is as sure as it should be, and how far small tasks are
pulled towards the others. Each is a display in scikit-learn's manner, from
:mod:`skmeta.inspection`.
"""

# %%
# Tasks and a learner
# -------------------
# Eighty tasks with a few to twenty rows; forty are for learning. In the first twenty of the others
# there is more noise than anywhere in the training tasks: something is to be seen.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge

from skmeta import MetaRidgeRegressor, TaskCollection
from skmeta.datasets import make_linear_tasks
from skmeta.inspection import (
    AdaptationCurveDisplay,
    ShrinkageDisplay,
    TaskCalibrationDisplay,
    TaskErrorDisplay,
)

tasks = make_linear_tasks(n_tasks=80, n_rows=25, n_features=2, noise=0.5, random_state=0)
noise = np.random.default_rng(0).normal(size=len(tasks.y))
is_noisy = (tasks.row_task >= 40) & (tasks.row_task < 60)
tasks = tasks.with_storage(y=tasks.y + 0.8 * noise * is_noisy)
seen, new = tasks[:40], tasks[40:]
meta = MetaRidgeRegressor().fit(seen)

# %%
# How many rows does it take?
# ---------------------------
# The query rows are the same for every number of support rows and every learner. Beside it, a ridge
# regression on the same support rows alone.

AdaptationCurveDisplay.from_estimator(
    meta,
    new,
    shots=[1, 2, 5, 10, 20],
    baselines={"ridge alone": Ridge()},
    scoring="neg_root_mean_squared_error",
).plot()
plt.show()

# %%
# Who gains?
# ----------
# A mean hides who pays for it. A point above the diagonal is a task that five rows made worse.

TaskErrorDisplay.from_estimator(meta, new, n_support=5).plot()
plt.show()

# %%
# Is it as sure as it should be?
# ------------------------------
# On tasks like those it has learned from, intervals hold as many rows as they claim. On the noisier
# ones they are too narrow: the noise is learned over tasks, and five rows do not say otherwise.

figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
for ax, part, title in zip(axes, [new[20:], new[:20]], ["like before", "noisier"], strict=True):
    TaskCalibrationDisplay.from_estimator(meta, part, n_support=5).plot(ax)
    ax.set_title(title)
plt.show()

# %%
# How much do tasks lend each other?
# ----------------------------------
# Tasks cut down to between three and twenty-five rows. Small ones, which alone say little, are
# pulled to the prior; large ones stay where their own rows put them.

sizes = np.random.default_rng(1).integers(3, 26, len(seen))
rows = np.concatenate([25 * i + np.arange(n) for i, n in enumerate(sizes)])
small = TaskCollection(seen.X[rows], seen.y[rows], np.concatenate([[0], np.cumsum(sizes)]))
ShrinkageDisplay.from_estimator(
    MetaRidgeRegressor().fit(small), small, [[1.0, 1.0]], alone=Ridge(0.01)
).plot()
plt.show()

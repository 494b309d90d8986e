"""
==================================================
Margins of a support vector machine that adapts
==================================================

Two classes are told apart by a curved line that all tasks share, but for a shift and a tilt of
their own. :class:`~skmeta.MetaSVC` learns the shared decision function f0 from the training tasks.
Given eight labelled rows of a new task it does not start over: it seeks the smallest correction of
f0 that gives each row its margin. An ordinary machine that sees these rows alone can only guess the
curve.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skmeta import MetaSVC, TaskCollection

# %%
# Tasks
# -----
# Class 1 lies above a wave, whose height and tilt differ from task to task.

rng = np.random.default_rng(3)
n_tasks, n_rows = 60, 60


def height(x, shift, tilt):
    """Where the classes of a task meet."""
    return 0.9 * np.sin(1.6 * x) + shift + tilt * x


shift, tilt = rng.normal(0, 0.7, n_tasks), rng.normal(0, 0.25, n_tasks)
task = np.repeat(np.arange(n_tasks), n_rows)
X = np.column_stack([rng.uniform(-3, 3, task.size), rng.uniform(-2.5, 2.5, task.size)])
edge = height(X[:, 0], shift[task], tilt[task])
y = (X[:, 1] + 0.25 * rng.normal(size=task.size) > edge).astype(int)
tasks = TaskCollection.from_arrays(X, y, task)
train, new = tasks[:45], tasks[45:]

meta = MetaSVC(C=10.0, n_support=8).fit(train)
print(f"learned: gamma {meta.gamma_:.2f}, trust in f0 {meta.trust_}")

# %%
# One new task
# ------------
# The task whose shift is nearest to one standard deviation, before and after eight rows, and
# :class:`~sklearn.svm.SVC` with the same rows alone. The grey line is where the decision function
# is zero, the dashed ones are the margins, at -1 and 1; the black line is the truth. Rings mark
# support vectors: rows that correct f0. Rows that f0 has given their margin already need no
# correction, and have no ring.

number = 45 + int(np.argmin(np.abs(np.abs(shift[45:]) - 0.7)))
support = tasks[number].X[:8], tasks[number].y[:8]
model = meta.fit_adapt(*support)
alone = make_pipeline(StandardScaler().fit(train.X), SVC(C=10.0)).fit(*support)

below, above = "#3b6fb6", "#d1603d"
x, z = np.meshgrid(np.linspace(-3, 3, 160), np.linspace(-2.5, 2.5, 160))
grid = np.column_stack([x.ravel(), z.ravel()])
machines = {
    "before: the shared function f0": (meta, []),
    "after eight rows": (model, model.support_),
    "SVC on the eight rows alone": (alone, alone[-1].support_),
}
figure, axes = plt.subplots(1, 3, figsize=(12, 4.1), sharey=True, layout="constrained")
for ax, (title, (machine, vectors)) in zip(axes, machines.items(), strict=True):
    values = machine.decision_function(grid).reshape(x.shape)
    ax.contourf(x, z, values, [-9, -1, 0, 1, 9], colors=[below, below, above, above], alpha=0.13)
    ax.contourf(x, z, values, [-1, 0, 1], colors=[below, above], alpha=0.1)
    ax.contour(
        x, z, values, [-1, 0, 1], colors="0.35", linestyles=["--", "-", "--"], linewidths=1.4
    )
    line = np.linspace(-3, 3, 200)
    ax.plot(line, height(line, shift[number], tilt[number]), "k", lw=2.4, alpha=0.85)
    if machine is not meta:
        ax.scatter(*support[0].T, c=np.where(support[1], above, below), s=60, ec="white", zorder=3)
        ax.scatter(*support[0][vectors].T, s=190, fc="none", ec="black", lw=1.3, zorder=3)
    score = machine.score(tasks[number].X[8:], tasks[number].y[8:])
    ax.set_title(title, loc="left", fontsize=11)
    ax.set_xlabel(f"other rows of the task: {100 * score:.0f} % right")
    ax.set(xlim=(-3, 3), ylim=(-2.5, 2.5), xticks=[], yticks=[])
plt.show()

# %%
# All new tasks
# -------------
# The mean over fifteen new tasks. With more rows the machine that sees one task alone catches up.

for n_support in (4, 8, 16, 32):
    scores = []
    for t in new:
        rest = t.X[32:], t.y[32:]
        adapted = meta.fit_adapt(t.X[:n_support], t.y[:n_support]).score(*rest)
        known = np.unique(t.y[:n_support])
        if len(known) > 1:
            machine = make_pipeline(StandardScaler().fit(train.X), SVC(C=10.0))
            single = machine.fit(t.X[:n_support], t.y[:n_support]).score(*rest)
        else:  # which SVC refuses
            single = np.mean(rest[1] == known[0])
        scores.append([meta.score(*rest), adapted, single])
    before, adapted, single = 100 * np.mean(scores, axis=0)
    print(
        f"{n_support:2d} rows: f0 {before:.0f} %, adapted {adapted:.0f} %, SVC alone {single:.0f} %"
    )

"""
===============================================
A decision tree that adapts to a new task
===============================================

Sixty stores sell umbrellas. What sells them is the same everywhere, rain and then the weekend, but
by how much differs from store to store. :class:`~skmeta.MetaDecisionTreeRegressor` grows one tree
on the rows of all stores, and learns how far the values of its nodes move from store to store. A
new store with a few days of sales moves the values; the tests stay what they are.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmeta import MetaDecisionTreeRegressor, MetaForestRegressor, TaskCollection
from skmeta.tree import export_text, plot_tree

# %%
# The data
# --------
# A store has a level of its own, sells more or less of it when it rains, and has a busier or calmer
# weekend. Forty days of each are known.

rng = np.random.default_rng(0)
n_stores, n_days = 90, 40
level = rng.normal(30, 6, size=n_stores)
by_rain = rng.normal(25, 8, size=n_stores)
by_weekend = rng.normal(12, 8, size=n_stores)

store = np.repeat(np.arange(n_stores), n_days)
days = pd.DataFrame(
    {"rain": rng.gamma(1.0, 4.0, store.size), "weekday": rng.integers(1, 8, store.size)}
)
is_wet, is_weekend = days["rain"] > 3, days["weekday"] > 5
sales = level[store] + by_rain[store] * is_wet + by_weekend[store] * (is_wet & is_weekend)
sales += rng.normal(0, 4, size=store.size)
stores = TaskCollection.from_arrays(days, sales, store)
train, new = stores[:60], stores[60:]

# %%
# The tree that stores share
# --------------------------
# Depth and size of the leaves are learned, and so is how far stores differ: the standard deviation
# of their effects at the root, at its children, and so on.

meta = MetaDecisionTreeRegressor(random_state=0).fit(train)
print(f"depth {meta.max_depth_}, at least {meta.min_samples_leaf_} rows in a leaf")
print("spread of stores by depth:", np.sqrt(meta.node_variances_).round(1))
print(f"noise: {np.sqrt(meta.noise_variance_):.1f}")

# %%
# A new store
# -----------
# Five days of sales. Leaves that none of them has reached move as well: they learn from their
# relatives in the tree, the more the nearer. The report reads `prior -> adapted [rows]`.

meta = MetaDecisionTreeRegressor(max_depth=2, split_probability=0.0, random_state=0).fit(train)
task = new[10]
model = meta.fit_adapt(task.X[:5], task.y[:5])
print(export_text(model, decimals=1))

# %%
# The same as a picture. Red nodes have moved up, blue ones down. Below, where the leaves have
# moved, how sure the model is of them, and where they truly are.

figure, (top, bottom) = plt.subplots(2, figsize=(9, 8), height_ratios=[3, 2], layout="constrained")
plot_tree(model, ax=top, decimals=1)
top.set_title("Umbrellas sold: prior -> adapted to five days [days that pass the node]")

i = 70
corners = pd.DataFrame({"rain": [0.5, 0.5, 8.0, 8.0], "weekday": [2, 7, 2, 7]})
truth = level[i] + np.array([0.0, 0.0, by_rain[i], by_rain[i] + by_weekend[i]])
places = np.arange(4)
bottom.plot(places - 0.15, meta.predict(corners), "o", color="0.5", label="prior")
mean, std = model.predict(corners, return_std=True)
bottom.errorbar(places, mean, 1.28 * std, fmt="o", capsize=4, label="adapted, 80 % of days")
bottom.plot(places + 0.15, truth, "k_", markersize=16, label="truth")
bottom.set_xticks(places, ["dry weekday", "dry weekend", "wet weekday", "wet weekend"])
bottom.set_ylabel("umbrellas a day")
bottom.legend()
plt.show()

# %%
# How much it helps
# -----------------
# Error over thirty new stores, by the number of days known. The truth is one tree here, so that a
# forest, whose splits are random, does worse. On most real tables it does better.

forest = MetaForestRegressor(random_state=0).fit(train)
for n_known in (0, 2, 5, 10, 20):
    errors = []
    for task in new:
        for learner in (meta, forest):
            known = learner.fit_adapt(task.X[:n_known], task.y[:n_known]) if n_known else learner
            errors.append(np.mean((known.predict(task.X[20:]) - task.y[20:]) ** 2))
    tree_error, forest_error = np.sqrt(np.reshape(errors, (-1, 2)).mean(axis=0))
    print(f"{n_known:2d} days: tree {tree_error:.1f}, forest {forest_error:.1f}")

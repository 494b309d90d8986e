"""
========================================
Partial pooling: radon in many counties
========================================

Radon is a gas that seeps from the ground into houses: more of it in basements, and more where the
soil holds uranium. Some counties have a hundred measured houses, others two. How high is the level
of a county? The mean of its own houses is noise where they are few (*no pooling*); the mean of all
houses forgets that counties differ (*complete pooling*). A mixed model does neither: it pulls each
county towards what counties with its uranium have, the more the fewer houses it has (*partial
pooling*). That is :class:`~skmeta.MetaRidgeRegressor` with `random_effects="intercept"`.

The data are made up after the well-known example of Gelman & Hill [1]_, so that the truth is known.

.. [1] Gelman & Hill (2007). Data analysis using regression and multilevel/hierarchical models.
   Chapter 12.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from skmeta import MetaRidgeRegressor, TaskCollection

# %%
# The counties
# ------------
# Each county has a level of log radon, which follows its uranium but for a departure of its own. A
# house on the first floor measures less than one whose lowest room is the basement.

rng = np.random.default_rng(0)
n_counties = 85
n_houses = np.clip(np.round(np.exp(rng.normal(1.7, 1.1, n_counties))), 1, 110).astype(int)
uranium = rng.normal(0, 0.4, n_counties)
level = 1.4 + 0.7 * uranium + rng.normal(0, 0.25, n_counties)

county = np.repeat(np.arange(n_counties), n_houses)
houses = pd.DataFrame(
    {"floor": rng.binomial(1, 0.17, county.size), "uranium": uranium[county]}
).astype(float)
radon = level[county] - 0.7 * houses["floor"] + rng.normal(0, 0.75, county.size)
tasks = TaskCollection.from_arrays(houses, radon, county)

# %%
# Three estimates
# ---------------
# What is to be estimated is the log radon in the basement of a house in each county.

basements = pd.DataFrame({"floor": 0.0, "uranium": uranium})
floor_effect = LinearRegression().fit(houses, radon).coef_[0]
no_pooling = (radon - floor_effect * houses["floor"]).groupby(county).mean().to_numpy()
complete_pooling = LinearRegression().fit(houses, radon).predict(basements)

meta = MetaRidgeRegressor(random_effects="intercept", preprocessor=None).fit(tasks)
estimates = [
    model.predict(basements[i : i + 1], return_std=True)
    for i, model in enumerate(meta.fit_adapt_many(tasks))
]
partial_pooling, with_noise = np.array(estimates)[:, :, 0].T
uncertainty = np.sqrt(with_noise**2 - meta.noise_variance_)  # of the level, not of one house

for name, estimate in (
    ("no pooling", no_pooling),
    ("complete pooling", complete_pooling),
    ("partial pooling", partial_pooling),
):
    error = np.sqrt(np.mean((estimate - level) ** 2))
    few = np.sqrt(np.mean((estimate - level)[n_houses < 5] ** 2))
    print(f"{name:17s} error {error:.2f}, in counties with under five houses {few:.2f}")

# %%
# Shrinkage
# ---------
# The arrows lead from each county's own mean to its partially pooled level. They are long where
# houses are few, and they lead to the line that counties share, not to one common mean.

few, many, line = "#d95f02", "#1b6ca8", "0.35"
figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4.8), sharey=True, layout="constrained", width_ratios=[1.15, 1]
)
jitter = n_houses * np.exp(rng.uniform(-0.16, 0.16, n_counties))
color = plt.get_cmap("viridis")(np.clip(np.log(n_houses) / np.log(60), 0, 0.92))
for x, ax in ((jitter, left), (uranium, right)):
    ax.quiver(
        x,
        no_pooling,
        np.zeros(n_counties),
        partial_pooling - no_pooling,
        color=color,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.0028,
        headwidth=5,
        headlength=6,
        alpha=0.75,
    )
    ax.scatter(x, no_pooling, s=16, facecolor="white", edgecolor=color, zorder=3, linewidth=1)
    ax.scatter(x, partial_pooling, s=22, color=color, zorder=4, linewidth=0)
    ax.spines[["top", "right"]].set_visible(False)
left.axhline(
    radon.mean() - floor_effect * houses["floor"].mean(), color=line, lw=1, ls="--", zorder=1
)
left.set_xscale("log")
left.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
left.set(xlabel="houses in the county", ylabel="log radon in a basement")
left.set_title("Few houses are pulled far, many hardly at all", loc="left", fontsize=11)
grid = pd.DataFrame({"floor": 0.0, "uranium": np.linspace(uranium.min(), uranium.max(), 50)})
right.plot(grid["uranium"], meta.predict(grid), color=line, lw=1.5, zorder=1)
right.set(xlabel="uranium in the soil (log, centred)")
right.set_title("... towards what their uranium says", loc="left", fontsize=11)
handles = [
    plt.Line2D([], [], ls="", marker="o", mfc="white", mec="0.3", ms=5, label="no pooling"),
    plt.Line2D([], [], ls="", marker="o", color="0.3", ms=5, label="partial pooling"),
    plt.Line2D([], [], color=line, label="complete pooling"),
    plt.Line2D([], [], color=line, lw=1, ls="--", label="mean of all houses"),
]
right.legend(handles=handles, frameon=False, loc="lower right")
plt.show()

# %%
# How sure to be
# --------------
# The same counties in order of their number of houses, with the truth. The bars are 80 % intervals
# of the partially pooled level. A county's own mean may lie far outside.

order = np.argsort(n_houses, kind="stable")
places = np.arange(n_counties)
figure, ax = plt.subplots(figsize=(11, 3.8), layout="constrained")
ax.vlines(
    places,
    (partial_pooling - 1.28 * uncertainty)[order],
    (partial_pooling + 1.28 * uncertainty)[order],
    color=many,
    alpha=0.45,
    lw=3,
)
ax.scatter(places, partial_pooling[order], s=16, color=many, zorder=3, label="partial pooling")
ax.scatter(
    places, no_pooling[order], s=14, facecolor="none", edgecolor=few, label="no pooling", lw=1
)
ax.scatter(places, level[order], s=26, color="black", marker="_", zorder=4, label="truth")
marks = [np.searchsorted(n_houses[order], size) for size in (1, 2, 4, 8, 16, 32, 64)]
ax.set_xticks(marks, ["1", "2", "4", "8", "16", "32", "64"])
ax.set(xlabel="houses in the county", ylabel="log radon in a basement", xlim=(-1, n_counties))
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, ncols=3, loc="upper right")
plt.show()

inside = np.mean(np.abs(level - partial_pooling) < 1.28 * uncertainty)
print(f"true levels in their 80 % interval: {100 * inside:.0f} %")  # 80 over many such data sets

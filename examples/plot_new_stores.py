"""
Sales of stores, old and new
============================

A chain has a table with a row for each week of each store. Stores differ: in size and site, which
the table says, with gaps; and in how their customers react to prices, leaflets and heat, which it
does not. Two questions are asked of it. How much will a *known* store sell in another week? And how
much will a *new* store sell, before its first week and after some?

:class:`~skmeta.TaskwiseRegressor` makes an ordinary regressor of a meta-learner: it takes the whole
table, learns across stores, and adapts to each. Ordinary boosting with a column for the store, and
without, and a linear model with a column for each store are compared with it. The sales are
generated, as written out below.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline

from skmeta import MetaBoostingRegressor, MetaRidgeRegressor, TaskwiseRegressor
from skmeta.base import TablePreprocessor

# %%
# The table
# ---------
# 36 stores and 52 weeks. The logarithm of sales has a part for the site and the size of the store,
# one for the season, and effects of price, promotion and heat, which differ from store to store;
# heat matters above 20 degrees only. One in five sizes is not known, one in seven temperatures was
# not measured.

N_STORES, N_WEEKS = 36, 52
rng = np.random.default_rng(0)


def draw_store(number):
    site = rng.choice(["city", "suburb", "station"])
    size = rng.uniform(2, 20)
    week = np.arange(N_WEEKS)
    price = rng.choice([0.8, 0.9, 1.0, 1.1], N_WEEKS)
    promotion = rng.choice(["none", "leaflet", "display"], N_WEEKS, p=[0.6, 0.25, 0.15])
    heat = 12 - 10 * np.cos(2 * np.pi * week / 52) + rng.normal(0, 3, N_WEEKS)

    level = {"city": 0.3, "suburb": 0.0, "station": 0.6}[site] + 0.05 * size + rng.normal(0, 0.3)
    elasticity, leaflet, display, thirst = rng.normal([-1.5, 0.2, 0.4, 0.04], [0.8, 0.2, 0.2, 0.04])
    effect = leaflet * (promotion == "leaflet") + display * (promotion == "display")
    sales = 3 + level + elasticity * np.log(price) + effect + thirst * np.maximum(heat - 20, 0)
    sales += 0.15 * np.cos(2 * np.pi * week / 52) + rng.normal(0, 0.15, N_WEEKS)
    return pd.DataFrame(
        {
            "store": f"store {number:02d}",
            "site": site,
            "size": np.nan if rng.random() < 0.2 else round(size, 1),
            "week": week,
            "price": price,
            "promotion": promotion,
            "temperature": np.where(rng.random(N_WEEKS) < 1 / 7, np.nan, heat.round(1)),
            "log_sales": sales,
        }
    )


table = pd.concat([draw_store(number) for number in range(N_STORES)], ignore_index=True)
X, y = table.drop(columns="log_sales"), table["log_sales"]
print(table.groupby("store").head(1).head(4).to_string(index=False))

# %%
# Models
# ------
# All take the table as it is, with its gaps and texts. The first two need the name of the column
# that says which store a row is from, and nothing else. Scikit-learn's boosting takes that column
# as a category, or goes without it, with the best of three settings for known stores. In the linear
# model each store has an intercept.

texts = ["site", "promotion"]
boosting = HistGradientBoostingRegressor(learning_rate=0.05, max_iter=200, random_state=0)
knows_store = clone(boosting).set_params(categorical_features=["store", *texts])
no_store = clone(boosting).set_params(categorical_features=texts)
linear = make_pipeline(TablePreprocessor(max_categories=N_STORES), RidgeCV(np.logspace(-3, 3, 13)))
models = {
    "Taskwise, boosting": TaskwiseRegressor(MetaBoostingRegressor(random_state=0), task="store"),
    "Taskwise, ridge": TaskwiseRegressor(MetaRidgeRegressor(), task="store"),
    "boosting, store a column": knows_store,
    "boosting, no store": no_store,
    "linear, store a column": linear,
}


def fit(name, rows):
    columns = X.columns.drop("store") if name == "boosting, no store" else X.columns
    model = clone(models[name]).fit(X.loc[rows, columns], y[rows])
    return lambda rows: model.predict(X.loc[rows, columns])


def errors(predicted):
    """Root mean squared error of each store, in logarithms: about the relative error of sales."""
    return ((predicted - y) ** 2).groupby(X["store"]).mean() ** 0.5


# %%
# Known stores
# ------------
# Each third of the rows in turn is predicted from the others, so that every store is known.


def cross_predict(name, splits):
    predicted = pd.Series(np.nan, index=X.index)
    for train, test in splits:
        predicted[test] = fit(name, train)(test)
    return predicted


def with_interval(values):
    """Mean over stores and its 95 % interval."""
    return f"{values.mean():.3f} ± {1.96 * values.sem():.3f}"


known = list(KFold(3, shuffle=True, random_state=0).split(X))
for name in models:
    print(f"{name:26s}{with_interval(errors(cross_predict(name, known)))}")

# %%
# New stores
# ----------
# Now each third of the *stores* in turn is new: cold start, by :class:`GroupKFold
# <sklearn.model_selection.GroupKFold>`. Weeks from the 26th on are predicted: before any week of
# the store is known, and after its first 2, 6 and 16, which then are rows of the training table.

WEEKS = [0, 2, 6, 16]
is_late = X["week"] >= 26
found = {name: [] for name in models}
for n_weeks in WEEKS:
    is_first = X["week"] < n_weeks
    splits = [
        (np.union1d(train, test[is_first[test]]), test[is_late[test]])
        for train, test in GroupKFold(3).split(X, groups=X["store"])
    ]
    for name in models:
        found[name].append(errors(cross_predict(name, splits)))

print(f"{'weeks known':26s}" + "".join(f"{n:>16d}" for n in WEEKS))
for name, of_weeks in found.items():
    print(f"{name:26s}" + "".join(f"{with_interval(values):>16s}" for values in of_weeks))
pairs = list(zip(found["Taskwise, ridge"], found["linear, store a column"], strict=True))
gains = "".join(f"{with_interval(ours - linear):>16s}" for ours, linear in pairs)
print(f"{'Taskwise ridge less linear':26s}{gains}")

# %%
# What came out
# -------------
# For known stores, boosting with a column for the store is nearly as good as the two of ours (0.188
# against 0.184 and 0.183); what it cannot do is to take to a new store quickly. Two weeks in, it is
# off by 0.41 and ours by 0.27: with a few rows it will not make a split for a store, and so treats
# it as any other. Before the first week nobody knows a store, and all linear ones are equal. The
# linear model with a column for each store learns its level in two weeks as well as ours, but not
# how its customers react: after 6 and 16 weeks it is off by 0.25 and 0.24, ours by 0.23 and 0.20.
# The heat that matters above 20 degrees only is too little for `MetaBoostingRegressor` to be ahead
# of `MetaRidgeRegressor` here.

colours = ["#D55E00", "#0072B2", "#009E73", "0.3", "#E69F00"]
plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(figsize=(6.6, 4.8), layout="constrained")
for (name, of_weeks), colour in zip(found.items(), colours, strict=True):
    mean = np.array([values.mean() for values in of_weeks])
    half = np.array([1.96 * values.sem() for values in of_weeks])
    axes.plot(WEEKS, mean, "o-", color=colour, label=name)
    axes.fill_between(WEEKS, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0)
axes.set(
    title="Sales of a new store in its second half-year",
    xlabel="Weeks of the store that are known",
    ylabel="Root mean squared error (log sales)",
    xticks=WEEKS,
    ylim=(0, None),
)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize="small")
plt.show()

"""
Bandits with a learned prior
============================

Which article to show to a new reader? Each round offers ten, one is chosen, and only its reward is
seen. What a reader likes is at first unknown and can only be found by trying, which costs reward.
Readers, however, are alike: from the logs of earlier ones, :class:`~skmeta.MetaRidgeRegressor`
learns how tastes are distributed, and Thompson sampling [1]_ from its posterior tries only what a
reader of this kind may like. That is meta-Thompson sampling in its simplest form [2]_.

.. [1] Agrawal & Goyal (2013). Thompson sampling for contextual bandits with linear payoffs. ICML.
.. [2] Kveton, Konobeev, Zaheer, Hsu, Mladenov, Boutilier & Szepesvari (2021). Meta-Thompson
   sampling. ICML.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import t as student

from skmeta import MetaRidgeRegressor, TaskCollection

N_FEATURES, N_ARMS, N_ROUNDS, NOISE = 12, 10, 100, 1.0
N_TRAIN, N_LOGGED, N_NEW, N_SEEDS = 100, 30, 100, 5

# %%
# Readers
# -------
# The reward of an article is linear in its features, with noise. The weights differ by reader,
# along three directions mostly, which nobody tells the learner.


class Family(NamedTuple):
    """The normal distribution of readers."""

    mean: np.ndarray
    directions: np.ndarray

    def draw(self, rng, n):
        """Weights of shape (n, N_FEATURES)."""
        along = rng.standard_normal((n, len(self.directions))) @ self.directions
        return self.mean + along + 0.05 * rng.standard_normal((n, N_FEATURES))


def draw_family(rng):
    return Family(
        0.3 * rng.standard_normal(N_FEATURES),
        0.4 * rng.standard_normal((3, N_FEATURES)),
    )


# %%
# Playing
# -------
# All strategies share this code: they hold a normal posterior of the weights of each reader, start
# from a prior, and differ in the prior and in how they choose. All readers are played at once, and
# every strategy is offered the same articles with the same noise.


class Prior(NamedTuple):
    """Normal prior of the weights, and variance of the reward's noise."""

    mean: np.ndarray
    covariance: np.ndarray
    noise_variance: float


def thompson(rng, mean, covariance):
    """Score of arms: one draw of the weights for each reader."""
    factor = np.linalg.cholesky(covariance)
    draw = mean + np.einsum("tij,tj->ti", factor, rng.standard_normal(mean.shape))
    return lambda arms: np.einsum("tad,td->ta", arms, draw)


def upper_bound(width):
    """Score of arms: mean plus `width` standard deviations (LinUCB)."""

    def scorer(rng, mean, covariance):
        def score(arms):
            variance = np.einsum("tad,tde,tae->ta", arms, covariance, arms, optimize=True)
            return np.einsum("tad,td->ta", arms, mean) + width * np.sqrt(variance)

        return score

    return scorer


def play(seed, weights, prior, scorer):
    """Cumulative regret of shape (n_readers, N_ROUNDS), rows, rewards and final weights."""
    rng, chance = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    n = np.arange(len(weights))
    mean = np.tile(prior.mean, (len(n), 1))
    covariance = np.tile(prior.covariance, (len(n), 1, 1))
    regret, X, y = [], [], []
    for _ in range(N_ROUNDS):
        arms = rng.standard_normal((len(n), N_ARMS, N_FEATURES))
        noise = NOISE * rng.standard_normal(len(n))
        expected = np.einsum("tad,td->ta", arms, weights)
        chosen = scorer(chance, mean, covariance)(arms).argmax(axis=1)
        x, reward = arms[n, chosen], expected[n, chosen] + noise
        # The posterior after one more row (the Kalman filter's update).
        spread = np.einsum("tde,te->td", covariance, x)
        variance = np.einsum("td,td->t", x, spread) + prior.noise_variance
        gain = spread / variance[:, None]
        mean = mean + gain * (reward - np.einsum("td,td->t", x, mean))[:, None]
        covariance = covariance - gain[:, :, None] * spread[:, None]
        regret.append(expected.max(axis=1) - expected[n, chosen])
        X.append(x)
        y.append(reward)
    return np.cumsum(regret, axis=0).T, np.stack(X, axis=1), np.stack(y, axis=1), mean


# %%
# Strategies
# ----------
# The learned prior sees only logs: 100 earlier readers, 30 articles each, shown at random. Its
# Thompson sampling is not tuned. The others start from an isotropic prior: the same variance in all
# directions, around zero or around the learned mean. That variance, the width of LinUCB and how
# boldly Thompson sampling explores are tuned by playing all settings on the 100 earlier readers,
# which is more than the learned prior may do. The prior's mean alone, without learning anything of
# a reader, shows what is due to the average taste.


def learn(rng, weights):
    """Meta-learner of the logs of earlier readers."""
    X = rng.standard_normal((N_TRAIN, N_LOGGED, N_FEATURES))
    y = np.einsum("tnd,td->tn", X, weights) + NOISE * rng.standard_normal((N_TRAIN, N_LOGGED))
    tasks = TaskCollection(X.reshape(-1, N_FEATURES), y.ravel(), np.arange(N_TRAIN + 1) * N_LOGGED)
    return MetaRidgeRegressor(fit_intercept=False, preprocessor=None).fit(tasks)


def isotropic_prior(mean, variance, noise_variance=NOISE**2):
    """Prior with the same variance in all directions."""
    return Prior(mean, variance * np.eye(N_FEATURES), noise_variance)


VARIANCES = (0.03, 0.1, 0.3, 1.0)
BOLDNESS = (0.003, 0.03, 0.1, 0.3, 1.0)
WIDTHS = (0.0, 0.1, 0.3, 1.0)


def thompsons(mean):
    """Thompson sampling from isotropic priors with all settings to try."""
    # Scaling both variances alike keeps the posterior's mean, and makes its draws less bold.
    return [
        (isotropic_prior(mean, bold * v, bold * NOISE**2), thompson)
        for v in VARIANCES
        for bold in BOLDNESS
    ]


def upper_bounds(mean):
    """LinUCB from isotropic priors with all settings to try."""
    return [(isotropic_prior(mean, v), upper_bound(width)) for v in VARIANCES for width in WIDTHS]


def tune(strategies, weights):
    """The strategy of least regret on the earlier readers."""
    return min(strategies, key=lambda strategy: play(1000, weights, *strategy)[0][:, -1].mean())


def fixed(mean):
    """Score of arms: by the prior's mean, whatever was seen."""
    return lambda *_: lambda arms: arms @ mean


regrets, shifted = {}, {}
for seed in range(N_SEEDS):
    rng = np.random.default_rng(seed)
    family = draw_family(rng)
    earlier = family.draw(rng, N_TRAIN)
    meta = learn(rng, earlier)
    learned = Prior(meta.prior_mean_, meta.prior_covariance_, meta.noise_variance_)
    nothing = np.zeros(N_FEATURES)
    strategies = {
        "prior's mean alone": (learned, fixed(learned.mean)),
        "Thompson, flat prior, tuned": tune(thompsons(nothing), earlier),
        "LinUCB, flat prior, tuned": tune(upper_bounds(nothing), earlier),
        "LinUCB, mean learned, tuned": tune(upper_bounds(learned.mean), earlier),
        "Thompson, learned prior": (learned, thompson),
    }
    others = draw_family(rng)  # readers of whom the logs say nothing
    for readers, results in ((family, regrets), (others, shifted)):
        weights = readers.draw(np.random.default_rng([seed, 2]), N_NEW)
        for name, strategy in strategies.items():
            regret, X, y, mean = play(seed, weights, *strategy)
            results.setdefault(name, []).append(regret)

# %%
# The posterior of the last reader, updated row by row, is that of the meta-learner adapted to all
# rows at once.

difference = np.abs(meta.fit_adapt(X[-1], y[-1]).coef_ - mean[-1]).max()
print(f"largest difference of a weight: {difference:.1e}")

# %%
# Regret
# ------
# Regret is what the best article on offer would have earned more than the chosen one. The bands are
# 95 % intervals over five families, with 100 new readers each. With readers like the earlier ones,
# the learned prior has half the regret of what starts from nothing, and three fifths of that of
# LinUCB around the learned mean: how tastes vary is worth knowing, too. Without learning anything
# of a reader, the regret grows for ever and leaves the picture.
#
# The right side is the price, and a clear loss. Readers of another family are far from all that the
# prior believes possible; it takes long to be talked out of that, and loses more than three times
# as much as a prior that knows nothing. Logs must come from readers like those that will come.
#
# The tuned Thompson sampling is nearly greedy: as the articles change in each round, there is
# little need to explore. And the family is normal, as the learner assumes, which favours it.

COLORS = dict(zip(strategies, ("#999999", "#E69F00", "#D55E00", "#009E73", "#0072B2"), strict=True))
plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained", sharey=True)
titles = ("Readers like the earlier ones", "Readers of another family")
for ax, results, title in zip(axes, (regrets, shifted), titles, strict=True):
    print(title)
    for name, of_seeds in results.items():
        over_seeds = np.mean(of_seeds, axis=1)  # readers of one seed share logs and tuning
        mean = over_seeds.mean(axis=0)
        half = student.ppf(0.975, N_SEEDS - 1) * over_seeds.std(axis=0, ddof=1) / N_SEEDS**0.5
        rounds = 1 + np.arange(N_ROUNDS)
        ax.plot(rounds, mean, color=COLORS[name], label=name, linewidth=2)
        ax.fill_between(
            rounds, mean - half, mean + half, color=COLORS[name], alpha=0.2, linewidth=0
        )
        print(f"  {name:30s} regret after {N_ROUNDS} rounds {mean[-1]:6.1f} ± {half[-1]:4.1f}")
    ax.set(title=title, xlabel="Round", xlim=(0, N_ROUNDS), ylim=(0, 145))
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("Cumulative regret")
axes[0].legend(frameon=False, fontsize=10)
if len(sys.argv) > 1:  # python plot_bandits.py bandits.png
    figure.savefig(sys.argv[1], dpi=110)
if plt.get_backend().lower() != "agg":  # there is a screen
    plt.show()

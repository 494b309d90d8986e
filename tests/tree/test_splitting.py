"""Splits of a task's own: their Bayes factors, and when they are made."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from skmeta.tree._splitting import Message, SplitPrior, below, best_split, without


def log_density(y, groups, variance, split_variance, noise, mean):
    cov = variance + split_variance * (groups[:, None] == groups) + noise * np.eye(len(y))
    return multivariate_normal(np.full(len(y), mean), cov).logpdf(y)


def test_bayes_factor_of_a_split():
    rng = np.random.default_rng(0)
    y, groups = rng.normal(size=7), np.array([0, 0, 0, 1, 1, 1, 1])
    noise, mean, variance, split_variance = 0.5, 0.3, 2.0, 1.5

    def message(part):
        return Message(np.array([len(part) / noise]), np.array([part.sum() / noise]), np.zeros(1))

    sides = [message(y[groups == g]).through(split_variance) for g in (0, 1)]
    together = sides[0] + sides[1]
    found = together.log_evidence(mean, variance) - message(y).log_evidence(mean, variance)
    expected = log_density(y, groups, variance, split_variance, noise, mean)
    expected -= log_density(y, groups, variance, 0.0, noise, mean)
    assert_allclose(found, expected)


def test_values_below_a_split_are_exact():
    rng = np.random.default_rng(1)
    y, is_left = rng.normal(size=6), np.array([1, 1, 0, 0, 0, 0], dtype=bool)
    noise, variance, split_variance = 0.5, 2.0, 1.5

    def message(part):
        return Message(np.array([len(part) / noise]), np.array([part.sum() / noise]), np.zeros(1))

    sides = message(y[is_left]), message(y[~is_left])
    p, h = (sum(s.through(split_variance)[i] for s in sides) for i in (0, 1))
    leaf = variance * h / (1 + variance * p), variance / (1 + variance * p)
    mean, var = below(sides[0], *leaf, split_variance)
    cov = variance + split_variance * (is_left[:, None] == is_left) + noise * np.eye(6)
    cross = variance + split_variance * is_left
    assert_allclose(mean, cross @ np.linalg.solve(cov, y))
    total = variance + split_variance
    assert_allclose(var, total - cross @ np.linalg.solve(cov, cross))


def test_taking_a_message_out():
    p, h, mean, variance = 2.0, 3.0, 0.7, 1.3
    posterior_variance = 1 / (1 / variance + p)
    posterior_mean = posterior_variance * (mean / variance + h)
    assert_allclose(without(p, h, posterior_mean, posterior_variance), (mean, variance))


def split(y, X, probability=0.5, noise=0.1):
    ones = np.ones((len(y), 1)) / noise
    prior = SplitPrior(probability, 1.0)
    return best_split(X, ones, y[:, None] / noise, np.zeros(1), np.ones(1), prior)


def test_a_clear_step_is_found():
    X = np.random.default_rng(0).uniform(size=(20, 4))
    found = split(np.where(X[:, 2] < 0.4, -1.0, 1.0), X)
    assert found.feature == 2
    left = X[X[:, 2] <= found.threshold, 2]
    assert_allclose([left.max() < 0.4, X[X[:, 2] > found.threshold, 2].min() >= 0.4], True)


def test_noise_is_not_split_whatever_the_number_of_columns():
    rng = np.random.default_rng(0)
    n_splits = sum(
        split(np.sqrt(0.1) * rng.normal(size=20), rng.uniform(size=(20, 50))) is not None
        for _ in range(200)
    )
    assert n_splits < 10


def test_nothing_to_split():
    assert split(np.array([0.0, 5.0, 0.0]), np.arange(3.0)[:, None]) is None
    assert split(np.array([0.0, 0.0, 5.0, 5.0]), np.ones((4, 2))) is None

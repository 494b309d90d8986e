"""Pools: gradients are those of the loss, and weights tell independent evidence from repeated."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import check_grad

from skmeta.ensemble._opinion_pools import LogLoss, SquaredLoss, log_pool
from skmeta.ensemble._stacking_episodes import Episodes
from skmeta.ensemble._weigh import learn_weights


def episodes(y, said):
    """Each of 50 tasks has as many rows as the others."""
    task = np.arange(len(y)) // (len(y) // 50)
    return Episodes(5, y, task, said, np.full(said.shape[:2], np.nan))


def regression(rng):
    return SquaredLoss(episodes(rng.normal(size=100), rng.normal(size=(100, 3))), unit=2.0)


def classification(rng):
    said = np.log(rng.dirichlet(np.ones(4), size=(100, 3)))
    return LogLoss(episodes(rng.integers(0, 4, 100), said), unit=2.0)


@pytest.mark.parametrize("make", [regression, classification])
def test_gradient_against_finite_differences(make):
    rng = np.random.default_rng(0)
    loss = make(rng)
    weights = rng.dirichlet(np.ones(3))
    assert check_grad(lambda w: loss(w)[0], lambda w: loss(w)[1], weights) < 1e-6
    assert_allclose(loss.of_tasks(weights).mean(), loss(weights)[0])


def two_opinions(rng, same):
    """What two signals, of one cause or the same one twice, say of a fair coin."""
    y = rng.integers(0, 2, 4000)
    signal = (2 * y[:, None] - 1) + 1.5 * rng.normal(size=(4000, 2))
    signal = signal[:, [0, 0]] if same else signal
    logit = 2 * signal / 1.5**2
    log_proba = np.stack([-np.logaddexp(0, logit), -np.logaddexp(0, -logit)], axis=2)
    return LogLoss(episodes(y, log_proba))


@pytest.mark.parametrize(("same", "total"), [(False, 2.0), (True, 1.0)])
def test_independent_evidence_adds_up_and_repeated_does_not(same, total):
    loss = two_opinions(np.random.default_rng(0), same)
    weights = learn_weights([loss])[0]
    assert_allclose(weights, total / 2, atol=0.08)


def test_a_pool_of_one_is_what_it_says():
    log_proba = np.log(np.random.default_rng(0).dirichlet(np.ones(3), size=(10, 1)))
    assert_allclose(log_pool(log_proba, np.ones(1)), log_proba[:, 0])


def test_who_knows_nothing_does_not_silence_the_pool():
    """Rows of chance: no weights are large, and some are kept."""
    rng = np.random.default_rng(0)
    said = np.log(rng.dirichlet(np.ones(2), size=(400, 2)))
    weights = learn_weights([LogLoss(episodes(rng.integers(0, 2, 400), said))])
    assert weights.sum() > 0


def with_an_extrapolator(rng, far_off):
    """A fair reference, and a better opinion that is wildly wrong on some tasks."""
    y = rng.normal(size=200)
    reference = 0.5 * y
    other = 0.9 * y + far_off * np.repeat(rng.normal(size=50) > 1.0, 4)
    return SquaredLoss(episodes(y, np.column_stack([reference, other])))


@pytest.mark.parametrize(("far_off", "is_weighed"), [(0.0, True), (20.0, False)])
def test_what_alone_is_clearly_worse_than_the_reference_has_no_weight(far_off, is_weighed):
    loss = with_an_extrapolator(np.random.default_rng(0), far_off)
    assert (learn_weights([loss], reference=0)[0, 1] > 0) == is_weighed


def test_without_reference_all_are_weighed():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    shift = np.repeat(np.tile([-1.0, 1.0], 25), 4)  # two that are off in opposite ways
    said = np.column_stack([0.9 * y, y + 2 * shift, y - 2 * shift])
    loss = SquaredLoss(episodes(y, said))
    assert_allclose(learn_weights([loss], reference=0)[0], [1.0, 0.0, 0.0])
    assert (learn_weights([loss])[0, 1:] > 0.3).all()

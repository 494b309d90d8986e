"""The posterior of a tree and of a forest against dense Gaussian computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.tree import DecisionTreeRegressor

from skmeta.tree._forest_departure import depart_in_forest, shared_variance
from skmeta.tree._likelihood import Bernoulli, Gaussian
from skmeta.tree._messages import pass_messages, pass_messages_of_classes
from skmeta.tree._nodes import Nodes
from skmeta.tree._prior import Supports, TreePrior
from skmeta.tree._process import Rows, evidence, posterior
from skmeta.tree._tree_departure import depart_in_tree


def grown(seed=0, max_depth=3, n_rows=100):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3))
    tree = DecisionTreeRegressor(max_depth=max_depth, min_samples_leaf=5, random_state=0)
    return Nodes(tree.fit(X, X[:, 0] + rng.normal(size=n_rows)).tree_)


def passes(nodes, leaves):
    """Which nodes each row passes, by walking up."""
    table = np.zeros((len(leaves), len(nodes)))
    for row, node in enumerate(leaves):
        while node >= 0:
            table[row, node], node = 1.0, nodes.parent[node]
    return table


def dense(nodes, table, variances, noise, residual):
    """Posterior of the sums of effects of all nodes, from the joint normal density of effects."""
    prior = np.diag(variances[nodes.depth])
    gain = prior @ table.T @ np.linalg.inv(table @ prior @ table.T + noise * np.eye(len(table)))
    down = passes(nodes, np.arange(len(nodes)))
    covariance = down @ (prior - gain @ table @ prior) @ down.T
    return down @ gain @ residual, np.diag(covariance)


class TestTree:
    @given(
        seed=st.integers(0, 10**6),
        n_rows=st.integers(0, 25),
        variances=st.lists(st.sampled_from([0.0, 0.1, 1.0, 30.0]), min_size=4, max_size=4),
        noise=st.floats(0.01, 10.0),
    )
    @settings(max_examples=40, deadline=None)
    def test_messages_are_exact(self, seed, n_rows, variances, noise):
        rng, nodes, variances = np.random.default_rng(seed), grown(seed), np.array(variances)
        leaves = nodes.apply(rng.normal(size=(n_rows, 3)))
        residual = rng.normal(size=n_rows)
        count = np.bincount(leaves, minlength=len(nodes))[None] / noise
        total = np.bincount(leaves, residual, len(nodes))[None] / noise
        mean, variance = pass_messages(nodes, count, total, variances)
        expected = dense(nodes, passes(nodes, leaves), variances, noise, residual)
        assert_allclose(mean[0], expected[0], atol=1e-8)
        assert_allclose(variance[0], expected[1], atol=1e-8)

    def test_mode_of_classes(self):
        rng, nodes = np.random.default_rng(0), grown()
        variances, prior = np.array([1.0, 0.5, 2.0, 0.3]), rng.normal(size=len(nodes))
        leaves = nodes.apply(rng.normal(size=(30, 3)))
        y, table = rng.integers(0, 2, size=30), passes(nodes, leaves)
        count = np.bincount(leaves, minlength=len(nodes))[None].astype(float)
        found = pass_messages_of_classes(
            nodes, count, np.bincount(leaves, y, len(nodes))[None], prior[None], variances
        )

        def loss(effects):
            f = prior[leaves] + table @ effects
            spread = variances[nodes.depth]
            return np.sum(np.logaddexp(0, f) - y * f) + 0.5 * np.sum(effects**2 / spread)

        best = minimize(loss, np.zeros(len(nodes)), tol=1e-10).x
        down = passes(nodes, np.arange(len(nodes)))
        assert_allclose(found.mean[0], down @ best, atol=1e-4)

    @pytest.mark.parametrize("noise", [0.4, None])
    def test_is_a_process_with_the_kernel_of_one_tree(self, noise):
        """Two engines, one model: messages along edges, and a linear system over rows."""
        rng, nodes = np.random.default_rng(1), grown()
        prior = TreePrior([nodes], np.array([1.0, 0.0, 0.5, 2.0]), noise)
        offsets = np.array([0, 4, 4, 25])  # the second task has no rows
        X = rng.normal(size=(25, 3))
        y = rng.normal(size=(25, 1)) if noise else rng.integers(0, 2, (25, 1)).astype(float)
        leaves = prior.apply(X)
        shared = prior.values(leaves) if noise else prior.log_odds(np.array(leaves))
        supports = Supports(leaves, X, y, shared, offsets)
        query = rng.normal(size=(50, 3))
        at = prior.apply(query)
        for tree, forest in zip(
            depart_in_tree(prior, supports), depart_in_forest(prior, supports), strict=True
        ):
            for one, other in zip(tree(prior, at, query), forest(prior, at, query), strict=True):
                assert_allclose(one, other, atol=1e-6)


class TestProcess:
    def test_kernel_is_the_variance_of_shared_nodes(self):
        first, second = grown(0), grown(1, max_depth=2)
        prior = TreePrior([first, second], np.array([1.0, 0.5, 0.25, 0.1]), 1.0)
        leaves = prior.apply(np.random.default_rng(0).normal(size=(20, 3)))
        expected = np.mean(
            [
                passes(n, leaf) @ np.diag(prior.variances[n.depth]) @ passes(n, leaf).T
                for n, leaf in zip(prior.nodes, leaves, strict=True)
            ],
            axis=0,
        )
        assert_allclose(shared_variance(prior, leaves, leaves), expected)
        assert_allclose(prior.spread(leaves), expected.diagonal())

    @pytest.mark.parametrize("likelihood", [Gaussian(0.4), Bernoulli()])
    def test_gradients_of_the_evidence(self, likelihood):
        rng = np.random.default_rng(0)
        factors = rng.normal(size=(3, 8, 2, 4))
        kernels = np.einsum("tifd,tjfd->tijd", factors, factors)
        y = rng.integers(0, 2, size=(3, 8)).astype(float)
        inside = np.ones((3, 8))
        inside[1, 5:] = 0.0
        rows, variances = Rows(y, rng.normal(size=(3, 8)), inside), np.array([0.5, 1.0, 0.2, 0.1])
        _, gradient, of_prior = evidence(kernels, variances, rows, likelihood)

        def numerical(function, step=1e-5):
            return (function(step) - function(-step)) / (2 * step)

        for d in range(4):
            change = np.eye(4)[d]
            slope = numerical(
                lambda e, c=change: evidence(kernels, variances + e * c, rows, likelihood)[0]
            )
            assert_allclose(gradient[d], slope, rtol=1e-4, atol=1e-6)
        change = inside * rng.normal(size=inside.shape)
        slope = numerical(
            lambda e: evidence(
                kernels, variances, rows._replace(prior=rows.prior + e * change), likelihood
            )[0]
        )
        assert_allclose(np.sum(of_prior * change), slope, rtol=1e-4, atol=1e-6)

    def test_evidence_is_the_normal_density(self):
        rng = np.random.default_rng(0)
        root = rng.normal(size=(6, 6))
        kernel, y = root @ root.T, rng.normal(size=6)
        rows = Rows(y[None], np.full((1, 6), 0.5), np.ones((1, 6)))
        found = posterior(kernel[None], rows, Gaussian(0.3)).log_evidence
        cov = kernel + 0.3 * np.eye(6)
        assert_allclose(found, multivariate_normal(np.full(6, 0.5), cov).logpdf(y))

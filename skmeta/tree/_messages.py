r"""The exact posterior of a tree's node effects, by passing messages along its edges.

The value of task t at a row is the prior value of the row's leaf plus the effects of all nodes on
the row's path, the root's and the leaf's included:

.. math:: f_t(x) = \mu(x) + \sum_{n \in \mathrm{path}(x)} b_{tn}, \qquad
    b_{tn} \sim N(0, s^2_{\mathrm{depth}(n)}).

Let c be the sum of effects down to a node. What the rows below a node say of its c is a normal
density, given by a precision p and p times its mean, h. Integrating out the node's own effect
turns it into a message about the parent's c: both are divided by 1 + s^2 p. Messages of siblings
add. Once the root has all messages its posterior is known, and then, going down, that of every
node: Pearl's belief propagation, exact on a tree, in time linear in the nodes [1]_.

References
----------
.. [1] Chou, Willsky & Benveniste (1994). Multiscale recursive estimation, data fusion, and
   regularization. IEEE Trans. Autom. Control 39, 464-478.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from skmeta.tree._nodes import Nodes

Array = NDArray[np.floating]

_MAX_STEPS = 50
_TOL = 1e-8


class NodePosterior(NamedTuple):
    """Sum of the effects down to each node, of shape (n_tasks, n_nodes)."""

    mean: Array
    variance: Array


def pass_messages(
    nodes: Nodes, precision: Array, weighted: Array, variances: Array
) -> NodePosterior:
    """Posterior for a numeric target.

    Parameters
    ----------
    nodes : Nodes
    precision : ndarray of shape (n_tasks, n_nodes)
        Sum over a leaf's rows of one over their noise variance; 0 elsewhere.
    weighted : ndarray of shape (n_tasks, n_nodes)
        Sum over a leaf's rows of residual over noise variance; 0 elsewhere.
    variances : ndarray of shape (n_levels,)
        Prior variance of the effects of each level's nodes; there may be more than the tree has.

    Returns
    -------
    posterior : NodePosterior

    Examples
    --------
    A root alone, of variance 1, with three rows of noise variance 1 and sum 6:

    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> tree = DecisionTreeRegressor().fit([[0.0]], [0.0])
    >>> three, six = np.array([[3.0]]), np.array([[6.0]])
    >>> pass_messages(Nodes(tree.tree_), three, six, np.ones(1))
    NodePosterior(mean=array([[1.5]]), variance=array([[0.25]]))
    """
    p, h = precision.copy(), weighted.copy()
    variances = variances[: len(nodes.levels)]
    for level, variance in zip(nodes.levels[:0:-1], variances[:0:-1], strict=True):
        shrink = 1 / (1 + variance * p[:, level])
        up_p, up_h = p[:, level] * shrink, h[:, level] * shrink
        parent, half = nodes.parent[level], len(level) // 2  # left siblings, then right ones
        p[:, parent[:half]] += up_p[:, :half] + up_p[:, half:]
        h[:, parent[:half]] += up_h[:, :half] + up_h[:, half:]
    mean, var = np.zeros_like(p), np.zeros_like(p)
    for level, variance in zip(nodes.levels, variances, strict=True):
        shrink = 1 / (1 + variance * p[:, level])
        parent = nodes.parent[level]
        above = 0.0 if parent[0] < 0 else mean[:, parent]
        above_var = 0.0 if parent[0] < 0 else var[:, parent]
        mean[:, level] = shrink * (above + variance * h[:, level])
        var[:, level] = shrink * variance + shrink**2 * above_var
    return NodePosterior(mean, var)


def pass_messages_of_classes(
    nodes: Nodes, counts: Array, positives: Array, prior: Array, variances: Array
) -> NodePosterior:
    """Posterior for the log odds of a class, by Laplace's approximation.

    Each step of Newton's method is a pass of messages in which the rows of a leaf are replaced by
    a normal density with the slope and curvature of their likelihood.

    Parameters
    ----------
    nodes : Nodes
    counts, positives : ndarray of shape (n_tasks, n_nodes)
        Rows of each leaf, and how many of them are of the class; 0 elsewhere.
    prior : ndarray of shape (n_tasks, n_nodes) or (1, n_nodes)
        Prior log odds.
    variances : ndarray of shape (n_levels,)

    Returns
    -------
    posterior : NodePosterior
        Mean is the mode.
    """
    mean = np.zeros_like(counts)
    log_joint = _log_joint(nodes, counts, positives, prior, variances, mean)
    for _ in range(_MAX_STEPS):
        p = expit(prior + mean)
        curvature = counts * p * (1 - p)
        weighted = positives - counts * p + curvature * mean
        found = pass_messages(nodes, curvature, weighted, variances)
        step, length = found.mean - mean, np.ones((len(mean), 1))
        for _ in range(20):
            trial = mean + length * step
            trial_joint = _log_joint(nodes, counts, positives, prior, variances, trial)
            worse = trial_joint < log_joint - _TOL
            if not worse.any():
                break
            length[worse] /= 2
        gain, mean, log_joint = trial_joint - log_joint, trial, trial_joint
        if np.all(gain < _TOL):
            break
    return NodePosterior(mean, found.variance)


def _log_joint(
    nodes: Nodes, counts: Array, positives: Array, prior: Array, variances: Array, mean: Array
) -> Array:
    """Log density of classes and effects, less a constant."""
    values = prior + mean
    fit = np.sum(positives * values - counts * np.logaddexp(0, values), axis=1)
    effects = mean.copy()
    effects[:, 1:] -= mean[:, nodes.parent[1:]]
    spread = variances[nodes.depth]
    free = spread > 0  # the others have no effect
    return fit - 0.5 * np.sum(effects[:, free] ** 2 / spread[free], axis=1)

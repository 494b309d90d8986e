"""Random mechanisms behind synthetic tables: causal graphs and trees.

Each returns columns of shape (n_rows, n_features) and targets of shape (n_rows, n_targets), with
mean zero and deviation one.
"""

from __future__ import annotations

import numpy as np

_ACTIVATIONS = (
    np.tanh,
    np.sin,
    np.abs,
    np.square,
    np.sign,
    lambda x: x,
    lambda x: np.maximum(x, 0.0),
    lambda x: np.exp(-np.square(x)),
)
_MAX_DEPTH = 5


def draw_graph(
    rng: np.random.Generator, n_rows: int, n_features: int, n_targets: int
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes of a random structural causal model."""
    # Few causes: columns that all depend on them say something about the target.
    n_causes, n_layers = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    n_units = max(4, int(np.ceil((n_features + n_targets) / n_layers)))
    noise = np.exp(rng.uniform(np.log(0.01), np.log(0.5)))
    layers = [_draw_causes(rng, n_rows, n_causes)]
    for _ in range(n_layers):
        layers.append(_apply_layer(rng, layers[-1], n_units, noise))
    nodes = np.hstack(layers)
    # The target is an effect of something; columns may come from before or after it.
    n_effects = nodes.shape[1] - n_causes
    target = n_causes + rng.choice(n_effects, size=n_targets, replace=False)
    others = np.setdiff1d(np.arange(nodes.shape[1]), target)
    columns = rng.permutation(others)[:n_features]
    return nodes[:, columns], nodes[:, target]


def draw_trees(
    rng: np.random.Generator, n_rows: int, n_features: int, n_targets: int
) -> tuple[np.ndarray, np.ndarray]:
    """Correlated normal columns, and sums of random trees of them."""
    n_factors = int(rng.integers(1, n_features + 1))
    mixing = rng.normal(size=(n_factors, n_features)) * rng.uniform(0, 1)
    X = rng.normal(size=(n_rows, n_factors)) @ mixing + rng.normal(size=(n_rows, n_features))
    n_trees = int(rng.integers(1, 6))
    # Trees agree on few columns: the others tell nothing but what they have in common with these.
    relevant = rng.permutation(n_features)[: int(rng.integers(1, n_features + 1))]
    targets = np.sum([_apply_tree(rng, X[:, relevant], n_targets) for _ in range(n_trees)], axis=0)
    noise = rng.uniform(0, 0.3) * rng.normal(size=(n_rows, n_targets))
    return _standardise(X), _standardise(_standardise(targets) + noise)


def _draw_causes(rng: np.random.Generator, n_rows: int, n_causes: int) -> np.ndarray:
    """Normal, uniform, or in clusters."""
    kind = rng.integers(3)
    if kind == 0:
        return _standardise(rng.normal(size=(n_rows, n_causes)))
    if kind == 1:
        return _standardise(rng.uniform(size=(n_rows, n_causes)))
    centers = 2 * rng.normal(size=(int(rng.integers(2, 7)), n_causes))
    member = rng.integers(len(centers), size=n_rows)
    return _standardise(centers[member] + rng.normal(size=(n_rows, n_causes)))


def _apply_layer(
    rng: np.random.Generator, parents: np.ndarray, n_units: int, noise: float
) -> np.ndarray:
    """The next nodes: each a nonlinear function of some of its parents, and noise of its own."""
    shape = (parents.shape[1], n_units)
    weights = rng.normal(size=shape) * (rng.random(shape) < rng.uniform(0.3, 1.0))
    weights[rng.integers(shape[0], size=n_units), np.arange(n_units)] += 1.0  # one parent at least
    inputs = _standardise(parents @ weights) + rng.normal(scale=0.5, size=n_units)
    names = rng.choice(len(_ACTIVATIONS), size=min(3, n_units), replace=False)
    which = rng.choice(names, size=n_units)
    outputs = np.empty_like(inputs)
    for name in names:
        outputs[:, which == name] = _ACTIVATIONS[name](inputs[:, which == name])
    outputs = _standardise(outputs) + noise * rng.normal(size=outputs.shape)
    return _standardise(outputs)


def _apply_tree(rng: np.random.Generator, X: np.ndarray, n_targets: int) -> np.ndarray:
    """Values of the leaf that each row falls into."""
    depth = int(rng.integers(1, _MAX_DEPTH + 1))
    n_inner = 2**depth - 1
    column = rng.integers(X.shape[1], size=n_inner)
    threshold = X[rng.integers(len(X), size=n_inner), column]
    values = rng.normal(size=(2**depth, n_targets))
    node = np.zeros(len(X), dtype=np.int64)
    for _ in range(depth):
        goes_right = X[np.arange(len(X)), column[node]] > threshold[node]
        node = 2 * node + 1 + goes_right
    return values[node - n_inner]


def _standardise(X: np.ndarray) -> np.ndarray:
    """Mean zero and deviation one; a constant becomes zero."""
    deviation = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(deviation > 1e-12, deviation, 1.0)

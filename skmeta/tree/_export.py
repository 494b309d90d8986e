"""Showing a meta decision tree: the value of each node before and after adapting."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted

from skmeta.base import TablePreprocessor
from skmeta.tree._one_tree import OneTree


class _Column(NamedTuple):
    """A column that trees split, in the units of the user's table."""

    name: str
    shift: float
    scale: float

    def test(self, threshold: float, decimals: int) -> str:
        return f"{self.name} <= {self.shift + self.scale * threshold:.{decimals}f}"


def export_text(model: OneTree, *, feature_names: Any = None, decimals: int = 2) -> str:
    """Text report of a tree, with the prior and the adapted value of each node.

    Parameters
    ----------
    model : MetaDecisionTreeRegressor or MetaDecisionTreeClassifier
        Fitted; adapted or not.
    feature_names : array-like of str, default=None
        Names of the columns that the preprocessor makes; by default its own, if it has any.
    decimals : int, default=2
        Digits after the point.

    Returns
    -------
    report : str
        A line for each node: `prior -> adapted [support rows]`. The values of a classifier are
        probabilities of its classes. Leaves that the task has split have a line for each side.

    Examples
    --------
    >>> from skmeta import MetaDecisionTreeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.tree import export_text
    >>> tasks = make_linear_tasks(n_tasks=40, n_features=1, random_state=0)
    >>> meta = MetaDecisionTreeRegressor(max_depth=1, random_state=0).fit(tasks[:30])
    >>> model = meta.fit_adapt(tasks[35].X[:5], tasks[35].y[:5])
    >>> print(export_text(model))
    root: 1.76 -> 1.93 [5]
    |--- x0 <= 0.04: 1.46 -> 2.12 [1]
    |--- x0 >  0.04: 2.11 -> 2.24 [4]
    """
    _check(model)
    columns, tree = _columns(model, feature_names), model.tree_.tree_
    lines: list[str] = []

    def write(node: int, label: str, depth: int) -> None:
        lines.append(f"{_indent(depth)}{label}: {_change(model, node, decimals)}")
        if tree.children_left[node] >= 0:
            test = columns[tree.feature[node]].test(tree.threshold[node], decimals)
            write(tree.children_left[node], test, depth + 1)
            write(tree.children_right[node], test.replace("<=", "> "), depth + 1)
        elif node in model.splits_:
            feature, threshold, values = model.splits_[node]
            test = columns[feature].test(threshold, decimals)
            for side, value in zip((test, test.replace("<=", "> ")), values, strict=True):
                lines.append(f"{_indent(depth + 1)}{side}: own split, {_show(value, decimals)}")

    write(0, "root", 0)
    return "\n".join(lines)


def plot_tree(
    model: OneTree, *, feature_names: Any = None, decimals: int = 2, ax: Any = None
) -> list[Any]:
    """Draw a tree, with the prior and the adapted value of each node.

    Parameters
    ----------
    model : MetaDecisionTreeRegressor or MetaDecisionTreeClassifier
        Fitted; adapted or not.
    feature_names : array-like of str, default=None
        Names of the columns that the preprocessor makes; by default its own, if it has any.
    decimals : int, default=2
        Digits after the point.
    ax : matplotlib axes, default=None
        Where to draw; the current axes by default.

    Returns
    -------
    annotations : list of matplotlib Text
        One for each node. The colour of its box says how far the value has moved, up in red and
        down in blue; for classifiers, the probability of the last class.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skmeta import MetaDecisionTreeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> from skmeta.tree import plot_tree
    >>> tasks = make_linear_tasks(n_tasks=40, n_features=1, random_state=0)
    >>> meta = MetaDecisionTreeRegressor(max_depth=1, random_state=0).fit(tasks[:30])
    >>> model = meta.fit_adapt(tasks[35].X[:5], tasks[35].y[:5])
    >>> _, ax = plt.subplots()
    >>> len(plot_tree(model, ax=ax))
    3
    >>> plt.close()
    """
    check_matplotlib_support("plot_tree")
    import matplotlib.pyplot as plt

    _check(model)
    ax = plt.gca() if ax is None else ax
    columns, tree = _columns(model, feature_names), model.tree_.tree_
    x, y = _layout(tree)
    moved = model.values_ - model.prior_values_
    moved = moved if moved.ndim == 1 else moved[:, -1]
    largest = np.abs(moved).max() or 1.0
    annotations = []
    for node in range(tree.node_count):
        for child in (tree.children_left[node], tree.children_right[node]):
            if child >= 0:
                ax.plot(x[[node, child]], y[[node, child]], color="0.6", lw=1, zorder=0)
        text = _change(model, node, decimals)
        if tree.children_left[node] >= 0:
            test = columns[tree.feature[node]].test(tree.threshold[node], decimals)
            text = f"{test}\n{text}"
        color = plt.get_cmap("coolwarm")(0.5 + 0.4 * moved[node] / largest)
        box = {"boxstyle": "round", "facecolor": color, "edgecolor": "0.4"}
        annotations.append(ax.text(x[node], y[node], text, ha="center", va="center", bbox=box))
    ax.set(xlim=(-0.6, x.max() + 0.6), ylim=(y.min() - 0.5, 0.5))
    ax.set_axis_off()
    return annotations


def _indent(depth: int) -> str:
    return "|   " * (depth - 1) + "|--- " if depth else ""


def _check(model: Any) -> None:
    if not isinstance(model, OneTree):
        raise TypeError(f"model must be a meta decision tree, got {type(model).__name__}.")
    check_is_fitted(model)


def _columns(model: OneTree, names: Any) -> list[_Column]:
    preprocessor: Any = model.preprocessor_
    n_columns = model.tree_.n_features_in_
    if names is None:
        if hasattr(preprocessor, "get_feature_names_out"):
            names = preprocessor.get_feature_names_out()
        elif preprocessor is None:
            names = getattr(model, "feature_names_in_", None)
    if names is None:
        names = [f"x{j}" for j in range(n_columns)]
    if len(names) != n_columns:
        raise ValueError(f"feature_names must have {n_columns} names, got {len(names)}.")
    shift, scale = np.zeros(n_columns), np.ones(n_columns)
    if isinstance(preprocessor, TablePreprocessor) and not preprocessor.is_categorical_.all():
        scaler = preprocessor.numeric_[-1]
        shift[: len(scaler.mean_)], scale[: len(scaler.mean_)] = scaler.mean_, scaler.scale_
    return [_Column(str(n), *rest) for n, *rest in zip(names, shift, scale, strict=True)]


def _change(model: OneTree, node: int, decimals: int) -> str:
    prior, value = (
        _show(values[node], decimals) for values in (model.prior_values_, model.values_)
    )
    return f"{prior} -> {value} [{int(model.node_counts_[node])}]"


def _show(value: Any, decimals: int) -> str:
    numbers = [f"{number:.{decimals}f}" for number in np.atleast_1d(value)]
    return numbers[0] if np.ndim(value) == 0 else f"({', '.join(numbers)})"


def _layout(tree: Any) -> tuple[np.ndarray, np.ndarray]:
    """Leaves side by side, each other node above the middle of its children."""
    x, y = np.zeros(tree.node_count), np.zeros(tree.node_count)
    n_leaves = 0

    def place(node: int, depth: int) -> None:
        nonlocal n_leaves
        y[node] = -depth
        children = [tree.children_left[node], tree.children_right[node]]
        if children[0] < 0:
            x[node], n_leaves = n_leaves, n_leaves + 1
            return
        for child in children:
            place(child, depth + 1)
        x[node] = x[children].mean()

    place(0, 0)
    return x, y

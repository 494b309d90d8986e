"""What compiled code takes for granted, checked: it would read beyond the end of an array.

scikit-learn follows the indices in a fitted tree, and the counts in a support vector machine,
without looking. In a file they may be anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Spend = Callable[[int], None]  # see `Reader.spend`


def check_state(cls: type, state: dict[str, Any], spend: Spend) -> None:
    """Check attributes before a `__setstate__` of scikit-learn or torch works with them."""
    _run(_CHECKS_OF_STATE, cls, state, spend)


def check_integrity(thing: Any, spend: Spend) -> None:
    """Check an object that was made of the attributes in a file.

    Raises
    ------
    ValueError
        If compiled code would not survive it.
    """
    if any(name.endswith("_") for name in vars(thing)):  # is fitted
        _run(_CHECKS, type(thing), thing, spend)


def _run(checks: dict[str, Any], cls: type, thing: Any, spend: Spend) -> None:
    for base in cls.__mro__:
        check = checks.get(f"{base.__module__}.{base.__qualname__}")
        if check is not None:
            check(thing, spend)


def require(condition: Any, message: str) -> None:
    """Refuse what does not hold."""
    if not np.all(condition):
        raise ValueError(message)


# ---------------------------------------------------------------------- trees


def check_nodes(left: Any, right: Any, feature: Any, is_leaf: Any, n_features: int) -> None:
    """Check that a walk from the root ends in a leaf, and looks at columns that there are."""
    inner = ~np.asarray(is_leaf, dtype=bool)
    place = np.arange(len(inner))[inner]
    for child in (left[inner], right[inner]):
        # Children come after their parent, so that no walk goes round in circles.
        require((child > place) & (child < len(inner)), "a node has a child that is not below it")
    require((feature[inner] >= 0) & (feature[inner] < n_features), "a node splits no column")
    require(len(inner) > 0, "a tree has no node")


def _check_tree(estimator: Any, spend: Spend) -> None:
    tree = estimator.tree_
    require(type(tree).__name__ == "Tree", "a decision tree has no tree")
    require(tree.n_features == estimator.n_features_in_, "a tree has another number of columns")
    require(tree.n_outputs == estimator.n_outputs_, "a tree has another number of outputs")


def _check_forest(estimator: Any, spend: Spend) -> None:
    # An ensemble checks its columns once, and its trees not again.
    spend(1000 * len(estimator.estimators_))
    for tree in estimator.estimators_:
        require(
            tree.tree_.n_features == estimator.n_features_in_,
            "a tree has other columns than its ensemble",
        )


def _check_boosting(estimator: Any, spend: Spend) -> None:
    trees = estimator.estimators_
    require(trees.shape[1] == estimator.n_trees_per_iteration_, "an iteration has other trees")
    spend(1000 * trees.size)
    for tree in trees.flat:
        require(
            tree.tree_.n_features == estimator.n_features_in_,
            "a tree has other columns than its ensemble",
        )


def _check_histogram_boosting(estimator: Any, spend: Spend) -> None:
    n_trees, n_features = estimator.n_trees_per_iteration_, estimator.n_features_in_
    categorical = estimator._bin_mapper.is_categorical_
    require(len(categorical) == n_features, "columns are not all known to be categories or not")
    for iteration in estimator._predictors:
        require(len(iteration) == n_trees, "an iteration has other trees")
        for predictor in iteration:
            spend(1000 + predictor.nodes.nbytes)
            _check_predictor(predictor, categorical)


def _check_predictor(predictor: Any, categorical: np.ndarray) -> None:
    nodes = predictor.nodes
    check_nodes(
        nodes["left"], nodes["right"], nodes["feature_idx"], nodes["is_leaf"], len(categorical)
    )
    split = nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] != 0)]
    for bitsets in (predictor.raw_left_cat_bitsets, predictor.binned_left_cat_bitsets):
        require(bitsets.ndim == 2 and bitsets.shape[1] == 8, "categories are no sets of bits")
        require(split["bitset_idx"] < len(bitsets), "a node has no categories")
    require(categorical[split["feature_idx"]], "a node splits no categories")


def _check_predictor_state(state: dict[str, Any], spend: Spend) -> None:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    # scikit-learn would copy other ones.
    require(state["nodes"].dtype == PREDICTOR_RECORD_DTYPE, "the nodes of a tree are no nodes")


# ---------------------------------------------------------------------- support vectors


def _check_machine(estimator: Any, spend: Spend) -> None:
    counts, vectors = np.asarray(estimator._n_support), estimator.support_vectors_
    spend(10 * (counts.size + estimator.support_.size))
    is_pairwise = estimator._impl in ("c_svc", "nu_svc")
    n_pairs = len(counts) * (len(counts) - 1) // 2 if is_pairwise else 1
    n_rows = len(counts) - 1 if is_pairwise else 1
    n_vectors = counts.sum() if is_pairwise else counts[0]
    if not callable(estimator.kernel) and estimator.kernel != "precomputed":
        shape = (n_vectors, estimator.n_features_in_)
        require(vectors.shape == shape, "support vectors have another shape")
    require(counts >= 0, "a class has fewer support vectors than none")
    require(estimator.support_.shape == (n_vectors,), "there are more or fewer support vectors")
    within = (estimator.support_ >= 0) & (estimator.support_ < estimator.shape_fit_[0])
    require(within, "a support vector is no row")
    for coefficients in (estimator.dual_coef_, estimator._dual_coef_):
        require(coefficients.shape == (n_rows, n_vectors), "coefficients do not fit the vectors")
    for intercept in (estimator.intercept_, estimator._intercept_):
        require(intercept.shape == (n_pairs,), "intercepts do not fit the classes")
    for slope in (estimator._probA, estimator._probB):
        require(slope.shape in ((0,), (n_pairs,)), "probabilities do not fit the classes")
    if is_pairwise:
        require(len(counts) == len(estimator.classes_), "there are more or fewer classes")


# ---------------------------------------------------------------------- others


def _check_isotonic_state(state: dict[str, Any], spend: Spend) -> None:
    for name in ("X_thresholds_", "y_thresholds_"):  # copied
        if name in state:
            spend(100 * state[name].nbytes)


def _check_recurrent_state(state: dict[str, Any], spend: Spend) -> None:
    # torch would make up the names of as many layers as it is told.
    names = state["_all_weights"]
    require("all_weights" not in state and isinstance(names[0][0], str), "weights have no names")


_CHECKS_OF_STATE: dict[str, Callable[[dict[str, Any], Spend], None]] = {
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": _check_predictor_state,
    "sklearn.isotonic.IsotonicRegression": _check_isotonic_state,
    "torch.nn.modules.rnn.RNNBase": _check_recurrent_state,
}
_CHECKS: dict[str, Callable[[Any, Spend], None]] = {
    "sklearn.tree._classes.BaseDecisionTree": _check_tree,
    "sklearn.ensemble._forest.BaseForest": _check_forest,
    "sklearn.ensemble._iforest.IsolationForest": _check_forest,
    "sklearn.ensemble._gb.BaseGradientBoosting": _check_boosting,
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.BaseHistGradientBoosting": (
        _check_histogram_boosting
    ),
    "sklearn.svm._base.BaseLibSVM": _check_machine,
}

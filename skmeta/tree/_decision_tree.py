"""A decision tree that tasks share, and the values of its nodes for each task."""

from __future__ import annotations

from typing import Any, Literal

from skmeta.tree._one_tree import OneTree
from skmeta.tree._targets import _ClassTrees, _NumberTrees


class MetaDecisionTreeRegressor(OneTree, _NumberTrees):
    r"""Regression tree that tasks share, whose values are adapted to each task.

    One tree is grown on the rows of all tasks, by scikit-learn. A task departs from it by an effect
    at each node, the larger the less tasks have in common at that depth:

    .. math:: y = \mu(x) + \sum_{n \in \mathrm{path}(x)} b_{tn} + e, \qquad
        b_{tn} \sim N(0, s^2_{\mathrm{depth}(n)}), \quad e \sim N(0, \sigma^2).

    `fit_adapt` gives the exact posterior of the values of all nodes, by messages along the edges
    of the tree [2]_: leaves without support rows learn from their relatives, the more the nearer.
    If the task's rows make it more probable than not, a leaf is split once more.

    To separate what generalises, the tree is grown on targets from which each task's own level is
    taken off, as RE-EM trees do [1]_. Depth, size of leaves and variances are those that give the
    training tasks the most evidence under trees that are grown without them. With variances of 0,
    `smoothing=0` and `center=False` predictions are those of
    :class:`~sklearn.tree.DecisionTreeRegressor` on the rows of all tasks.

    Parameters
    ----------
    max_depth : int or "auto", default="auto"
        Largest depth of the tree. "auto" learns it.
    min_samples_leaf : int or "auto", default="auto"
        Smallest number of training rows in a leaf. "auto" learns it.
    node_variance : float or "auto", default="auto"
        Prior variance of a task's effect at each node, in
        units of the target squared. 0 trusts the tree that tasks share
        without end, a large one not at all. "auto" learns one for each depth.
    smoothing : float or "auto", default="auto"
        Shrinkage of the shared values: how many rows that are like its parent are added to each
        node [3]_. "auto" learns it.
    split_probability : float or "auto", default="auto"
        Prior probability that a task splits a leaf of its own accord, each leaf once at most; 0
        leaves the structure to the tasks together. "auto" learns it.
    center : bool, default=True
        Whether to take the tasks' own levels off the target to grow the tree.
    support_strategy : {"random", "first"}, default="random"
        How the support rows of a new task will come: at random, or as the first ones of the task.
        With "first", rows of training tasks must be stored in the order of time, and how far to
        trust first rows is learned from what they said of later ones.
    random_state : int, RandomState instance or None, default=None
        Draws the order in which columns are tried, which decides between equal splits.
    preprocessor : "auto", None or transformer, default="auto"
        Turns raw rows into numbers; fitted on the rows of the training tasks alone. "auto" imputes
        and standardises numbers and one-hot encodes strings; None takes numbers as they are.

    Attributes
    ----------
    max_depth_, min_samples_leaf_ : int
        The meta-parameters in use.
    node_variances_ : ndarray of shape (max_depth_ + 1,)
        Prior variance of a task's effects at the nodes of each depth, the root first: how far tasks
        depart from what they share.
    smoothing_ : float
        The shrinkage of the shared values in use.
    shots_, trust_ : ndarray of shape (n_shots,)
        Numbers of support rows, and for each the correlation of a task's departure in its support
        with that in its later rows: 0 does not adapt. 1 with `support_strategy="random"`.
    noise_variance_ : float
        Variance of the target around a task's own tree.
    split_probability_ : float
        Prior probability of a split of a task's own.
    tree_ : DecisionTreeRegressor
        The tree that tasks share, fitted by scikit-learn.
    prior_values_ : ndarray of shape (n_nodes,)
        Value of each node before any adaptation.
    values_ : ndarray of shape (n_nodes,)
        Value of each node for the task.
    node_counts_ : ndarray of shape (n_nodes,)
        Support rows that pass each node.
    splits_ : dict
        Leaves that the task splits: column, threshold, and values left and right of it.
    n_support_ : int
        Number of rows that the estimator has adapted to; 0 for the prior.
    preprocessor_ : transformer or None
        The fitted preprocessor.
    shared_target_ : bool
        Whether the target means the same in all tasks.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during `fit`, if all were strings.

    See Also
    --------
    MetaForestRegressor : Many such trees; predicts better, explains less.
    skmeta.tree.export_text : Show the prior and the adapted values.

    Notes
    -----
    Adapting costs a time linear in the rows and nodes.
    With a single training task there is nothing to learn from: what is "auto" is then a depth of 6,
    leaves of one row, a smoothing of 1 and variances of 0.

    References
    ----------
    .. [1] Sela & Simonoff (2012). RE-EM trees: a data mining approach for longitudinal and
       clustered data. Mach. Learn. 86, 169-207.
    .. [2] Chou, Willsky & Benveniste (1994). Multiscale recursive estimation, data fusion, and
       regularization. IEEE Trans. Autom. Control 39, 464-478.
    .. [3] Agarwal, Tan, Ronen, Singh & Yu (2022). Hierarchical shrinkage: improving the accuracy
       and interpretability of tree-based models. ICML.

    Examples
    --------
    >>> from skmeta import MetaDecisionTreeRegressor
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=60, n_features=1, random_state=0)
    >>> meta = MetaDecisionTreeRegressor(random_state=0).fit(tasks[:50])
    >>> new = tasks[55]
    >>> model = meta.fit_adapt(new.X[:5], new.y[:5])
    >>> mean, std = model.predict(new.X[5:], return_std=True)
    >>> model.score(new.X[5:], new.y[5:]) > meta.score(new.X[5:], new.y[5:])
    True
    """

    def __init__(
        self,
        *,
        max_depth: int | Literal["auto"] = "auto",
        min_samples_leaf: int | Literal["auto"] = "auto",
        node_variance: float | Literal["auto"] = "auto",
        smoothing: float | Literal["auto"] = "auto",
        split_probability: float | Literal["auto"] = "auto",
        center: bool = True,
        support_strategy: Literal["random", "first"] = "random",
        random_state: Any = None,
        preprocessor: Any = "auto",
    ):
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.node_variance = node_variance
        self.smoothing = smoothing
        self.split_probability = split_probability
        self.center = center
        self.support_strategy = support_strategy
        self.random_state = random_state
        self.preprocessor = preprocessor


class MetaDecisionTreeClassifier(OneTree, _ClassTrees):
    r"""Classification tree that tasks share, whose values are adapted to each task.

    One tree is grown on the rows of all tasks, by scikit-learn. Within a task, the log odds of a
    class depart from those of the tree by an effect at each node:

    .. math:: \mathrm{logit}\, P(y = c \mid x) = \mu_c(x)
        + \sum_{n \in \mathrm{path}(x)} b_{tnc}, \qquad
        b_{tnc} \sim N(0, s^2_{\mathrm{depth}(n)}).

    `fit_adapt` gives the most probable effects and Laplace's approximation of their posterior, by
    messages along the edges of the tree [2]_; probabilities are averaged over it. The typical log
    odds are such that, before any row of a task is seen, probabilities are the shared frequencies.
    More than two classes are told apart one against the rest.

    As in :class:`MetaDecisionTreeRegressor`, the tree is grown on indicators of the classes from
    which each task's own frequencies are taken off [1]_, and its size is learned from the evidence
    of training tasks under trees that are grown without them. So are the variances, which are then
    scaled down if that makes few-shot predictions of training tasks better.

    Parameters
    ----------
    max_depth : int or "auto", default="auto"
        Largest depth of the tree. "auto" learns it.
    min_samples_leaf : int or "auto", default="auto"
        Smallest number of training rows in a leaf. "auto" learns it.
    node_variance : float or "auto", default="auto"
        Prior variance of a task's effect at each node, in
        squared log odds. 0 trusts the tree that tasks share
        without end, a large one not at all. "auto" learns one for each depth.
    smoothing : float or "auto", default="auto"
        Shrinkage of the shared values: how many rows that are like its parent are added to each
        node [3]_. "auto" learns it.
    split_probability : float or "auto", default="auto"
        Prior probability that a task splits a leaf of its own accord, each leaf once at most; 0
        leaves the structure to the tasks together. "auto" learns it.
    center : bool, default=True
        Whether to take the tasks' own levels off the target to grow the tree.
    support_strategy : {"random", "first"}, default="random"
        How the support rows of a new task will come: at random, or as the first ones of the task.
        With "first", rows of training tasks must be stored in the order of time, and how far to
        trust first rows is learned from what they said of later ones.
    random_state : int, RandomState instance or None, default=None
        Draws the order in which columns are tried, which decides between equal splits.
    preprocessor : "auto", None or transformer, default="auto"
        Turns raw rows into numbers; fitted on the rows of the training tasks alone. "auto" imputes
        and standardises numbers and one-hot encodes strings; None takes numbers as they are.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the training tasks.
    max_depth_, min_samples_leaf_ : int
        The meta-parameters in use.
    node_variances_ : ndarray of shape (max_depth_ + 1,)
        Prior variance of a task's effects at the nodes of each depth, the root first: how far tasks
        depart from what they share.
    smoothing_ : float
        The shrinkage of the shared values in use.
    shots_, trust_ : ndarray of shape (n_shots,)
        Numbers of support rows, and for each the correlation of a task's departure in its support
        with that in its later rows: 0 does not adapt. 1 with `support_strategy="random"`.
    split_probability_ : float
        Prior probability of a split of a task's own.
    tree_ : DecisionTreeRegressor
        The tree that tasks share, fitted by scikit-learn on indicators of
        the classes.
    prior_values_ : ndarray of shape (n_nodes, n_classes)
        Probabilities of each node before any adaptation.
    values_ : ndarray of shape (n_nodes, n_classes)
        Probabilities of each node for the task.
    node_counts_ : ndarray of shape (n_nodes,)
        Support rows that pass each node.
    splits_ : dict
        Leaves that the task splits: column, threshold, and values left and right of it.
    n_support_ : int
        Number of rows that the estimator has adapted to; 0 for the prior.
    preprocessor_ : transformer or None
        The fitted preprocessor.
    shared_target_ : bool
        Whether the target means the same in all tasks, which it must.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during `fit`, if all were strings.

    See Also
    --------
    MetaForestClassifier : Many such trees; predicts better, explains less.
    skmeta.tree.export_text : Show the prior and the adapted values.

    Notes
    -----
    Adapting costs a time linear in the rows and nodes.
    With a single training task there is nothing to learn from: what is "auto" is then a depth of 6,
    leaves of one row, a smoothing of 1 and variances of 0.

    References
    ----------
    .. [1] Sela & Simonoff (2012). RE-EM trees: a data mining approach for longitudinal and
       clustered data. Mach. Learn. 86, 169-207.
    .. [2] Chou, Willsky & Benveniste (1994). Multiscale recursive estimation, data fusion, and
       regularization. IEEE Trans. Autom. Control 39, 464-478.
    .. [3] Agarwal, Tan, Ronen, Singh & Yu (2022). Hierarchical shrinkage: improving the accuracy
       and interpretability of tree-based models. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta import MetaDecisionTreeClassifier, split_support_query
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=40, n_rows=40, random_state=0)
    >>> tasks = tasks.with_storage(y=np.where(tasks.y > 0, "ill", "well"))
    >>> meta = MetaDecisionTreeClassifier(random_state=0).fit(tasks[:30])
    >>> support, query = split_support_query(tasks[30:], 15)
    >>> models = meta.fit_adapt_many(support)
    >>> scores = [model.score(q.X, q.y) for model, q in zip(models, query)]
    >>> bool(np.mean(scores) > np.mean([meta.score(q.X, q.y) for q in query]))
    True
    """

    def __init__(
        self,
        *,
        max_depth: int | Literal["auto"] = "auto",
        min_samples_leaf: int | Literal["auto"] = "auto",
        node_variance: float | Literal["auto"] = "auto",
        smoothing: float | Literal["auto"] = "auto",
        split_probability: float | Literal["auto"] = "auto",
        center: bool = True,
        support_strategy: Literal["random", "first"] = "random",
        random_state: Any = None,
        preprocessor: Any = "auto",
    ):
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.node_variance = node_variance
        self.smoothing = smoothing
        self.split_probability = split_probability
        self.center = center
        self.support_strategy = support_strategy
        self.random_state = random_state
        self.preprocessor = preprocessor

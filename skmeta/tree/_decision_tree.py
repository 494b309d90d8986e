"""A decision tree that tasks share, and the values of its nodes for each task."""

from __future__ import annotations

from skmeta.base._docstrings import fill_docstring
from skmeta.tree._one_tree import OneTree
from skmeta.tree._targets import _ClassTrees, _NumberTrees


@fill_docstring
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
    {{max_depth}}
    {{min_samples_leaf}}
    node_variance : float or "auto", default="auto"
        Prior variance of a task's effect at each node, in units of the target squared. 0
        trusts the tree that tasks share without end, a large one not at all. "auto" learns one for
        each depth.
    {{smoothing}}
    {{split_probability}}
    {{center}}
    {{support_strategy}}
    {{random_state}}
    {{preprocessor}}

    Attributes
    ----------
    {{max_depth_}}
    {{node_variances_}}
    {{smoothing_}}
    {{shots_}}
    noise_variance_ : float
        Variance of the target around a task's own tree.
    {{split_probability_}}
    tree_ : DecisionTreeRegressor
        The tree that tasks share, fitted by scikit-learn.
    prior_values_ : ndarray of shape (n_nodes,)
        Value of each node before any adaptation.
    values_ : ndarray of shape (n_nodes,)
        Value of each node for the task.
    {{node_counts_}}
    {{splits_}}
    {{common_attributes}}

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


@fill_docstring
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
    {{max_depth}}
    {{min_samples_leaf}}
    node_variance : float or "auto", default="auto"
        Prior variance of a task's effect at each node, in squared log odds. 0
        trusts the tree that tasks share without end, a large one not at all. "auto" learns one for
        each depth.
    {{smoothing}}
    {{split_probability}}
    {{center}}
    {{support_strategy}}
    {{random_state}}
    {{preprocessor}}

    Attributes
    ----------
    {{classes_}}
    {{max_depth_}}
    {{node_variances_}}
    {{smoothing_}}
    {{shots_}}
    {{split_probability_}}
    tree_ : DecisionTreeRegressor
        The tree that tasks share, fitted by scikit-learn on indicators of the classes.
    prior_values_ : ndarray of shape (n_nodes, n_classes)
        Probabilities of each node before any adaptation.
    values_ : ndarray of shape (n_nodes, n_classes)
        Probabilities of each node for the task.
    {{node_counts_}}
    {{splits_}}
    {{common_attributes}}

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

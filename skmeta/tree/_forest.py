"""Forests of trees that tasks share, and each task's departure from them."""

from __future__ import annotations

from skmeta.base._docstrings import fill_docstring
from skmeta.tree._many_trees import ManyTrees
from skmeta.tree._targets import _ClassTrees, _NumberTrees


@fill_docstring
class MetaForestRegressor(ManyTrees, _NumberTrees):
    r"""Forest of regression trees that tasks share, and each task's departure from them.

    Each tree is grown on some of the tasks, with random splits [4]_. A task departs from the mean
    of the trees by effects at all their nodes, as in :class:`MetaDecisionTreeRegressor`:

    .. math:: y = \frac1B \sum_{k=1}^B \mu_k(x)
        + \frac{1}{\sqrt B} \sum_{k=1}^B \sum_{n \in \mathrm{path}_k(x)} b_{tn} + e.

    That is a Gaussian process over rows: two rows are the more alike the more nodes they share, in
    the more trees [2]_. `fit_adapt` gives its exact posterior. Nothing needs to be held out to
    learn from: for each training task there are trees that have not seen it.

    Parameters
    ----------
    {{n_estimators}}
    {{max_depth}}
    {{min_samples_leaf}}
    node_variance : float or "auto", default="auto"
        Prior variance of a task's effect at each node, in units of the target squared. 0
        trusts the trees that tasks share without end, a large one not at all. "auto" learns one for
        each depth.
    {{smoothing}}
    {{max_features}}
    {{max_tasks}}
    {{center}}
    {{support_strategy}}
    {{n_jobs}}
    {{random_state}}
    {{preprocessor}}

    Attributes
    ----------
    {{max_depth_}}
    {{node_variances_}}
    {{smoothing_}}
    {{shots_}}
    noise_variance_ : float
        Variance of the target around a task's own forest.
    estimators_ : list of DecisionTreeRegressor
        The trees, fitted by scikit-learn.
    {{common_attributes}}

    See Also
    --------
    MetaDecisionTreeRegressor : One tree, which can be looked at.

    Notes
    -----
    Adapting solves a system as large as the support; its cost grows with the cube of a task's rows.
    With a single training task there is nothing to learn from: what is "auto" is then a depth of 6,
    leaves of one row, a smoothing of 1 and variances of 0.

    References
    ----------
    .. [1] Sela & Simonoff (2012). RE-EM trees: a data mining approach for longitudinal and
       clustered data. Mach. Learn. 86, 169-207.
    .. [2] Davies & Ghahramani (2014). The random forest kernel and other kernels for big data from
       random partitions. arXiv:1402.4293.
    .. [3] Agarwal, Tan, Ronen, Singh & Yu (2022). Hierarchical shrinkage: improving the accuracy
       and interpretability of tree-based models. ICML.
    .. [4] Geurts, Ernst & Wehenkel (2006). Extremely randomized trees. Mach. Learn. 63, 3-42.

    Examples
    --------
    >>> from skmeta import MetaForestRegressor
    >>> from skmeta.datasets import make_sinusoid_tasks
    >>> tasks = make_sinusoid_tasks(n_tasks=120, random_state=0)
    >>> meta = MetaForestRegressor(random_state=0).fit(tasks[:100])
    >>> new = tasks[105]
    >>> model = meta.fit_adapt(new.X[:10], new.y[:10])
    >>> mean, std = model.predict(new.X[10:], return_std=True)
    >>> model.score(new.X[10:], new.y[10:]) > meta.score(new.X[10:], new.y[10:])
    True
    """


@fill_docstring
class MetaForestClassifier(ManyTrees, _ClassTrees):
    r"""Forest of classification trees that tasks share, and each task's departure from them.

    Each tree is grown on some of the tasks, with random splits [4]_. Within a task, the log odds of
    a class depart from those of the forest by effects at all nodes of all trees, as in
    :class:`MetaDecisionTreeClassifier`. That is a Gaussian process over rows: two rows are the more
    alike the more nodes they share, in the more trees [2]_. `fit_adapt` gives Laplace's
    approximation of its posterior, and probabilities are averaged over that. More than two classes
    are told apart one against the rest. Nothing needs to be held out to learn from: for each
    training task there are trees that have not seen it.

    Parameters
    ----------
    {{n_estimators}}
    {{max_depth}}
    {{min_samples_leaf}}
    node_variance : float or "auto", default="auto"
        Prior variance of a task's effect at each node, in squared log odds. 0
        trusts the trees that tasks share without end, a large one not at all. "auto" learns one for
        each depth.
    {{smoothing}}
    {{max_features}}
    {{max_tasks}}
    {{center}}
    {{support_strategy}}
    {{n_jobs}}
    {{random_state}}
    {{preprocessor}}

    Attributes
    ----------
    {{classes_}}
    {{max_depth_}}
    {{node_variances_}}
    {{smoothing_}}
    {{shots_}}
    estimators_ : list of DecisionTreeRegressor
        The trees, fitted by scikit-learn on indicators of the classes.
    {{common_attributes}}

    See Also
    --------
    MetaDecisionTreeClassifier : One tree, which can be looked at.

    Notes
    -----
    Adapting solves a system as large as the support; its cost grows with the cube of a task's rows.
    With a single training task there is nothing to learn from: what is "auto" is then a depth of 6,
    leaves of one row, a smoothing of 1 and variances of 0.

    References
    ----------
    .. [1] Sela & Simonoff (2012). RE-EM trees: a data mining approach for longitudinal and
       clustered data. Mach. Learn. 86, 169-207.
    .. [2] Davies & Ghahramani (2014). The random forest kernel and other kernels for big data from
       random partitions. arXiv:1402.4293.
    .. [3] Agarwal, Tan, Ronen, Singh & Yu (2022). Hierarchical shrinkage: improving the accuracy
       and interpretability of tree-based models. ICML.
    .. [4] Geurts, Ernst & Wehenkel (2006). Extremely randomized trees. Mach. Learn. 63, 3-42.

    Examples
    --------
    >>> import numpy as np
    >>> from skmeta import MetaForestClassifier, split_support_query
    >>> from skmeta.datasets import make_linear_tasks
    >>> tasks = make_linear_tasks(n_tasks=40, n_rows=40, random_state=0)
    >>> tasks = tasks.with_storage(y=np.where(tasks.y > 0, "ill", "well"))
    >>> meta = MetaForestClassifier(n_estimators=20, random_state=0).fit(tasks[:30])
    >>> support, query = split_support_query(tasks[30:], 15)
    >>> models = meta.fit_adapt_many(support)
    >>> scores = [model.score(q.X, q.y) for model, q in zip(models, query)]
    >>> bool(np.mean(scores) > np.mean([meta.score(q.X, q.y) for q in query]))
    True
    """

"""Forests of trees that tasks share, and each task's departure from them."""

from __future__ import annotations

from typing import Any, Literal

from skmeta.tree._many_trees import ManyTrees
from skmeta.tree._targets import _ClassTrees, _NumberTrees


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
    n_estimators : int, default=50
        Number of trees.
    max_depth : int or "auto", default="auto"
        Largest depth of the trees. "auto" learns it.
    min_samples_leaf : int or "auto", default="auto"
        Smallest number of training rows in a leaf. "auto" learns it.
    node_variance : float or "auto", default="auto"
        Prior variance of a task's effect at each node, in
        units of the target squared. 0 trusts the trees that tasks share
        without end, a large one not at all. "auto" learns one for each depth.
    smoothing : float or "auto", default="auto"
        Shrinkage of the shared values: how many rows that are like its parent are added to each
        node [3]_. "auto" learns it.
    max_features : float, default=0.5
        Share of the columns that are tried at each split.
    max_tasks : float, default=0.632
        Share of the training tasks that each tree is grown on.
    center : bool, default=True
        Whether to take the tasks' own levels off the target to grow the trees [1]_.
    support_strategy : {"random", "first"}, default="random"
        How the support rows of a new task will come: at random, or as the first ones of the task.
        With "first", rows of training tasks must be stored in the order of time, and how far to
        trust first rows is learned from what they said of later ones.
    n_jobs : int or None, default=None
        Threads that grow trees.
    random_state : int, RandomState instance or None, default=None
        Draws tasks, columns and splits.
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
        Variance of the target around a task's own forest.
    estimators_ : list of DecisionTreeRegressor
        The trees, fitted by scikit-learn.
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

    def __init__(
        self,
        *,
        n_estimators: int = 50,
        max_depth: int | Literal["auto"] = "auto",
        min_samples_leaf: int | Literal["auto"] = "auto",
        node_variance: float | Literal["auto"] = "auto",
        max_features: float = 0.5,
        max_tasks: float = 0.632,
        smoothing: float | Literal["auto"] = "auto",
        center: bool = True,
        support_strategy: Literal["random", "first"] = "random",
        n_jobs: int | None = None,
        random_state: Any = None,
        preprocessor: Any = "auto",
    ):
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.node_variance = node_variance
        self.max_features = max_features
        self.max_tasks = max_tasks
        self.smoothing = smoothing
        self.center = center
        self.support_strategy = support_strategy
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.preprocessor = preprocessor


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
    n_estimators : int, default=50
        Number of trees.
    max_depth : int or "auto", default="auto"
        Largest depth of the trees. "auto" learns it.
    min_samples_leaf : int or "auto", default="auto"
        Smallest number of training rows in a leaf. "auto" learns it.
    node_variance : float or "auto", default="auto"
        Prior variance of a task's effect at each node, in
        squared log odds. 0 trusts the trees that tasks share
        without end, a large one not at all. "auto" learns one for each depth.
    smoothing : float or "auto", default="auto"
        Shrinkage of the shared values: how many rows that are like its parent are added to each
        node [3]_. "auto" learns it.
    max_features : float, default=0.5
        Share of the columns that are tried at each split.
    max_tasks : float, default=0.632
        Share of the training tasks that each tree is grown on.
    center : bool, default=True
        Whether to take the tasks' own levels off the target to grow the trees [1]_.
    support_strategy : {"random", "first"}, default="random"
        How the support rows of a new task will come: at random, or as the first ones of the task.
        With "first", rows of training tasks must be stored in the order of time, and how far to
        trust first rows is learned from what they said of later ones.
    n_jobs : int or None, default=None
        Threads that grow trees.
    random_state : int, RandomState instance or None, default=None
        Draws tasks, columns and splits.
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
    estimators_ : list of DecisionTreeRegressor
        The trees, fitted by scikit-learn on indicators of the classes.
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

    def __init__(
        self,
        *,
        n_estimators: int = 50,
        max_depth: int | Literal["auto"] = "auto",
        min_samples_leaf: int | Literal["auto"] = "auto",
        node_variance: float | Literal["auto"] = "auto",
        max_features: float = 0.5,
        max_tasks: float = 0.632,
        smoothing: float | Literal["auto"] = "auto",
        center: bool = True,
        support_strategy: Literal["random", "first"] = "random",
        n_jobs: int | None = None,
        random_state: Any = None,
        preprocessor: Any = "auto",
    ):
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.node_variance = node_variance
        self.max_features = max_features
        self.max_tasks = max_tasks
        self.smoothing = smoothing
        self.center = center
        self.support_strategy = support_strategy
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.preprocessor = preprocessor

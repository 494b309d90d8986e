"""What trees and forests, of numbers and of classes, say of their parameters and attributes.

References are those of the classes: the first is RE-EM trees, the third hierarchical shrinkage.
"""

TREE_DOCS = {
    "min_samples_leaf": """
        min_samples_leaf : int or "auto", default="auto"
            Smallest number of training rows in a leaf. "auto" learns it.""",
    "smoothing": """
        smoothing : float or "auto", default="auto"
            Shrinkage of the shared values: how many rows that are like its parent are added to each
            node [3]_. "auto" learns it.""",
    "support_strategy": """
        support_strategy : {"random", "first"}, default="random"
            How the support rows of a new task will come: at random, or as the first ones of the
            task. With "first", rows of training tasks must be stored in the order of time, and how
            far to trust first rows is learned from what they said of later ones.""",
    "max_depth_": """
        max_depth_, min_samples_leaf_ : int
            The meta-parameters in use.""",
    "node_variances_": """
        node_variances_ : ndarray of shape (max_depth_ + 1,)
            Prior variance of a task's effects at the nodes of each depth, the root first: how far
            tasks depart from what they share.""",
    "smoothing_": """
        smoothing_ : float
            The shrinkage of the shared values in use.""",
    "shots_": """
        shots_, trust_ : ndarray of shape (n_shots,)
            Numbers of support rows, and for each the correlation of a task's departure in its
            support with that in its later rows: 0 does not adapt. 1 with
            `support_strategy="random"`.""",
}
ONE_TREE_DOCS = {
    "max_depth": """
        max_depth : int or "auto", default="auto"
            Largest depth of the tree. "auto" learns it.""",
    "split_probability": """
        split_probability : float or "auto", default="auto"
            Prior probability that a task splits a leaf of its own accord, each leaf once at most; 0
            leaves the structure to the tasks together. "auto" learns it.""",
    "center": """
        center : bool, default=True
            Whether to take the tasks' own levels off the target to grow the tree.""",
    "random_state": """
        random_state : int, RandomState instance or None, default=None
            Draws the order in which columns are tried, which decides between equal splits.""",
    "split_probability_": """
        split_probability_ : float
            Prior probability of a split of a task's own.""",
    "node_counts_": """
        node_counts_ : ndarray of shape (n_nodes,)
            Support rows that pass each node.""",
    "splits_": """
        splits_ : dict
            Leaves that the task splits: column, threshold, and values left and right of it.""",
}
FOREST_DOCS = {
    "n_estimators": """
        n_estimators : int, default=50
            Number of trees.""",
    "max_depth": """
        max_depth : int or "auto", default="auto"
            Largest depth of the trees. "auto" learns it.""",
    "max_features": """
        max_features : float, default=0.5
            Share of the columns that are tried at each split.""",
    "max_tasks": """
        max_tasks : float, default=0.632
            Share of the training tasks that each tree is grown on.""",
    "center": """
        center : bool, default=True
            Whether to take the tasks' own levels off the target to grow the trees [1]_.""",
    "n_jobs": """
        n_jobs : int or None, default=None
            Threads that grow trees.""",
    "random_state": """
        random_state : int, RandomState instance or None, default=None
            Draws tasks, columns and splits.""",
}

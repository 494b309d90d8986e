"""What learners that weigh others say of their parameters and attributes."""

STACKING_DOCS = {
    "shots": """
        shots : array-like of int, default=(0, 2, 5, 10, 20)
            Numbers of support rows to validate at. Those that leave no query row to half of the
            training tasks are left out, unless there are 120 tasks that are larger.""",
    "n_folds": """
        n_folds : int, default=3
            Folds over tasks.""",
    "support_strategy": """
        support_strategy : {"random", "first"}, default="random"
            How the rows of a new task will come: at random, or as the first ones in the order of
            the table (growth, time). Supports for validation are drawn that way.""",
    "guard": """
        guard : bool, default=True
            Whether weights have to beat a pooled model.""",
    "preprocessor": """
        preprocessor : "auto", None or transformer, default="auto"
            "auto" gives rows to the candidates as they are: each has a preprocessor of its own. A
            transformer is fitted on the rows of the training tasks and comes before those. None
            refuses what is not a number.""",
    "random_state": """
        random_state : int, default=0
            Seed of the folds and of the draws.""",
    "estimators_": """
        estimators_ : list of meta-learner or None
            The candidates, fitted on all tasks; None for those without weight.""",
    "named_estimators_": """
        named_estimators_ : Bunch
            The same by name.""",
    "shots_": """
        shots_ : ndarray of shape (n_shots,)
            Numbers of support rows at which weights were learned.""",
    "weights_": """
        weights_ : ndarray of shape (n_shots, n_candidates)
            Weights at these numbers.""",
    "report_": """
        report_ : StackingReport
            What each candidate scored, which was chosen and why; `print` it.""",
    "preprocessor_": """
        preprocessor_ : transformer or None
            The fitted preprocessor; None with "auto".""",
    "shared_target_": """
        shared_target_ : bool
            Whether the target means the same in all tasks, which it must.""",
}

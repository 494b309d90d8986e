"""The reference as data: which page, under which heading, lists which public name.

`tests/test_docs_reference.py` fails for a public name that stands nowhere here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """Names under one heading; `module` is where users import them from."""

    title: str
    names: tuple[str, ...]
    module: str = "skmeta"


@dataclass(frozen=True)
class Part:
    """A page of the reference."""

    page: str
    title: str
    text: str
    sections: tuple[Section, ...]


def _pair(*stems):
    """Names of learners that are there for classes and for numbers."""
    return tuple(stem + kind for stem in stems for kind in ("Classifier", "Regressor"))


REFERENCE = (
    Part(
        "tasks",
        "Tasks and data",
        "A task is a small table with its target; learners learn from collections of them.",
        (
            Section(
                "Tasks",
                (
                    "Task",
                    "TaskCollection",
                    "NWayTasks",
                    "make_n_way_tasks",
                    "split_support_query",
                ),
            ),
            Section(
                "Generated tasks",
                ("make_linear_tasks", "make_sinusoid_tasks", "make_prior_tables"),
                "skmeta.datasets",
            ),
            Section("Fetched tasks", ("fetch_movielens", "fetch_omniglot"), "skmeta.datasets"),
        ),
    ),
    Part(
        "learners",
        "Learners",
        "Each has ``fit`` over tasks and ``fit_adapt`` for the rows of a new one.",
        (
            Section("Choose for me", _pair("AutoMeta", "MetaStacking") + ("StackingReport",)),
            Section("Boosting and pooled models", _pair("MetaBoosting", "Pooled")),
            Section("Linear models", ("MetaRidgeRegressor", "MetaLogisticRegression")),
            Section("Support vector machines", ("MetaSVC", "MetaSVR")),
            Section("Trees", _pair("MetaDecisionTree", "MetaForest")),
            Section("Showing trees", ("export_text", "plot_tree"), "skmeta.tree"),
            Section(
                "Closed form on a learned embedding",
                (
                    *_pair("RidgeHead"),
                    "LogisticHeadClassifier",
                    "SVMHeadClassifier",
                    "BayesianLinearRegressor",
                    *_pair("DeepKernel"),
                ),
            ),
            Section(
                "Metrics on a learned embedding",
                ("PrototypeClassifier", "MatchingClassifier", "RelationClassifier"),
            ),
            Section(
                "Gradient steps",
                _pair(
                    "MAML",
                    "MetaSGD",
                    "MetaGradientDescent",
                    "ANIL",
                    "BiasMAML",
                    "CAVIA",
                    "Reptile",
                    "IMAML",
                    "LearnedOptimizer",
                    "BayesianMAML",
                ),
            ),
            Section("Amortised", _pair("NeuralProcess", "HyperNetwork", "InContext")),
        ),
    ),
    Part(
        "ordinary",
        "Ordinary estimators",
        "Views that make a meta-learner an estimator like any other of scikit-learn.",
        (
            Section("The rows of one task", _pair("FewShot")),
            Section("One table with a column of tasks", _pair("Taskwise")),
        ),
    ),
    Part(
        "model_selection",
        "Choosing and searching",
        "Scores over tasks, and searches that learn from other searches.",
        (
            Section(
                "Scores over tasks",
                ("few_shot_scorer", "FewShotScorer", "cross_val_few_shot"),
                "skmeta.model_selection",
            ),
            Section(
                "Hyperparameters",
                (
                    "MetaSearchCV",
                    "HypergradientSearchCV",
                    "HyperparameterPrior",
                    "TransferSampler",
                    "one_standard_error",
                    "metafeatures",
                    "MetaFeatures",
                ),
                "skmeta.model_selection",
            ),
        ),
    ),
    Part(
        "inspection",
        "Pictures",
        "Displays in the manner of scikit-learn.",
        (
            Section(
                "Learners over tasks",
                (
                    "AdaptationCurveDisplay",
                    "TaskErrorDisplay",
                    "TaskCalibrationDisplay",
                    "ShrinkageDisplay",
                ),
                "skmeta.inspection",
            ),
            Section(
                "Searches",
                (
                    "SearchProgressDisplay",
                    "HyperparameterImportanceDisplay",
                    "GoodValuesDisplay",
                ),
                "skmeta.inspection",
            ),
        ),
    ),
    Part(
        "saving",
        "Saving and loading",
        "Files that run no code when they are read.",
        (Section("Files", ("save", "load", "PersistenceError")),),
    ),
    Part(
        "own_learners",
        "For learners of your own",
        "What a learner inherits, and what checks it.",
        (
            Section(
                "Base classes", ("BaseMetaLearner", "MetaClassifierMixin", "MetaRegressorMixin")
            ),
            Section("Errors", ("TrainingDivergedError",)),
            Section("Checks", ("check_meta_learner", "all_meta_learners"), "skmeta.testing"),
        ),
    ),
)

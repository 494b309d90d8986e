"""Bad input: what was tried, and the message it gives; `docs/bad_input.md` shows this table."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skmeta import (
    FewShotRegressor,
    MAMLClassifier,
    MAMLRegressor,
    MetaRidgeRegressor,
    PrototypeClassifier,
    Task,
    TaskCollection,
    TaskwiseRegressor,
    make_n_way_tasks,
)
from skmeta.datasets import make_linear_tasks
from skmeta.model_selection import few_shot_scorer

TASKS = make_linear_tasks(6, 8, 2, random_state=0)
X, Y = TASKS[0].X, TASKS[0].y
LABELS = np.array(["no", "yes"] * 4)
META = MetaRidgeRegressor().fit(TASKS)
SHARED = TaskCollection(TASKS.X, np.tile(LABELS, 6), TASKS.offsets)
N_WAY = make_n_way_tasks(TASKS.X, np.arange(48) % 4, n_way=2, n_query=3, n_tasks=5, random_state=0)
FRAME = pd.DataFrame(X, columns=["age", "dose"])
FRAME_META = MetaRidgeRegressor().fit(pd.DataFrame(TASKS.X, columns=["age", "dose"]), TASKS.y)


def _with(X, value):
    X = X.copy()
    X[1, 1] = value
    return X


@dataclass
class Case:
    """What was tried, how, and what the message says."""

    what: str
    call: object
    error: type
    message: str


CASES = [
    Case(
        "a collection without tasks",
        lambda: MetaRidgeRegressor().fit(TASKS[:0]),
        ValueError,
        "Found no task with rows; MetaRidgeRegressor needs at least one task.",
    ),
    Case(
        "an empty list of tasks",
        lambda: TaskCollection.from_tasks([]),
        ValueError,
        "Found no task: a collection needs at least one.",
    ),
    Case(
        "something else in a list of tasks",
        lambda: MetaRidgeRegressor().fit([TASKS[0], (X, Y)]),
        TypeError,
        "Expected tasks, got tuple at position 1.",
    ),
    Case(
        "tasks and `y`",
        lambda: MetaRidgeRegressor().fit(TASKS, TASKS.y),
        ValueError,
        "X holds tasks, which have their targets: y and task_id must be None.",
    ),
    Case(
        "tasks with different columns",
        lambda: MetaRidgeRegressor().fit([Task(X, Y), Task(X[:, :1], Y)]),
        ValueError,
        "MetaRidgeRegressor needs tasks with the same columns, got TaskCollection(n_tasks=2, "
        "n_rows=16, n_features=1 to 2).",
    ),
    Case(
        "a missing task id",
        lambda: MetaRidgeRegressor().fit(X, Y, task_id=[1, 1, 1, 1, 2, 2, 2, np.nan]),
        ValueError,
        "task_id is missing in 1 of 8 rows.",
    ),
    Case(
        "a target that is too short",
        lambda: Task(X, Y[:-1]),
        ValueError,
        "X and y have inconsistent numbers of rows: X has 8, y has 7.",
    ),
    Case(
        "one-dimensional rows",
        lambda: Task(X[0], Y[:2]),
        ValueError,
        "X must be two-dimensional (rows, features), got an array of shape (2,).",
    ),
    Case(
        "a data frame with duplicate columns",
        lambda: MetaRidgeRegressor().fit(pd.DataFrame(X, columns=["age", "age"]), Y),
        ValueError,
        "X has duplicate column names: age. Column names must be unique.",
    ),
    Case(
        "a target column that is not there",
        lambda: TaskCollection.from_frame(FRAME, target="y", task="age"),
        ValueError,
        "df has no column named 'y'; it has 'age', 'dose'.",
    ),
    Case(
        "dates among the columns",
        lambda: MetaRidgeRegressor().fit(FRAME.assign(day=pd.Timestamp("2026-01-01")), Y),
        TypeError,
        "Column 'day' holds dates or times",
    ),
    Case(
        "infinity in X",
        lambda: MetaRidgeRegressor().fit(_with(X, np.inf), Y),
        ValueError,
        "Input X contains infinity",
    ),
    Case(
        "NaN in X without a preprocessor",
        lambda: MetaRidgeRegressor(preprocessor=None).fit(_with(X, np.nan), Y),
        ValueError,
        "Input X contains NaN.",
    ),
    Case(
        "NaN in y",
        lambda: META.fit_adapt(X, np.where(np.arange(8) == 1, np.nan, Y)),
        ValueError,
        "Input y contains NaN.",
    ),
    Case(
        "a support without rows",
        lambda: META.fit_adapt(X[:0], Y[:0]),
        ValueError,
        "Found array with 0 sample(s) (shape=(0, 2)) while a minimum of 1 is required",
    ),
    Case(
        "a support with other columns",
        lambda: META.fit_adapt(X[:, :1], Y),
        ValueError,
        "X has 1 features, but MetaRidgeRegressor is expecting 2 features as input.",
    ),
    Case(
        "a query with other column names",
        lambda: FRAME_META.predict(FRAME.rename(columns={"dose": "weight"})),
        ValueError,
        "The feature names should match those that were passed during fit.",
    ),
    Case(
        "text in a column that held numbers",
        lambda: FRAME_META.predict(FRAME.assign(dose="high")),
        ValueError,
        "Column 'dose' held numbers in training",
    ),
    Case(
        "adapting before learning",
        lambda: MetaRidgeRegressor().fit_adapt(X, Y),
        ValueError,
        "This MetaRidgeRegressor instance is not fitted yet.",
    ),
    Case(
        "predicting before adapting where classes are a task's own",
        lambda: PrototypeClassifier(module=None).fit(N_WAY).predict(X),
        ValueError,
        "cannot predict before it has seen labelled rows of a task. Call "
        "`fit_adapt(X_support, y_support)`",
    ),
    Case(
        "a class that no training task had",
        lambda: MAMLClassifier(max_epochs=1).fit(SHARED).fit_adapt(X, ["maybe"] * 8),
        ValueError,
        "y has unknown classes ['maybe']: the classes of the training tasks are ['no', 'yes'].",
    ),
    Case(
        "more classes than the network has outputs",
        lambda: MAMLClassifier(max_epochs=1).fit(N_WAY).fit_adapt(X, np.arange(8) % 3),
        ValueError,
        "The support has 3 classes, but training tasks had at most 2, and MAMLClassifier has one "
        "output for each.",
    ),
    Case(
        "numbers where classes are expected",
        lambda: PrototypeClassifier(module=None).fit(TASKS),
        ValueError,
        "Unknown label type: continuous.",
    ),
    Case(
        "n-way tasks from too few classes",
        lambda: make_n_way_tasks(X, LABELS, n_way=5),
        ValueError,
        "n_way=5 classes asked for, but y has only 2.",
    ),
    Case(
        "n-way tasks from too few rows of a class",
        lambda: make_n_way_tasks(X, LABELS, n_way=2),
        ValueError,
        "Every class needs n_support + n_query = 16 rows, but class 'no' has 4.",
    ),
    Case(
        "a parameter out of range",
        lambda: MAMLRegressor(inner_lr=0.0).fit(TASKS),
        ValueError,
        "The 'inner_lr' parameter of MAMLRegressor must be a float in the range (0.0, inf). Got "
        "0.0 instead.",
    ),
    Case(
        "a preprocessor that does not exist",
        lambda: MetaRidgeRegressor(preprocessor="standard").fit(TASKS),
        ValueError,
        "The 'preprocessor' parameter of MetaRidgeRegressor must be a str among {'auto'}, an "
        "object implementing 'transform' or None. Got 'standard' instead.",
    ),
    Case(
        "learning rates that are too high",
        lambda: MAMLRegressor(inner_lr=1e25, max_epochs=2, random_state=0).fit(TASKS),
        ArithmeticError,
        "in epoch 1. The weights of epoch 0 were restored. Lower the learning rates",
    ),
    Case(
        "supports that adapting diverges on",
        lambda: (
            MAMLRegressor(max_epochs=1, preprocessor=None, random_state=0)
            .fit(TASKS)
            .fit_adapt_many([Task(1e80 * X, Y, name="far"), TASKS[1]])
        ),
        ArithmeticError,
        "Adapting to 1 of 2 tasks diverged: far; weights became NaN.",
    ),
    Case(
        "another way to treat supports that adapting diverges on",
        lambda: META.fit_adapt_many(TASKS, on_error="ignore"),
        ValueError,
        "on_error must be 'raise' or 'warn', got 'ignore'.",
    ),
    Case(
        "a checkpoint without a seed",
        lambda: MAMLRegressor(checkpoint="training.pt").fit(TASKS),
        ValueError,
        "To resume from a checkpoint, random_state must be an integer.",
    ),
    Case(
        "a view of a meta-learner that is not fitted",
        lambda: FewShotRegressor(MetaRidgeRegressor()).fit(X, Y),
        ValueError,
        "The meta-learner of FewShotRegressor is not fitted: fit it on tasks first.",
    ),
    Case(
        "a view of something else",
        lambda: TaskwiseRegressor(meta=None).fit(X, Y),
        TypeError,
        "The `meta` parameter of TaskwiseRegressor must be a meta-learner, got None.",
    ),
    Case(
        "a task column that is not there",
        lambda: TaskwiseRegressor(META, task="patient").fit(FRAME, Y),
        ValueError,
        "task='patient' is not a column of X: ['age', 'dose'].",
    ),
    Case(
        "scores of tasks that are too small",
        lambda: few_shot_scorer(5)(META, [Task(X[:1], Y[:1])]),
        ValueError,
        "The score is undefined for every task: they have too few rows.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_bad_input(case):
    with pytest.raises(case.error) as caught:
        case.call()
    assert case.message in " ".join(str(caught.value).split())


def page() -> str:
    """The page of the documentation."""
    rows = [f"| {c.what} | `{c.error.__name__}` | {c.message.replace('|', '/')} |" for c in CASES]
    return "\n".join(
        [
            "# What happens with bad input",
            "",
            "Every row is a test (`tests/test_bad_input.py`): input of this kind raises this",
            "error, whose message says this. But for what diverges, no work has begun by then.",
            "",
            "| input | error | message |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def test_the_page_shows_this_table():
    assert (Path(__file__).parents[1] / "docs" / "bad_input.md").read_text() == page()


if __name__ == "__main__":
    (Path(__file__).parents[1] / "docs" / "bad_input.md").write_text(page())

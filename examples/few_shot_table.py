"""Does meta-learning help on a table of yours?

A table with a column that says which patient, store or machine a row is from is a collection of
tasks, one for each of them. This program holds out 30 % of the tasks, learns from the others,
adapts to k rows of each held-out task and predicts its remaining rows::

    python few_shot_table.py TABLE.csv --target y --task patient

Beside the meta-learners it tries ordinary models: boosting and a linear model fitted to the rows of
all training tasks together, without adapting to a new one ("pooled"), and the linear model fitted
to the k rows alone. All of them see the same rows; gaps, strings and scales are taken care of in
the same way.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import argparse
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.multiclass import type_of_target

from skmeta import (
    MAMLClassifier,
    MAMLRegressor,
    MetaLogisticRegression,
    MetaRidgeRegressor,
    PrototypeClassifier,
    TaskCollection,
    split_support_query,
)
from skmeta.base import TablePreprocessor

DEFAULT_SHOTS = [5, 10, 20]
MAX_CLASSES = 10  # more whole numbers than these are a quantity, unless --kind says otherwise
MIN_TASKS = 5


class UnusableTableError(Exception):
    """The table does not allow what was asked for."""


# ------------------------------------------------------------------ regression and classification


class Regression:
    """The target is a quantity."""

    linear = RidgeCV(np.logspace(-3, 3, 13))
    boosting = HistGradientBoostingRegressor(random_state=0)
    meta = {"MetaRidge": MetaRidgeRegressor(), "MAML": MAMLRegressor(random_state=0)}
    best = {"Root mean squared error": min}  # how to choose among the values of a score

    def __init__(self, train, test):
        if not np.issubdtype(train.y.dtype, np.number):
            raise UnusableTableError("regression needs a target of numbers")

    def predict(self, model, X):
        """Predict numbers."""
        return model.predict(X)

    def predict_alone(self, model, support, query):
        """Predict the query rows of a task with a model of its support alone."""
        model = clone(model) if support.n_rows > 1 else DummyRegressor()
        return model.fit(support.X, support.y).predict(query.X)

    def scores(self, predicted, query):
        """Score the predictions for each task."""
        return {"Root mean squared error": np.sqrt(task_means((predicted - query.y) ** 2, query))}


class Classification:
    """The target is a class."""

    linear = LogisticRegression(max_iter=1000)
    boosting = HistGradientBoostingClassifier(random_state=0)
    meta = {
        "MetaLogistic": MetaLogisticRegression(),
        "Prototypes": PrototypeClassifier(random_state=0),
        "MAML": MAMLClassifier(random_state=0),
    }
    best = {"Log-loss": min, "Accuracy": max}

    def __init__(self, train, test):
        self.classes = np.unique(train.y)
        if type_of_target(self.classes) == "continuous":
            raise UnusableTableError("classification needs a target of classes, not of fractions")
        if len(self.classes) == 1:
            raise UnusableTableError(f"training tasks have a single class, {self.classes[0]}")
        if len(unknown := np.setdiff1d(test.y, self.classes)):
            raise UnusableTableError(
                f"only held-out tasks have the class {unknown[0]}: leave its rows out, or try "
                "another --seed"
            )

    def predict(self, model, X):
        """Predict the probability of each class; zero for those that the model has never seen."""
        proba = np.zeros((len(X), len(self.classes)))
        proba[:, np.searchsorted(self.classes, model.classes_)] = model.predict_proba(X)
        return proba

    def predict_alone(self, model, support, query):
        """Predict the query rows of a task with a model of its support alone.

        One more row's worth of doubt, spread over all classes, keeps its log-loss finite: a few
        rows often lack a class, and sometimes have just one.
        """
        model = clone(model) if len(np.unique(support.y)) > 1 else DummyClassifier()
        proba = self.predict(model.fit(support.X, support.y), query.X)
        return (support.n_rows * proba + 1 / len(self.classes)) / (support.n_rows + 1)

    def scores(self, predicted, query):
        """Score the predictions for each task."""
        truth = np.searchsorted(self.classes, query.y)
        proba = np.maximum(predicted[np.arange(len(truth)), truth], 1e-15)
        return {
            "Log-loss": task_means(-np.log(proba), query),
            "Accuracy": task_means(predicted.argmax(axis=1) == truth, query),
        }


KINDS = {"regression": Regression, "classification": Classification}


def task_means(values, tasks):
    """Mean over the rows of each task of a value of each row."""
    return np.bincount(tasks.row_task, values) / tasks.sizes


# ---------------------------------------------------------------------------------- the experiment


def main(argv=None):
    """Run the program; returns the exit status."""
    options = parse_arguments(argv)
    try:
        experiment(read_table(options), options)
    except UnusableTableError as error:
        print(f"few_shot_table: error: {error}", file=sys.stderr)
        return 2
    return 0


def experiment(frame, options):
    """Learn, adapt, and print how well the held-out tasks are predicted."""
    tasks = TaskCollection.from_frame(frame, target=options.target, task=options.task)
    train, test = train_test_split(tasks, test_size=0.3, random_state=options.seed)
    shots = possible_shots(test, options.shots)
    name = options.kind or infer_kind(frame[options.target])
    kind = KINDS[name](train, test)
    print(f"{options.table.name}: {tasks}, {name}")
    print(f"{len(train)} tasks to learn from, {len(test)} held out")
    methods = fit_methods(kind, train)
    scores = {k: evaluate(kind, methods, test, k, options) for k in shots}
    for metric in kind.best:
        report(kind, metric, scores)


def possible_shots(tasks, wanted):
    """Numbers of shots that leave at least two of the tasks rows to predict."""
    largest = np.sort(tasks.sizes)[-2] - 1
    shots = sorted(set(wanted)) if wanted else [k for k in DEFAULT_SHOTS if k <= largest]
    if not shots or shots[-1] > largest:
        raise UnusableTableError(
            f"held-out tasks are too small for {max(shots, default=DEFAULT_SHOTS[0])} shots: they "
            f"allow --shots up to {largest}"
        )
    return shots


def fit_methods(kind, train):
    """Fit to the training tasks; each method predicts the query rows of tasks, given supports."""
    prepare = FrozenEstimator(TablePreprocessor().fit(train.X))
    linear, boosting = (make_pipeline(prepare, model) for model in (kind.linear, kind.boosting))
    methods = {
        "linear, k rows alone": alone(kind, linear),
        "linear, pooled": pooled(kind, linear, train),
        "boosting, pooled": pooled(kind, boosting, train),
    }
    for name, meta in kind.meta.items():
        start = perf_counter()
        methods[name] = adapted(kind, meta, train)
        print(f"{name} learned in {perf_counter() - start:.1f} s")
    return methods


def pooled(kind, model, train):
    """Fit an ordinary model to all training rows; it makes nothing of a support."""
    model = clone(model).fit(train.X, train.y)
    return lambda support, query: kind.predict(model, query.X)


def alone(kind, model):
    """Leave an ordinary model to be fitted to each support."""

    def predict(support, query):
        pairs = zip(support, query, strict=True)
        return np.concatenate([kind.predict_alone(model, *pair) for pair in pairs])

    return predict


def adapted(kind, meta, train):
    """Fit a meta-learner to the training tasks, to be adapted to each support."""
    meta = clone(meta).fit(train)

    def predict(support, query):
        pairs = zip(meta.fit_adapt_many(support), query, strict=True)
        return np.concatenate([kind.predict(model, task.X) for model, task in pairs])

    return predict


def evaluate(kind, methods, tasks, k, options):
    """Score each method on the tasks with more than k rows, having seen k of them."""
    support, query = split_support_query(
        tasks[tasks.sizes > k],
        k,
        strategy="first" if options.first else "random",
        random_state=options.seed,
    )
    return {m: kind.scores(predict(support, query), query) for m, predict in methods.items()}


# -------------------------------------------------------------------------------------- the report


def report(kind, metric, scores):
    """Print means over tasks of a metric, and how meta-learners differ from ordinary models.

    `scores[k][method][metric]` holds one number for each task.
    """
    means, gains = {}, {}
    for k, methods in scores.items():
        values = {name: by_metric[metric] for name, by_metric in methods.items()}
        ordinary = [name for name in values if name not in kind.meta]
        best = kind.best[metric](ordinary, key=lambda name: values[name].mean())
        column = f"k = {k}, {len(values[best])} tasks"
        means[column] = {name: with_interval(values[name]) for name in values}
        gains[column] = {name: with_interval(values[name] - values[best]) for name in kind.meta}
    print(f"\n{metric}: mean over tasks, and 95 % interval")
    print(pd.DataFrame(means).to_string())
    print("Difference to the best of the ordinary models, task by task")
    print(pd.DataFrame(gains).to_string())


def with_interval(values):
    """Write the mean of a value of each task, and its 95 % confidence interval."""
    mean, half = np.mean(values), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    n_digits = max(1 - int(np.floor(np.log10(half))), 0) if half > 1e-6 * abs(mean) else 2
    return f"{mean:z.{n_digits}f} ± {half:.{n_digits}f}"


# ------------------------------------------------------------------ the command line and the table


def parse_arguments(argv):
    """Read the command line."""
    what, *_ = __doc__.splitlines()
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("table", type=Path, help="a CSV file, compressed or not")
    parser.add_argument("--target", required=True, help="the column to predict")
    parser.add_argument("--task", required=True, help="the column that says whose row it is")
    parser.add_argument(
        "--shots",
        type=positive,
        nargs="+",
        metavar="K",
        help="numbers of rows to adapt to (default: 5, 10 and 20, where tasks are large enough)",
    )
    parser.add_argument(
        "--first",
        action="store_true",
        help="adapt to the first rows of a task, not to random ones: for rows in order of time",
    )
    parser.add_argument(
        "--kind", choices=list(KINDS), help="what the target is (default: what it looks like)"
    )
    parser.add_argument(
        "--max-rows",
        type=positive,
        default=20_000,
        metavar="N",
        help="leave out tasks at random until no more rows are left (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random choices (default: 0)")
    return parser.parse_args(argv)


def positive(text):
    """Parse an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def read_table(options):
    """Read the table and check that it can be used."""
    try:
        frame = pd.read_csv(options.table)
    except (OSError, ValueError) as error:
        raise UnusableTableError(f"cannot read {options.table}: {one_line(error)}") from error
    named = [options.target, options.task]
    if missing := [name for name in named if name not in frame]:
        raise UnusableTableError(f"no column {listed(missing)}; there are {listed(frame.columns)}")
    if len({*named}) < 2 or frame.shape[1] < 3:
        raise UnusableTableError("needed are a target, a task and at least one more column")
    usable = frame.dropna(subset=named).replace([np.inf, -np.inf], np.nan)
    if len(usable) < len(frame):
        print(f"Left out {len(frame) - len(usable)} rows without a target or a task.")
    return leave_out_tasks(usable.infer_objects(), options)


def leave_out_tasks(frame, options):
    """Leave out tasks at random where the table is too large."""
    sizes = frame[options.task].value_counts(sort=False).sample(frac=1, random_state=options.seed)
    kept = sizes.index[sizes.cumsum() <= options.max_rows]
    if len(kept) < MIN_TASKS:
        limit = "" if len(kept) == len(sizes) else f" with --max-rows {options.max_rows}"
        raise UnusableTableError(
            f"at least {MIN_TASKS} tasks are needed; column {options.task!r} has {len(kept)}{limit}"
        )
    if len(kept) < len(sizes):
        print(f"Left out {len(sizes) - len(kept)} of {len(sizes)} tasks, for --max-rows.")
    return frame[frame[options.task].isin(kept)]


def infer_kind(target):
    """Text, truth values and a few different whole numbers are classes."""
    values = target.unique()
    if not pd.api.types.is_numeric_dtype(target) or len(values) == 2:
        return "classification"
    is_whole = np.all(values == np.round(values))
    return "classification" if is_whole and len(values) <= MAX_CLASSES else "regression"


def listed(names):
    """Write names in a row."""
    return ", ".join(map(repr, names))


def one_line(error):
    """Write what an error says in one line."""
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())

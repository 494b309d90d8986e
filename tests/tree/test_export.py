"""Text and picture of a tree."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from tree_tasks import as_classes, make_tree_tasks

from skmeta import (
    MetaDecisionTreeClassifier,
    MetaDecisionTreeRegressor,
    MetaForestRegressor,
    TaskCollection,
)
from skmeta.tree import export_text, plot_tree


@pytest.fixture(scope="module")
def tasks():
    return make_tree_tasks(30)[0]


def test_text_has_a_line_for_each_node(tasks):
    meta = MetaDecisionTreeRegressor(max_depth=2, random_state=0).fit(tasks)
    model = meta.fit_adapt(tasks[0].X, tasks[0].y)
    lines = export_text(model).splitlines()
    assert len(lines) == model.tree_.tree_.node_count == 7
    assert lines[0] == f"root: {meta.values_[0]:.2f} -> {model.values_[0]:.2f} [30]"
    assert lines[1].startswith("|--- x0 <= ")
    assert lines[2].startswith("|   |--- x1 <= ")
    assert lines[4].startswith("|--- x0 >  ")


def test_thresholds_are_in_the_units_of_the_table(tasks):
    frame = pd.DataFrame(1000 + 100 * tasks.X, columns=["dose", "age"])
    tasks = TaskCollection(frame, tasks.y, tasks.offsets)
    meta = MetaDecisionTreeRegressor(max_depth=1, random_state=0).fit(tasks)
    threshold = float(export_text(meta).splitlines()[1].split("<=")[1].split(":")[0])
    assert abs(threshold - 1000) < 20
    assert "dose <= " in export_text(meta)
    assert "A <= " in export_text(meta, feature_names=["A", "B"])


def test_own_splits_and_probabilities_are_shown(tasks):
    meta = MetaDecisionTreeClassifier(max_depth=1, split_probability=0.9, random_state=0)
    meta.fit(as_classes(tasks))
    X = np.random.default_rng(0).uniform(-1, 1, size=(60, 2))
    text = export_text(meta.fit_adapt(X, np.where(X[:, 1] > 0, "ill", "a well")))
    assert text.count("own split") in (2, 4)
    assert text.startswith("root: (0.")


def test_picture(tasks):
    meta = MetaDecisionTreeRegressor(max_depth=2, random_state=0).fit(tasks)
    figure, ax = plt.subplots()
    texts = plot_tree(meta.fit_adapt(tasks[0].X, tasks[0].y), ax=ax, decimals=1)
    assert len(texts) == 7
    assert all(" -> " in text.get_text() for text in texts)
    plt.close(figure)


def test_errors(tasks):
    with pytest.raises(TypeError, match="meta decision tree, got MetaForestRegressor"):
        export_text(MetaForestRegressor())
    with pytest.raises(NotFittedError):
        export_text(MetaDecisionTreeRegressor())
    meta = MetaDecisionTreeRegressor(max_depth=1).fit(tasks)
    with pytest.raises(ValueError, match="feature_names must have 2 names, got 1"):
        export_text(meta, feature_names=["dose"])

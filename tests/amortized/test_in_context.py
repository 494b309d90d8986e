from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from skmeta import (
    FewShotClassifier,
    InContextClassifier,
    InContextRegressor,
    Task,
    TaskCollection,
    split_support_query,
)
from skmeta.amortized._table_episodes import BothEpisodes, TableEpisodes
from skmeta.datasets import make_prior_tables
from skmeta.nets import TableTransformer
from skmeta.testing._checks._tools import make_tasks

TINY = partial(TableTransformer, n_units=8, n_heads=1, n_layers=1)


@pytest.fixture(scope="module")
def tables():
    return make_prior_tables(24, n_rows=30, random_state=0)


@pytest.fixture(scope="module")
def meta(tables):
    return InContextClassifier(module=TINY, max_epochs=2, random_state=0).fit(tables)


def test_every_task_has_its_own_columns_and_classes(meta, tables):
    support, query = split_support_query(tables, 12, stratify=True)
    models = meta.fit_adapt_many(support)
    for model, s, q in zip(models, support, query, strict=True):
        assert model.n_features_in_ == s.n_features
        alone = meta.fit_adapt(s.X, s.y).predict_proba(q.X)
        assert_allclose(model.predict_proba(q.X), alone)
        assert_allclose(alone.sum(axis=1), 1.0)
    with pytest.raises(ValueError, match="features"):
        models[0].predict(np.zeros((2, support[0].n_features + 1)))
    assert np.isfinite(meta.score(tables))


def test_nothing_is_predicted_before_a_support(meta):
    with pytest.raises(NotFittedError, match="fit_adapt"):
        meta.predict([[0.0]])
    assert not hasattr(meta, "n_features_in_")


def test_order_and_units_of_features(meta, tables):
    task = tables[0]
    X = np.random.default_rng(0).permuted(task.X, axis=1)
    order = np.random.default_rng(1).permutation(task.n_features)
    expected = meta.fit_adapt(X[:20], task.y[:20]).predict_proba(X[20:])
    other = (X * 3.0 - 7.0)[:, order]
    found = meta.fit_adapt(other[:20], task.y[:20]).predict_proba(other[20:])
    assert_allclose(found, expected, rtol=1e-6)


def test_an_earlier_fit_leaves_nothing_behind(tables):
    meta = InContextClassifier(module=TINY, max_epochs=1, random_state=0)
    meta.fit(make_tasks(meta)).fit(tables)
    assert not {"n_features_in_", "classes_", "n_support_"} & set(vars(meta))
    assert meta.fit(make_tasks(meta)).n_features_in_ == 3


def test_gaps_strings_and_names_of_one_task(meta):
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"age": rng.normal(size=30), "ward": np.tile(["north", "south", None], 10)})
    df.loc[::4, "age"] = np.nan
    y = np.where(rng.random(30) < 0.5, "ill", "well")
    model = meta.fit_adapt(df[:20], y[:20])
    assert list(model.feature_names_in_) == ["age", "ward"]
    assert model.predict(df[20:]).shape == (10,)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(df[20:].rename(columns={"age": "years"}))


def test_tasks_of_frames_and_labels_of_any_type():
    rng = np.random.default_rng(0)
    tasks = [
        Task(
            pd.DataFrame({"a": rng.normal(size=9), "b": ["x", "y", None] * 3}), ["u", "v", "w"] * 3
        ),
        Task(rng.normal(size=(8, 5)), [1, 2] * 4),
    ]
    meta = InContextClassifier(module=TINY, max_epochs=1, random_state=0).fit(tasks)
    assert list(meta.fit_adapt(tasks[0].X, tasks[0].y).classes_) == ["u", "v", "w"]


def test_a_table_among_tasks_of_different_columns_is_an_error(meta, tables):
    later = InContextClassifier(module=TINY, max_epochs=1, random_state=0).fit(tables)
    with pytest.raises(ValueError, match="must hold tasks"):
        later.partial_fit(np.zeros((4, 2)), [0, 1, 0, 1])


@pytest.mark.parametrize("prior", ["tables", "both"])
def test_learning_from_synthetic_tables(prior):
    tasks = make_tasks(InContextClassifier())
    meta = InContextClassifier(
        module=TINY, prior=prior, n_tables=32, max_epochs=2, random_state=0
    ).fit(tasks)
    model = meta.fit_adapt(tasks[0].X[:6], tasks[0].y[:6])
    assert model.predict_proba(tasks[0].X).shape == (14, 3)
    again = InContextClassifier(
        module=TINY, prior=prior, n_tables=32, max_epochs=2, random_state=0
    ).fit(tasks)
    assert_allclose(
        again.fit_adapt(tasks[0].X[:6], tasks[0].y[:6]).predict_proba(tasks[0].X),
        model.predict_proba(tasks[0].X),
        rtol=0,
    )


def test_class_weights_of_synthetic_tables_have_no_names():
    meta = InContextClassifier(prior="tables", class_weight={"ill": 2.0}, random_state=0)
    with pytest.raises(ValueError, match="class_weight"):
        meta.fit(make_tasks(meta))


def test_numbers_of_tasks_with_different_columns():
    tables = make_prior_tables(16, n_classes=None, n_rows=25, random_state=0)
    meta = InContextRegressor(module=TINY, max_epochs=2, random_state=0).fit(tables)
    task = tables[0]
    mean, std = meta.fit_adapt(task.X[:15], task.y[:15]).predict(task.X[15:], return_std=True)
    assert mean.shape == std.shape == (10,)
    scaled = meta.fit_adapt(task.X[:15], 1000 * task.y[:15] + 50)
    assert_allclose(scaled.predict(task.X[15:]), 1000 * mean + 50, rtol=1e-3, atol=0.1)
    assert scaled.predict_quantiles(task.X[15:]).shape == (10, 3)


def test_an_ordinary_view(meta, tables):
    model = FewShotClassifier(meta).fit(tables[1].X, tables[1].y)
    assert model.predict(tables[1].X[:4]).shape == (4,)


def test_tables_depend_on_seed_epoch_and_position_alone():
    def batch(epoch, seed=0):
        dataset = TableEpisodes(64, 20, 10, is_classification=True, seed=seed)
        dataset.epoch = epoch
        return dataset.subset(np.arange(8, 64)).__getitems__([3, 4])

    first, same, later, other = batch(0), batch(0), batch(1), batch(0, seed=1)
    assert_allclose(first.inputs["X"], same.inputs["X"])
    for different in (later, other):
        a, b = first.inputs["X"], different.inputs["X"]
        assert a.shape != b.shape or not np.allclose(a, b)


def test_both_kinds_in_one_batch():
    parts = [TableEpisodes(8, 10, 6, is_classification=True, seed=seed) for seed in (1, 1)]
    parts[1].n_query = 9
    both = BothEpisodes(*parts)
    assert len(both) == 16
    batch = both.__getitems__([1, 9, 2, 10])
    assert len(batch) == 4
    assert batch.inputs["X_query"].shape[1] == 9
    assert not batch.targets["mask"][:2, 6:].any()
    both.epoch = 3
    assert parts[0].epoch == parts[1].epoch == 3
    assert [len(part) for part in both.subset(np.array([0, 8, 9])).parts] == [1, 2]


def test_the_state_is_small(meta, tables):
    model = meta.fit_adapt(tables[0].X[:10], tables[0].y[:10])
    n_numbers = sum(part.numel() for part in model.state_.values())
    assert n_numbers <= 10 * (tables[0].n_features + 2) + 2 * len(model.classes_)


@pytest.mark.slow
def test_it_learns_to_learn_from_tables():
    """After a minute of synthetic tables, better than the shares of the classes on others."""
    meta = InContextClassifier(
        prior="tables", n_tables=320, n_support=20, max_epochs=2, batch_size=8, random_state=0
    ).fit(make_prior_tables(3, random_state=0))
    test = make_prior_tables(40, n_rows=80, random_state=1)
    support, query = split_support_query(test, 20, stratify=True)
    gains = []
    for model, s, q in zip(meta.fit_adapt_many(support), support, query, strict=True):
        shares = (np.bincount(s.y) + 1) / (s.n_rows + len(model.classes_))
        proba = model.predict_proba(q.X)[np.arange(q.n_rows), q.y]
        gains.append(np.mean(np.log(proba) - np.log(shares[q.y])))
    assert np.mean(gains) > 0.1


def test_collections_of_equal_widths_keep_the_shared_target(tables):
    tasks = TaskCollection.from_tasks(list(make_tasks(InContextClassifier())))
    meta = InContextClassifier(module=TINY, max_epochs=1, random_state=0).fit(tasks)
    assert list(meta.classes_) == ["ill", "odd", "well"]
    assert meta.predict(tasks[0].X).shape == (14,)

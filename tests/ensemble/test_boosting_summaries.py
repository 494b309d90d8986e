"""Summaries of a support, trees that learn from them, and the guard of the mixture."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmeta import MetaBoostingClassifier, TaskCollection
from skmeta.ensemble._mixing import episodes, mixing_weights
from skmeta.ensemble._pooled import Rows, pool_trees
from skmeta.ensemble._summaries import Likeness, Support, View, summarise


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    X[rng.random((200, 3)) < 0.1] = np.nan
    return Rows(X, np.nan_to_num(X))


@pytest.mark.parametrize("n_classes", [None, 2])
def test_a_row_is_most_like_itself(rows, n_classes):
    y = (rows.dense[:, 0] > 0).astype(int)
    likeness = Likeness(n_classes, 0)
    likeness.fit(rows, y, np.repeat(np.arange(20), 10))
    view = likeness.view(rows)
    for near in likeness(view, view):
        assert_allclose(near.diagonal(), 1.0)
        assert_allclose(near, near.T)
        assert near.min() >= 0.0
        assert near.max() <= 1.0


def test_forests_put_rows_of_like_target_together_without_having_seen_them(rows):
    y = 5.0 * rows.dense[:, 0]
    likeness = Likeness(None, 0)
    view = likeness.fit(rows, y, np.repeat(np.arange(20), 10))
    shared, _ = likeness(view.take(np.arange(10)), view.take(np.arange(10)))
    far = np.abs(y[:10, None] - y[:10]) > 5.0
    off_diagonal = ~np.eye(10, dtype=bool)
    assert shared[far].mean() < 0.5 * shared[~far & off_diagonal].mean()


def test_summaries_are_shrunken_means():
    likeness = Likeness(None, 0)
    likeness.width = 1.0
    support = Support(
        View(np.array([[0, 1], [2, 3]]), np.array([[0.0], [3.0]])),
        target=np.array([[10.0], [20.0]]),
        residual=np.array([[1.0], [2.0]]),
    )
    query = View(np.array([[0, 3], [2, 3]]), np.array([[0.0], [3.0]]))
    columns = summarise(support, query, likeness)
    assert_allclose(columns[0, :3], [np.log(3.0), 15.0, 3.0 / 5.0])
    assert_allclose(columns[:, 3], [1.5 / 1.5, 2.0 / 1.5])  # near by leaves
    assert_allclose(columns[:, 4], [1.0, 1.0])
    assert_allclose(columns[:, 5:7], [[1.0, 10.0], [2.0, 20.0]])  # the nearest row
    assert_allclose(columns[:, 9:11], [[1.0, 10.0], [2.0, 20.0]])


def test_trees_learn_what_processes_cannot():
    """Rows come in clusters that lie apart only for trees; a task labels each at random."""
    rng = np.random.default_rng(0)
    n_tasks, n = 60, 40
    X = rng.integers(0, 2, size=(n_tasks * n, 4)) + 0.1 * rng.normal(size=(n_tasks * n, 4))
    task = np.repeat(np.arange(n_tasks), n)
    parity = (X[:, 0] > 0.5) ^ (X[:, 1] > 0.5)
    flipped = rng.random(n_tasks) < 0.5
    tasks = TaskCollection.from_arrays(X, (parity ^ flipped[task]).astype(int), task)
    meta = MetaBoostingClassifier(random_state=0).fit(tasks[:40])
    models = [meta.fit_adapt(t.X[:10], t.y[:10]) for t in tasks[40:]]
    hits = [m.score(t.X[10:], t.y[10:]) for m, t in zip(models, tasks[40:], strict=True)]
    assert np.mean(hits) > 0.85
    assert meta.weights_.shape == (len(meta.shots_), 5)


def test_few_tasks_have_no_trees():
    rng = np.random.default_rng(0)
    tasks = TaskCollection.from_arrays(
        rng.normal(size=(80, 2)), rng.integers(0, 2, 80), np.repeat(np.arange(8), 10)
    )
    assert MetaBoostingClassifier(random_state=0).fit(tasks).weights_.shape[1] == 4


def test_very_few_rows_are_predicted_by_their_mean():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    pooled = pool_trees(Rows(X, X), y, np.repeat(np.arange(8), 5), 0, None, 0)
    assert_allclose(pooled.model(Rows(X, X))[:, 0], y.mean())


def test_a_gain_within_its_standard_error_is_no_gain():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=20)
    noise = (noise - noise.mean()) / noise.std()
    is_pooled = np.array([False, True])

    def losses(gain):
        return lambda w: 1.0 + w[0] * (noise - gain)

    assert_allclose(mixing_weights(losses(0.1), is_pooled), [0.0, 1.0])
    assert mixing_weights(losses(1.0), is_pooled)[0] > 0.9
    assert_allclose(mixing_weights(losses(0.4), is_pooled, 1.0)[0], 1.0, atol=0.3)
    assert_allclose(mixing_weights(losses(0.4), is_pooled, 2.0), [0.0, 1.0])


def test_few_tasks_have_more_query_rows():
    lists = np.split(np.arange(600), 3)
    for episode in episodes(lists, 5, "random", np.random.default_rng(0)):
        assert len(episode.query) == 195


def test_queries_of_first_rows_lie_far_ahead():
    lists = [np.arange(30), np.arange(30, 44)]
    drawn = list(episodes(lists, 5, "first", np.random.default_rng(0), [0, 5, 10, 20]))
    assert [sorted(e.query.tolist()) for e in drawn] == [list(range(20, 30)), list(range(40, 44))]
    assert [e.support.tolist() for e in drawn] == [list(range(5)), list(range(30, 35))]

"""Meta support vector machines: limits, and what they learn from tasks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC, SVR

from skmeta import MetaSVC, MetaSVR, TaskCollection, split_support_query
from skmeta.datasets import make_linear_tasks
from skmeta.svm._calibration import Calibration, Evidence, ShotCalibrations, support_odds
from skmeta.svm._pooled import Kernel, PooledMachines


def tasks_of_classes(n_classes=2, n_tasks=30, n_rows=30, move=0.7, seed=0):
    """Classes around centres that move from task to task."""
    rng = np.random.default_rng(seed)
    codes = np.tile(np.arange(n_rows) % n_classes, n_tasks)
    centers = np.array([[-1.5, 0.0], [1.5, 0.5], [0.0, 2.5]])
    moves = rng.normal(scale=move, size=(n_tasks, n_classes, 2))
    X = centers[codes] + moves[np.repeat(np.arange(n_tasks), n_rows), codes]
    X += 0.7 * rng.normal(size=X.shape)
    return TaskCollection(X, np.array(["a", "b", "c"])[codes], np.arange(n_tasks + 1) * n_rows)


class TestLimits:
    @pytest.mark.parametrize("kernel", ["linear", "rbf"])
    @pytest.mark.parametrize("C", [0.1, 1.0, 100.0])
    def test_without_trust_is_svc(self, kernel, C):
        tasks = tasks_of_classes()
        meta = MetaSVC(kernel=kernel, C=C, gamma=0.5, trust=0.0, preprocessor=None)
        model = meta.fit(tasks[:5]).fit_adapt(tasks[6].X, tasks[6].y)
        svc = SVC(kernel=kernel, C=C, gamma=0.5, tol=1e-9).fit(tasks[6].X, tasks[6].y)
        X = tasks[7].X
        assert_allclose(model.decision_function(X), svc.decision_function(X), atol=1e-3)
        assert_array_equal(model.predict(X), svc.predict(X))

    @pytest.mark.parametrize("kernel", ["linear", "rbf"])
    def test_without_trust_is_svr(self, kernel):
        tasks = make_linear_tasks(8, 30, 2, random_state=0)
        center, scale = tasks[:5].y.mean(), tasks[:5].y.std()
        meta = MetaSVR(kernel=kernel, C=3.0, gamma=0.5, trust=0.0, preprocessor=None)
        model = meta.fit(tasks[:5]).fit_adapt(tasks[6].X, tasks[6].y)
        svr = SVR(kernel=kernel, C=3.0, gamma=0.5, tol=1e-9)
        svr.fit(tasks[6].X, (tasks[6].y - center) / scale)
        X = tasks[7].X
        assert_allclose(model.predict(X), center + scale * svr.predict(X), atol=1e-3)

    def test_tiny_C_keeps_the_shape_of_the_shared_function(self):
        tasks = tasks_of_classes()
        meta = MetaSVC(C=1e-6, gamma=1.0, trust=1.0).fit(tasks[:20])
        model = meta.fit_adapt(tasks[25].X, tasks[25].y)
        change = model.decision_function(tasks[26].X) - meta.decision_function(tasks[26].X)
        assert_allclose(change, change[0], atol=1e-3)

    @pytest.mark.parametrize("Meta", [MetaSVC, MetaSVR])
    def test_one_task_leaves_the_defaults(self, Meta):
        X = np.random.default_rng(0).normal(size=(40, 2))
        y = (X[:, 0] > 0).astype(float)
        meta = Meta(preprocessor=None).fit(X, y)
        assert (meta.C_, meta.trust_) == (1.0, 1.0)
        assert_allclose(meta.gamma_, 1 / (2 * X.var()))


class TestLearning:
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_adapting_helps_where_tasks_differ(self, n_classes):
        tasks = tasks_of_classes(n_classes, move=1.0)
        meta = MetaSVC().fit(tasks[:20])
        support, query = split_support_query(tasks[20:], 9, stratify=True)
        models = meta.fit_adapt_many(support)
        loss, prior = np.mean(
            [
                [log_loss(q.y, m.predict_proba(q.X), labels=meta.classes_) for m in (model, meta)]
                for model, q in zip(models, query, strict=True)
            ],
            axis=0,
        )
        assert loss < prior

    def test_trusts_a_function_that_tasks_share(self):
        shared = MetaSVC(kernel="linear").fit(tasks_of_classes(move=0.0))
        assert shared.trust_ > 0

    def test_distrusts_where_tasks_have_nothing_in_common(self):
        tasks = make_linear_tasks(30, 30, 2, noise=0.01, random_state=0)
        flipped = np.where(np.arange(30) % 2, 1.0, -1.0)
        tasks = tasks.with_storage(y=tasks.y * np.repeat(flipped, 30))
        assert MetaSVR(kernel="linear", n_support=15).fit(tasks).trust_ < 1.0

    def test_probabilities_are_calibrated(self):
        tasks = tasks_of_classes(n_tasks=80, move=1.0)
        meta = MetaSVC().fit(tasks[:40])
        support, query = split_support_query(tasks[40:], 10, stratify=True)
        models = meta.fit_adapt_many(support)
        proba = np.concatenate(
            [model.predict_proba(q.X)[:, 1] for model, q in zip(models, query, strict=True)]
        )
        confident = proba > 0.8
        assert_allclose((query.y[confident] == "b").mean(), proba[confident].mean(), atol=0.06)

    def test_regression_adapts(self):
        tasks = make_linear_tasks(40, 30, 2, random_state=0)
        meta = MetaSVR(kernel="linear").fit(tasks[:30])
        support, query = split_support_query(tasks[30:], 10)
        models = meta.fit_adapt_many(support)
        scores = [model.score(q.X, q.y) for model, q in zip(models, query, strict=True)]
        assert np.mean(scores) > 0.9

    def test_no_query_row_reaches_the_machines_of_its_episode(self):
        """Labels that carry nothing leave the calibration without a slope worth the name."""
        tasks = tasks_of_classes(n_tasks=40)
        noise = np.random.default_rng(0).permutation(tasks.y)
        meta = MetaSVC().fit(tasks.with_storage(y=noise))
        proba = meta.fit_adapt(tasks.X[:10], noise[:10]).predict_proba(tasks.X)
        assert 0.2 < proba.min() < proba.max() < 0.8


class TestParts:
    @pytest.mark.parametrize("kernel", ["linear", "rbf"])
    def test_many_rows(self, kernel):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(4000, 2))
        machines = PooledMachines(X, np.sign(X[:, :1]), Kernel(kernel, 0.5), is_classifier=True)
        assert np.mean(np.sign(machines(X)) == np.sign(X[:, :1])) > 0.99
        if kernel == "rbf":
            assert machines.machines[0].shape_fit_[0] == 3000

    def test_class_that_no_row_has(self):
        machines = PooledMachines(
            np.eye(3), -np.ones((3, 1)), Kernel("rbf", 1.0), is_classifier=True
        )
        assert_array_equal(machines(np.eye(3)), -np.ones((3, 1)))

    def test_calibration_sums_to_one_and_rises(self):
        values = np.linspace(-3, 3, 7)[:, None]
        signs = np.array([-1.0, -1, -1, 1, -1, 1, 1])[:, None]
        nothing = np.zeros_like(values)
        evidence = Evidence(values, nothing, nothing)
        fitted = Calibration.fit(evidence, signs)
        assert (np.diff(fitted.proba(evidence)[:, 1]) > 0).all()
        assert_allclose(fitted.proba(evidence).sum(axis=1), 1.0)
        far = np.full((2, 3), -1e6)
        assert_allclose(fitted.proba(Evidence(far, far, far)), 1 / 3)
        assert Calibration.fit(evidence, np.ones((7, 1))) == Calibration()

    def test_calibration_finds_what_carries_the_signal(self):
        rng = np.random.default_rng(0)
        evidence = Evidence(*rng.normal(size=(3, 20_000, 1)))
        logits = 0.5 * evidence.values + 2.0 * evidence.odds - 1.0
        signs = np.where(rng.logistic(size=logits.shape) < logits, 1.0, -1.0)
        assert_allclose(Calibration.fit(evidence, signs), [0.5, 0.0, 2.0, -1.0], atol=0.07)

    def test_calibrations_between_shots(self):
        few, many = Calibration(1.0, 0.0, 0.0, 0.0), Calibration(3.0, 0.0, 0.0, 1.0)
        shots = ShotCalibrations([0, 8], [few, many])
        assert shots.at(0) == few
        assert shots.at(8) == shots.at(1000) == many
        assert_allclose(shots.at(2), [2.0, 0.0, 0.0, 0.5])

    def test_odds_of_a_support(self):
        rate = np.array([0.25])
        assert_allclose(support_odds(np.empty((0, 1)), rate), 0.0, atol=1e-12)
        assert support_odds(np.ones((5, 1)), rate) > support_odds(np.ones((1, 1)), rate) > 0
        # Rows as frequent as in all tasks say nothing new.
        assert_allclose(support_odds(np.array([[1.0], [-1], [-1], [-1]]), rate), 0.0, atol=1e-12)


@pytest.fixture(scope="module")
def tasks():
    """Tasks that differ in how frequent the classes are, and in nothing else."""
    rng = np.random.default_rng(0)
    n_tasks, n_rows = 80, 25
    rate = np.repeat(rng.beta(0.4, 0.4, size=n_tasks), n_rows)
    y = (rng.random(n_tasks * n_rows) < rate).astype(int)
    X = np.column_stack([y + rng.normal(size=len(y)), rng.normal(size=len(y))])
    return TaskCollection(X, y, np.arange(n_tasks + 1) * n_rows)


@pytest.fixture(scope="module")
def meta(tasks):
    return MetaSVC().fit(tasks[:50])


class TestSupports:
    """What few rows say, and what rows of one class say."""

    @pytest.mark.parametrize("n_support", [1, 3, 5, 10])
    def test_frequencies_of_classes(self, tasks, meta, n_support):
        support, query = split_support_query(tasks[50:], n_support)
        models = meta.fit_adapt_many(support)
        loss, prior = np.mean(
            [
                [log_loss(q.y, m.predict_proba(q.X), labels=[0, 1]) for m in (model, meta)]
                for model, q in zip(models, query, strict=True)
            ],
            axis=0,
        )
        assert loss < prior - 0.02

    def test_more_rows_of_one_class_make_it_more_probable(self, meta):
        X = np.zeros((10, 2))
        proba = [meta.fit_adapt(X[:n], np.ones(n)).predict_proba(X[:1])[0, 1] for n in (1, 4, 10)]
        assert meta.predict_proba(X[:1])[0, 1] < proba[0] < proba[1] < proba[2] < 1.0

    def test_support_vectors_are_all_that_is_needed(self):
        tasks = tasks_of_classes()
        meta = MetaSVC(kernel="linear", preprocessor=None).fit(tasks[:20])
        model = meta.fit_adapt(tasks[25].X, tasks[25].y)
        assert_array_equal(model.support_vectors_, tasks[25].X[model.support_])
        slope = model.dual_coef_ @ model.support_vectors_
        X = tasks[26].X
        expected = meta.trust_ * meta.decision_function(X) + X @ slope[0] + model.intercept_
        assert_allclose(model.decision_function(X), expected)


class TestErrors:
    def test_needs_shared_classes(self):
        tasks = tasks_of_classes()
        own = TaskCollection(tasks.X, tasks.y, tasks.offsets, shared_target=False)
        with pytest.raises(ValueError, match="classes must mean the same in all tasks"):
            MetaSVC().fit(own)

    def test_needs_two_classes(self):
        with pytest.raises(ValueError, match="only one class: 'ill'"):
            MetaSVC().fit([[0.0], [1.0]], ["ill", "ill"])

    @pytest.mark.parametrize(
        "params", [{"C": 0.0}, {"gamma": -1.0}, {"trust": -0.1}, {"kernel": "poly"}]
    )
    def test_bad_parameters(self, params):
        with pytest.raises(ValueError, match=next(iter(params))):
            MetaSVC(**params).fit(tasks_of_classes())


class TestKernelFunctions:
    """A kernel of one's own, computed beforehand or not, is as good as the one by name."""

    @pytest.mark.parametrize("cls", [MetaSVC, MetaSVR])
    def test_a_function_and_a_table_equal_the_name(self, cls):
        tasks = make_linear_tasks(n_tasks=12, n_rows=10, n_features=2, random_state=0)
        if cls is MetaSVC:
            tasks = tasks.with_storage(y=tasks.y > 0)
        options = {"C": 2.0, "gamma": 0.5, "trust": 1.0, "preprocessor": None}

        def function(X, Y):
            return rbf_kernel(X, Y, gamma=0.5)

        table = function(tasks.X, tasks.X)

        def look_up(X, Y):
            return table[np.ix_(X[:, 0].astype(int), Y[:, 0].astype(int))]

        numbered = tasks.with_storage(X=np.arange(len(tasks.X), dtype=float)[:, None])
        predicted = [
            cls(kernel=kernel, **options)
            .fit(rows[:10])
            .fit_adapt(rows[10].X[:6], rows[10].y[:6])
            .predict(rows[11].X)
            for kernel, rows in (("rbf", tasks), (function, tasks), (look_up, numbered))
        ]
        assert_allclose(predicted[1], predicted[0], atol=1e-6)
        assert_allclose(predicted[2], predicted[0], atol=1e-6)

    def test_wrong_shape(self):
        tasks = make_linear_tasks(n_tasks=4, n_rows=6, random_state=0)
        meta = MetaSVR(kernel=lambda X, Y: np.ones((len(X), 1)), C=1.0, gamma=1.0, trust=1.0)
        with pytest.raises(ValueError, match="kernel must give an array of shape"):
            meta.fit(tasks)

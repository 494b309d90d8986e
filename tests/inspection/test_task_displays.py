"""Displays over tasks: known errors, known coverage, the same rows for everyone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from skmeta import MetaLogisticRegression, MetaRidgeRegressor, PooledRegressor, TaskCollection
from skmeta.datasets import make_linear_tasks
from skmeta.inspection import (
    AdaptationCurveDisplay,
    SearchProgressDisplay,
    ShrinkageDisplay,
    TaskCalibrationDisplay,
    TaskErrorDisplay,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

TASKS = make_linear_tasks(n_tasks=80, n_rows=20, n_features=2, noise=0.5, random_state=0)
SEEN, NEW = TASKS[:40], TASKS[40:]
RIDGE = MetaRidgeRegressor().fit(SEEN)
CLASSES = TASKS.with_storage(y=np.where(TASKS.y > 0, "ill", "well"))
LOGISTIC = MetaLogisticRegression().fit(CLASSES[:40])


@pytest.fixture(autouse=True)
def _close():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


class TestAdaptationCurve:
    def test_more_rows_are_better_and_alone_is_worse(self):
        display = AdaptationCurveDisplay.from_estimator(
            RIDGE, NEW, shots=[1, 2, 10], baselines={"alone": Ridge()}
        ).plot()
        mean = display.scores["MetaRidgeRegressor"].mean(axis=1)
        assert (np.diff(mean) > 0).all()
        assert mean[1] > display.scores["alone"][1].mean() + 0.1
        assert_allclose(display.lines_["alone"].get_ydata(), display.scores["alone"].mean(axis=1))
        assert display.ax_.get_ylabel().startswith("R²")

    def test_zero_shots_need_a_prior(self):
        with pytest.raises(ValueError, match="0 sample"):
            AdaptationCurveDisplay.from_estimator(
                RIDGE, NEW, shots=[0, 2], baselines={"alone": Ridge()}
            )

    def test_one_class_supports_of_an_ordinary_classifier(self):
        display = AdaptationCurveDisplay.from_estimator(
            LOGISTIC,
            CLASSES[40:],
            shots=[1, 5],
            baselines={"alone": LogisticRegression()},
        )
        assert np.isfinite(display.scores["alone"]).all()
        assert display.score_name == "Accuracy"

    @pytest.mark.parametrize("shots", [[], [-1], [1.5], [[1, 2]]])
    def test_bad_shots(self, shots):
        with pytest.raises(ValueError, match="shots must hold integers"):
            AdaptationCurveDisplay.from_estimator(RIDGE, NEW, shots=shots)

    def test_tasks_too_small(self):
        with pytest.raises(ValueError, match="No task has more than 20 rows"):
            AdaptationCurveDisplay.from_estimator(RIDGE, NEW, shots=[20])


class TestTaskErrors:
    def test_errors_are_those_of_the_models(self):
        pooled = PooledRegressor("linear").fit(SEEN)
        display = TaskErrorDisplay.from_estimator(RIDGE, NEW, n_support=5, reference=pooled).plot()
        assert display.share_better > 0.8
        assert len(display.points_.get_offsets()) == len(NEW)
        assert "tasks gain" in display.ax_.get_title()
        itself = TaskErrorDisplay.from_estimator(pooled, NEW, reference=pooled)
        assert_allclose(itself.adapted, itself.reference)

    def test_classes(self):
        display = TaskErrorDisplay.from_estimator(LOGISTIC, CLASSES[40:]).plot()
        assert display.error_name == "Log-loss"
        assert display.share_better > 0.6


class TestCalibration:
    def test_a_right_model_is_on_the_diagonal_and_a_sure_one_below(self):
        right = TaskCalibrationDisplay.from_estimator(RIDGE, NEW, n_support=5).plot()
        assert_allclose(right.mean, right.claimed, atol=0.08)
        assert_allclose(right.line_.get_ydata(), right.mean)

        class Sure(MetaRidgeRegressor):
            def predict(self, X, return_std=False):
                mean, std = super().predict(X, return_std=True)
                return (mean, std / 3) if return_std else mean

        sure = TaskCalibrationDisplay.from_estimator(Sure().fit(SEEN), NEW, n_support=5)
        assert (sure.mean < sure.claimed).all()

    def test_probabilities(self):
        display = TaskCalibrationDisplay.from_estimator(LOGISTIC, CLASSES[40:], n_support=5).plot()
        assert display.kind == "probability"
        large = display.weights.sum(axis=1) > 50
        assert_allclose(display.mean[large], display.claimed[large], atol=0.15)


class TestShrinkage:
    def test_small_tasks_are_pulled_further(self):
        sizes = np.tile([3, 20], 40)
        rows = np.concatenate([np.arange(20 * i, 20 * i + n) for i, n in enumerate(sizes)])
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        tasks = TaskCollection(TASKS.X[rows], TASKS.y[rows], offsets)
        display = ShrinkageDisplay.from_estimator(
            MetaRidgeRegressor().fit(tasks), tasks, [[1.0, 1.0]], alone=LinearRegression()
        ).plot()
        assert_array_equal(display.n_rows, sizes)
        moved = np.abs(display.alone - display.adapted)
        assert np.median(moved[sizes == 3]) > 3 * np.median(moved[sizes == 20])

    def test_one_point(self):
        with pytest.raises(ValueError, match="point must have one row, got 2"):
            ShrinkageDisplay.from_estimator(RIDGE, NEW, np.zeros((2, 2)), alone=Ridge())


class TestSearchProgress:
    def test_best_so_far_skips_failures(self):
        display = SearchProgressDisplay({"a": [np.nan, 0.2, 0.1, np.nan, 0.5]}).plot()
        assert_array_equal(display.best_so_far("a"), [np.nan, 0.2, 0.2, 0.2, 0.5])

    def test_metrics(self):
        X, y = NEW[0].X, NEW[0].y
        scoring = ["r2", "neg_mean_squared_error"]
        search = GridSearchCV(Ridge(), {"alpha": [1, 10]}, cv=2, scoring=scoring, refit=False)
        search.fit(X, y)
        display = SearchProgressDisplay.from_estimator(search, metric="r2")
        assert_array_equal(display.scores["GridSearchCV"], search.cv_results_["mean_test_r2"])
        with pytest.raises(ValueError, match=r"no score .score.; metric: .*r2"):
            SearchProgressDisplay.from_estimator(search)

"""Metadata routing: `task_id` travels with the rows of a flat table."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmeta import MetaRidgeRegressor
from skmeta.datasets import make_linear_tasks


@pytest.fixture
def tasks():
    return make_linear_tasks(20, random_state=0)


def test_task_id_is_routed_through_cross_validation(tasks):
    with config_context(enable_metadata_routing=True):
        results = cross_validate(
            make_pipeline(StandardScaler(), MetaRidgeRegressor()),
            tasks.X,
            tasks.y,
            params={"task_id": tasks.row_task, "groups": tasks.row_task},
            cv=GroupKFold(4),
            return_estimator=True,
            error_score="raise",
        )
    # Fitted on tasks, it predicts the prior; as one table it would have adapted to all rows.
    assert [e[-1].n_support_ for e in results["estimator"]] == [0] * 4
    assert np.isfinite(results["test_score"]).all()


def test_a_pipeline_scores_with_routing(tasks):
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), MetaRidgeRegressor())
        model.fit(tasks.X, tasks.y, task_id=tasks.row_task)
        assert np.isfinite(model.score(tasks.X, tasks.y))
